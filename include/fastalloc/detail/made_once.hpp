// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>

namespace fastalloc::detail {

/// Returns: what `place` points to, made by `make` if nobody made it before. A thread that another
/// one overtakes calls `drop` on what it made.
template <class T, class Make, class Drop>
T* made_once(std::atomic<T*>& place, Make make, Drop drop) {
    // Acquire: what its maker wrote.
    if (T* const there = place.load(std::memory_order_acquire)) return there;
    T* const made = make();
    T* expected = nullptr;
    if (place.compare_exchange_strong(expected, made, std::memory_order_acq_rel,
                                      std::memory_order_acquire)) {
        return made;
    }
    drop(made);
    return expected;
}

}  // namespace fastalloc::detail
