// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/resource/size_classes.hpp>
#include <fastalloc/storage/pool.hpp>

#include <array>
#include <cstddef>
#include <span>

namespace fastalloc::detail {

/// A row of pools and the way from a request to its pool: a pure function of the request, the same
/// for allocate and deallocate. The classes are the natural ones, or listed ones, or none yet.
template <index_strategy Index>
class pool_router {
public:
    using pool_type = pool<Index>;

    /// No classes: nothing is served.
    pool_router() = default;

    /// The natural classes that hold up to `limit` bytes. Preconditions: there is every natural pool;
    /// those above the limit are never opened.
    pool_router(std::span<pool_type, natural::pool_count> pools, std::size_t limit) noexcept
        : natural_(pools.data()), pools_(pools), natural_limit_(limit) {}

    /// Listed classes, in ascending order of slot size, then alignment. Preconditions: there is at
    /// least one, and a pool for each.
    pool_router(std::span<pool_type> pools, std::span<const size_class> classes) noexcept
        : first_(classes.front()), pools_(pools), listed_(classes) {}

    std::span<pool_type> pools() const noexcept { return pools_; }

    /// Returns: the pool of the natural class of a request that is small enough to have one, at an
    /// ordinary alignment. It is closed, that is empty and full, where the resource has none.
    pool_type* natural_pool(std::size_t key) const noexcept {
        return natural_ + natural::class_of(key);
    }

    /// Returns: the pool of the first listed class, if that serves the request; else null.
    pool_type* first_pool(std::size_t key, std::size_t alignment) const noexcept {
        return first_.serves(key, alignment) ? pools_.data() : nullptr;
    }

    /// Returns: the pool of the request; null if it fits no class.
    pool_type* by_search(std::size_t bytes, std::size_t alignment) const noexcept {
        const std::size_t key = exact_routing_key(bytes, alignment);
        if (key < natural_limit_) return natural_ + natural::pool_of(key, alignment);
        const std::size_t index = listed_class_of(listed_, key, alignment);
        return index == listed_.size() ? nullptr : &pools_[index];
    }

private:
    // Where there are no natural classes the hot path finds these instead of a branch.
    static inline constinit std::array<pool_type, natural::pool_count> closed_pools{};

    pool_type* natural_ = closed_pools.data();
    size_class first_;  // a copy of listed_[0]; serves nothing where there is none
    std::span<pool_type> pools_;
    std::span<const size_class> listed_;
    std::size_t natural_limit_ = 0;  // bytes
};

}  // namespace fastalloc::detail
