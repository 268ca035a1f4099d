// SPDX-License-Identifier: MIT
#include <fastalloc/resource/growing_pool_resource.hpp>

namespace fastalloc {

namespace detail {

[[gnu::noinline]] void* allocate_from(std::pmr::memory_resource& resource, std::size_t bytes,
                                      std::size_t alignment) {
    return resource.allocate(bytes, alignment);
}

}  // namespace detail

template class basic_growing_pool_resource<bitmap_index>;
template class basic_growing_pool_resource<free_list_index>;
template class basic_growing_pool_resource<stack_index>;

}  // namespace fastalloc
