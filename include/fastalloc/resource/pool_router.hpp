// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/resource/size_classes.hpp>

#include <array>
#include <cstddef>
#include <span>

namespace fastalloc::detail {

/// A row of pools, one for each class, and the way from a request to its pool: the same for allocate
/// and deallocate.
template <class Pool>
class pool_router {
public:
    /// No classes: nothing is served.
    constexpr pool_router() = default;

    /// Preconditions: there is a pool for each class. Natural classes above the limit are never
    /// opened.
    pool_router(Pool* pools, const class_map& classes) noexcept
        : natural_(classes.natural_limit != 0 ? pools : closed_pools.data()),
          first_(classes.listed.empty() ? size_class{} : classes.listed.front()),
          pools_(pools),
          classes_(classes) {}

    std::span<Pool> pools() const noexcept { return {pools_, classes_.count()}; }

    const class_map& classes() const noexcept { return classes_; }

    /// Returns: the pool of the request, if it takes no search to find it and it `can` do it at once;
    /// else null. Zero bytes have a key that no class holds, and the search sees to them.
    template <bool MayBeNatural, class Can>
    Pool* at_once(std::size_t bytes, std::size_t alignment, Can can) const noexcept {
        const std::size_t key = routing_key(bytes, alignment);
        if constexpr (MayBeNatural) {
            if (key < natural::largest_size && alignment <= natural::ordinary_alignment)
                [[likely]] {
                // A pool that is closed, that is empty and full, stands for a class that is not there.
                Pool* const pool = natural_ + natural::class_of(key);
                if (can(*pool)) [[likely]] {
                    return pool;
                }
            }
        }
        Pool* const pool = first_.serves(key, alignment) ? pools_ : nullptr;
        return pool != nullptr && can(*pool) ? pool : nullptr;
    }

    /// Returns: the pool of the request; null if it fits no class.
    Pool* by_search(std::size_t bytes, std::size_t alignment) const noexcept {
        const std::size_t index = classes_.class_of(bytes, alignment);
        return index == class_map::no_class ? nullptr : pools_ + index;
    }

private:
    // Where there are no natural classes the hot path finds these instead of a branch.
    static inline constinit std::array<Pool, natural::pool_count> closed_pools{};

    Pool* natural_ = closed_pools.data();
    size_class first_;  // a copy of listed[0]; serves nothing where there is none
    Pool* pools_ = nullptr;
    class_map classes_;
};

}  // namespace fastalloc::detail
