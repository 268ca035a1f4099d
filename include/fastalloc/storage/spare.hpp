// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>

namespace fastalloc::detail {

/// At most one `T` that a thread which may ask upstream leaves for one that may not, on its wish.
///
/// Thread safety: full; nobody waits.
template <class T, template <class> class Atomic = std::atomic>
class spare {
public:
    /// Returns: the `T` that was left here; null if there is none, and then one is wanted.
    T* take() noexcept {
        T* there = place_.load(std::memory_order_relaxed);
        for (;;) {
            if (there == wanted()) return nullptr;
            T* const next = there == nullptr ? wanted() : nullptr;
            if (place_.compare_exchange_weak(there, next, std::memory_order_acquire,
                                             std::memory_order_relaxed)) {
                return there;
            }
        }
    }

    /// Effects: as `take`, but what is there stays.
    void want() noexcept {
        T* expected = nullptr;
        place_.compare_exchange_strong(expected, wanted(), std::memory_order_relaxed);
    }

    /// Returns: what was left here; null if nothing was. Preconditions: no other thread uses it.
    T* clear() noexcept {
        T* const there = place_.exchange(nullptr, std::memory_order_relaxed);
        return there == wanted() ? nullptr : there;
    }

    bool is_wanted() const noexcept { return place_.load(std::memory_order_relaxed) == wanted(); }

    /// Returns: whether `made` was left here; if not, it is still the caller's.
    bool leave(T* made) noexcept {
        T* expected = wanted();
        return place_.compare_exchange_strong(expected, made, std::memory_order_release,
                                              std::memory_order_relaxed);
    }

private:
    // An address that no T has.
    T* wanted() const noexcept { return const_cast<T*>(reinterpret_cast<const T*>(&place_)); }

    Atomic<T*> place_{nullptr};
};

}  // namespace fastalloc::detail
