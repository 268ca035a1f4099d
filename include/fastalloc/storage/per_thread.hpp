// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/detail/thread_number.hpp>
#include <fastalloc/error.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <memory_resource>
#include <new>

namespace fastalloc::detail {

/// At most one `T` for each thread number, found without a search. What it refers to is the caller's.
///
/// Thread safety: all but `release` may be called while others use it.
template <class T>
class per_thread {
public:
    per_thread() = default;
    per_thread(const per_thread&) = delete;
    per_thread& operator=(const per_thread&) = delete;

    /// Returns: what was set for the calling thread's number; null if nothing was.
    T* mine() const noexcept {
        const place at = thread_number::mine().place();
        // Acquire: the entries that the segment's maker wrote. The entry itself is this thread's own.
        const entry* const segment = segments_[at.segment].load(std::memory_order_acquire);
        if (segment == nullptr) [[unlikely]] {
            return nullptr;
        }
        return segment[at.offset].load(std::memory_order_relaxed);
    }

    bool has_room_for(thread_number n) const noexcept {
        return segments_[n.place().segment].load(std::memory_order_acquire) != nullptr;
    }

    /// Effects: makes room for `n`. Returns: false if upstream has no memory for it.
    bool try_reserve(thread_number n, std::pmr::memory_resource& upstream) noexcept {
        if (has_room_for(n)) return true;
        const std::size_t size = place::size_of(n.place().segment);
        void* const memory = try_upstream(upstream, size * sizeof(entry), alignof(entry));
        if (memory == nullptr) return false;
        entry* expected = nullptr;
        if (!segments_[n.place().segment].compare_exchange_strong(
                expected, ::new (memory) entry[size]{}, std::memory_order_release,
                std::memory_order_relaxed)) {
            upstream.deallocate(memory, size * sizeof(entry), alignof(entry));
        }
        return true;
    }

    /// Effects: makes room for every number that a thread has. Returns: as `try_reserve`.
    bool try_reserve_all(std::pmr::memory_resource& upstream) noexcept {
        const thread_number last = thread_number::highest();
        for (std::uint32_t s = 0; s <= last.place().segment; ++s) {
            const thread_number first(place::first_of(s));
            if (!try_reserve(first, upstream)) return false;
        }
        return true;
    }

    /// Preconditions: there is room for the calling thread's number.
    void set_mine(T* value) noexcept {
        const thread_number n = thread_number::mine();
        // Release: what others see of it by `for_each`.
        segments_[n.place().segment].load(std::memory_order_acquire)[n.place().offset].store(
            value, std::memory_order_release);
    }

    /// Effects: calls `f(number, value)` for everything that was set.
    template <class F>
    void for_each(F f) const {
        std::uint32_t number = 0;
        for (std::uint32_t s = 0; s != thread_number::segments; ++s) {
            const std::uint32_t end = number + place::size_of(s);
            const entry* const segment = segments_[s].load(std::memory_order_acquire);
            if (segment == nullptr) number = end;
            for (; number != end; ++number) {
                const thread_number n(number);
                if (T* const value = segment[n.place().offset].load(std::memory_order_acquire)) {
                    f(n, *value);
                }
            }
        }
    }

    /// Effects: forgets everything. Preconditions: no other thread uses it.
    void release(std::pmr::memory_resource& upstream) noexcept {
        for (std::uint32_t s = 0; s != thread_number::segments; ++s) {
            entry* const segment = segments_[s].load(std::memory_order_relaxed);
            if (segment == nullptr) continue;
            const std::size_t size = place::size_of(s);
            upstream.deallocate(segment, size * sizeof(entry), alignof(entry));
            segments_[s].store(nullptr, std::memory_order_relaxed);
        }
    }

private:
    using entry = std::atomic<T*>;
    using place = thread_number::place_type;

    std::array<std::atomic<entry*>, thread_number::segments> segments_{};
};

}  // namespace fastalloc::detail
