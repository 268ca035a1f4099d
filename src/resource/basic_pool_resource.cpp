// SPDX-License-Identifier: MIT
#include <fastalloc/resource/basic_pool_resource.hpp>

namespace fastalloc {

template class basic_pool_resource<bitmap_index, true, no_statistics>;
template class basic_pool_resource<free_list_index, true, no_statistics>;
template class basic_pool_resource<stack_index, true, no_statistics>;
template class basic_pool_resource<bitmap_index, false, no_statistics>;
template class basic_pool_resource<free_list_index, false, no_statistics>;
template class basic_pool_resource<stack_index, false, no_statistics>;

}  // namespace fastalloc
