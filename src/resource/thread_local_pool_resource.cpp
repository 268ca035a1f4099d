// SPDX-License-Identifier: MIT
#include <fastalloc/resource/thread_local_pool_resource.hpp>

namespace fastalloc {

template class basic_thread_local_pool_resource<bitmap_index>;
template class basic_thread_local_pool_resource<free_list_index>;
template class basic_thread_local_pool_resource<stack_index>;

}  // namespace fastalloc
