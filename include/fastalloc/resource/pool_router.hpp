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

    /// Returns: `act(pool)` for the pool of the request, if it takes no search to find it and it
    /// `act.can(pool)` at once; else `otherwise()`. Zero bytes have a key that no class holds, and the
    /// search sees to them.
    template <bool MayBeNatural, class Act, class Otherwise>
    [[gnu::always_inline]] auto at_once(std::size_t bytes, std::size_t alignment, Act act,
                                        Otherwise otherwise) const {
        const std::size_t key = routing_key(bytes, alignment);
        if constexpr (MayBeNatural) {
            if (key < natural::tabled_keys && alignment <= natural::ordinary_alignment) [[likely]] {
                // A pool that is closed, that is empty and full, stands for a class that is not there.
                Pool& pool = natural_[natural::class_table[key / 8]];
                if (act.can(pool)) [[likely]] {
                    return act(pool);
                }
            }
        }
        if (first_.serves(key, alignment) && act.can(*pools_)) return act(*pools_);
        return otherwise();
    }

    /// Returns: the pool of the request; null if it fits no class.
    Pool* by_search(std::size_t bytes, std::size_t alignment) const noexcept {
        const std::size_t index = classes_.class_of(bytes, alignment);
        return index == class_map::no_class ? nullptr : pools_ + index;
    }

private:
    // Where there are no natural classes the hot path finds these instead of a branch.
    static inline constinit std::array<Pool, natural::tabled_classes> closed_pools{};

    Pool* natural_ = closed_pools.data();
    size_class first_;  // a copy of listed[0]; serves nothing where there is none
    Pool* pools_ = nullptr;
    class_map classes_;
};

}  // namespace fastalloc::detail
