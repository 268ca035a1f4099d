// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/detail/doubling_place.hpp>
#include <fastalloc/detail/thread_number.hpp>
#include <fastalloc/error.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <memory_resource>
#include <new>
#include <utility>

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
    [[gnu::always_inline]] T* mine() const noexcept {
        const thread_number n = thread_number::mine();
        // The entry is this thread's own: nobody else writes to it.
        if (n.value() < first_.size()) [[likely]] {
            return first_[n.value()].load(std::memory_order_relaxed);
        }
        const entry* const e = entry_of(n);
        return e == nullptr ? nullptr : e->load(std::memory_order_relaxed);
    }

    bool has_room_for(thread_number n) const noexcept { return entry_of(n) != nullptr; }

    /// Effects: makes room for `n`. Returns: false if upstream has no memory for it.
    bool try_reserve(thread_number n, std::pmr::memory_resource& upstream) noexcept {
        return has_room_for(n) || try_add_segment(place(n.value()).segment, upstream);
    }

    /// Effects: makes room for every number that a thread has. Returns: as `try_reserve`.
    bool try_reserve_all(std::pmr::memory_resource& upstream) noexcept {
        const place last(thread_number::highest().value());
        for (std::uint32_t s = 1; s <= last.segment; ++s) {
            if (segments_[s].load(std::memory_order_relaxed) != nullptr) continue;
            if (!try_add_segment(s, upstream)) return false;
        }
        return true;
    }

    /// Preconditions: there is room for the calling thread's number.
    void set_mine(T* value) noexcept {
        // Release: what others see of it by `for_each`.
        entry_of(thread_number::mine())->store(value, std::memory_order_release);
    }

    /// Effects: calls `f(number, value)` for everything that was set.
    template <class F>
    void for_each(F f) const {
        for (std::uint32_t number = 0; number < thread_number::count;) {
            const entry* const e = entry_of(thread_number(number));
            if (e == nullptr) {
                number += place::size_of(place(number).segment);
                continue;
            }
            if (T* const value = e->load(std::memory_order_acquire)) {
                f(thread_number(number), *value);
            }
            ++number;
        }
    }

    /// Effects: forgets everything. Preconditions: no other thread uses it.
    void release(std::pmr::memory_resource& upstream) noexcept {
        for (entry& e : first_) e.store(nullptr, std::memory_order_relaxed);
        for (std::uint32_t s = 1; s != segment_count; ++s) {
            entry* const segment = segments_[s].exchange(nullptr, std::memory_order_relaxed);
            if (segment == nullptr) continue;
            upstream.deallocate(segment, place::size_of(s) * sizeof(entry), alignof(entry));
        }
    }

private:
    using entry = std::atomic<T*>;
    using place = doubling_place<32>;
    static constexpr std::uint32_t segment_count = place(thread_number::count - 1).segment + 1;

    // Acquire: the entries that a segment's maker wrote. Inline, since around a call from `mine()` the hot path
    // would save registers.
    [[gnu::always_inline]] const entry* entry_of(thread_number n) const noexcept {
        const place at(n.value());
        if (at.segment == 0) return &first_[at.offset];
        const entry* const segment = segments_[at.segment].load(std::memory_order_acquire);
        return segment == nullptr ? nullptr : segment + at.offset;
    }

    entry* entry_of(thread_number n) noexcept {
        return const_cast<entry*>(std::as_const(*this).entry_of(n));
    }

    bool try_add_segment(std::uint32_t s, std::pmr::memory_resource& upstream) noexcept {
        const std::size_t size = place::size_of(s);
        void* const memory = try_upstream(upstream, size * sizeof(entry), alignof(entry));
        if (memory == nullptr) return false;
        entry* expected = nullptr;
        if (!segments_[s].compare_exchange_strong(expected, ::new (memory) entry[size]{},
                                                  std::memory_order_release,
                                                  std::memory_order_relaxed)) {
            upstream.deallocate(memory, size * sizeof(entry), alignof(entry));
        }
        return true;
    }

    std::array<entry, place::size_of(0)> first_{};               // found by one load
    std::array<std::atomic<entry*>, segment_count> segments_{};  // of the others, from 1 on
};

}  // namespace fastalloc::detail
