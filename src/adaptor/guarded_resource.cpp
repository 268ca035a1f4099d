// SPDX-License-Identifier: MIT
#include <fastalloc/adaptor/guarded_resource.hpp>
#include <fastalloc/adaptor/no_alloc_guard.hpp>

namespace fastalloc {

void* guarded_resource::do_allocate(std::size_t bytes, std::size_t alignment) {
    detail::no_alloc_scope::count_allocation(*this, bytes, alignment);
    return upstream_resource()->allocate(bytes, alignment);
}

void guarded_resource::do_deallocate(void* p, std::size_t bytes, std::size_t alignment) {
    upstream_resource()->deallocate(p, bytes, alignment);
}

}  // namespace fastalloc
