// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/detail/build.hpp>

#include <cstddef>

namespace fastalloc::detail {

/// The small array of free slots that are ready to hand out, last in first out. (After Bonwick and
/// Adams, "Magazines and Vmem", 2001.) The array belongs to somebody else.
///
/// `Place` is `void**`, or what behaves like one and may be read while its owner writes.
///
/// Invariants: low <= top <= high; the slots are [low, top).
template <class Place = void**>
struct magazine {
    Place top = nullptr;
    Place low = nullptr;
    Place high = nullptr;

    bool empty() const noexcept { return top == low; }

    bool full() const noexcept { return top == high; }

    /// Whether there is room for `slot`; in a build with checks, and it is not the one put last.
    bool may_put(const void* slot) const noexcept { return may_put_at(top, slot); }

    std::size_t size() const noexcept { return static_cast<std::size_t>(top - low); }

    std::size_t capacity() const noexcept { return static_cast<std::size_t>(high - low); }

    bool invariants_hold() const noexcept { return low <= top && top <= high; }

    /// Preconditions: not empty.
    void* take() noexcept { return take_below(top); }

    /// Preconditions: not full.
    void put(void* slot) noexcept { put_at(top, slot); }

    // For callers who have read `top` already.

    bool may_put_at(void* const* old_top, [[maybe_unused]] const void* slot) const noexcept {
        if constexpr (build::has_checks) {
            return old_top != high && !repeats(old_top, slot);
        } else {
            return old_top != high;
        }
    }

    /// Whether `slot` is the one that was put last, and is still here.
    bool repeats(void* const* old_top, const void* slot) const noexcept {
        return old_top != low && old_top[-1] == slot;
    }

    void* take_below(void** old_top) noexcept {
        top = old_top - 1;
        return old_top[-1];
    }

    void put_at(void** old_top, void* slot) noexcept {
        *old_top = slot;
        top = old_top + 1;
    }

    /// Effects: uses the array `[memory, memory + count)` from now on. Preconditions: empty.
    void use(void** memory, std::size_t count) noexcept {
        top = low = memory;
        high = memory + count;
    }
};

}  // namespace fastalloc::detail
