// SPDX-License-Identifier: MIT
#include <fastalloc/resource/synchronized_pool_resource.hpp>

namespace fastalloc {

template class basic_shared_pool_resource<detail::locked_sharing<bitmap_index>, no_statistics>;
template class basic_shared_pool_resource<detail::locked_sharing<free_list_index>, no_statistics>;
template class basic_shared_pool_resource<detail::locked_sharing<stack_index>, no_statistics>;

}  // namespace fastalloc
