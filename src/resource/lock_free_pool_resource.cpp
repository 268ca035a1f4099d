// SPDX-License-Identifier: MIT
#include <fastalloc/resource/lock_free_pool_resource.hpp>

namespace fastalloc {

template class basic_shared_pool_resource<detail::lock_free_sharing<std::atomic>, no_statistics>;

}  // namespace fastalloc
