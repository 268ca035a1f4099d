// SPDX-License-Identifier: MIT
#include <fastalloc/adaptor/limit_resource.hpp>
#include <fastalloc/detail/align.hpp>
#include <fastalloc/error.hpp>

#include <algorithm>

namespace fastalloc {

std::size_t limit_resource::remaining() const noexcept {
    std::size_t least = detail::size_max;
    for (const limit_resource* r = this; r != nullptr; r = r->parent_) {
        const std::size_t limit = r->limit();
        least = std::min(least, limit - std::min(r->used(), limit));
    }
    return least;
}

bool limit_resource::try_reserve(std::size_t bytes) noexcept {
    std::size_t used = this->used();
    do {
        const std::size_t limit = this->limit();
        if (used > limit || bytes > limit - used) return false;
    } while (!used_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));
    return true;
}

void* limit_resource::do_allocate(std::size_t bytes, std::size_t alignment) {
    if (!try_reserve(bytes)) detail::throw_bad_alloc();
    try {
        // A parent is the upstream, and reserves for itself.
        return upstream_resource()->allocate(bytes, alignment);
    } catch (...) {
        give_back(bytes);
        throw;
    }
}

void limit_resource::do_deallocate(void* p, std::size_t bytes, std::size_t alignment) {
    // First upstream, which would otherwise hold more than the limit for a moment.
    upstream_resource()->deallocate(p, bytes, alignment);
    give_back(bytes);
}

}  // namespace fastalloc
