// SPDX-License-Identifier: MIT
#include <fastalloc/resource/basic_pool_resource.hpp>

namespace fastalloc {

template class basic_pool_resource<bitmap_index, true>;
template class basic_pool_resource<free_list_index, true>;
template class basic_pool_resource<stack_index, true>;
template class basic_pool_resource<bitmap_index, false>;
template class basic_pool_resource<free_list_index, false>;
template class basic_pool_resource<stack_index, false>;

}  // namespace fastalloc
