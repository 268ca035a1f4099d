// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

namespace fastalloc::detail {

/// The small array of free slots that are ready to hand out, last in first out. (After Bonwick and
/// Adams, "Magazines and Vmem", 2001.) The array belongs to somebody else.
///
/// Invariants: low <= top <= high; the slots are [low, top).
struct magazine {
    void** top = nullptr;
    void** low = nullptr;
    void** high = nullptr;

    bool empty() const noexcept { return top == low; }

    bool full() const noexcept { return top == high; }

    std::size_t size() const noexcept { return static_cast<std::size_t>(top - low); }

    std::size_t capacity() const noexcept { return static_cast<std::size_t>(high - low); }

    /// Preconditions: not empty.
    void* take() noexcept { return *--top; }

    /// Preconditions: not full.
    void put(void* slot) noexcept { *top++ = slot; }

    /// Effects: uses the array `[memory, memory + count)` from now on. Preconditions: empty.
    void use(void** memory, std::size_t count) noexcept {
        top = low = memory;
        high = memory + count;
    }
};

}  // namespace fastalloc::detail
