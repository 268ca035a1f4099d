// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/detail/machine.hpp>
#include <fastalloc/detail/relaxed.hpp>
#include <fastalloc/error.hpp>
#include <fastalloc/storage/pool.hpp>

#include <algorithm>
#include <cstddef>
#include <memory_resource>
#include <new>
#include <utility>

namespace fastalloc::detail {

/// How many slots a thread may keep of one class.
struct magazine_limits {
    std::size_t first;    // slots; 0: no magazine at all
    std::size_t largest;  // slots

    /// A magazine begins with 16 KiB of slots and never holds more than 1 MiB, nor more than a 64th
    /// of `cap` slots.
    static constexpr magazine_limits of(std::size_t slot_size, std::size_t cap) noexcept {
        const auto slots = [=](std::size_t bytes, std::size_t most) {
            return std::min(std::clamp<std::size_t>(bytes / slot_size, 4, most), cap / 64);
        };
        return {slots(16 << 10, 64), slots(1 << 20, 2 * largest_exchange)};
    }
};

/// The reserve of one thread's pool: a depot that the threads share. The first magazine lies behind
/// this record, both in cache lines that nobody else writes to.
template <class Depot, class Counts>
class depot_reserve {
public:
    using counts = Counts;
    // Observers read how full other threads' magazines are.
    using place = relaxed<void**>;

    /// Returns: a reserve for a thread's pool in front of `depot`, made in memory of upstream; null if
    /// there is none. Preconditions: `limits.first` is not 0.
    static depot_reserve* try_make(Depot& depot, const magazine_limits& limits,
                                   std::pmr::memory_resource* upstream) noexcept {
        void* const memory = try_upstream(*upstream, bytes(limits), cache_line);
        if (memory == nullptr) return nullptr;
        return ::new (memory) depot_reserve(depot, limits, upstream);
    }

    /// Effects: gives the memory of `r` back.
    static void drop(depot_reserve* r) noexcept {
        r->upstream_->deallocate(r, bytes(r->limits_), cache_line);
    }

    std::size_t take_some(void** out, std::size_t most) noexcept {
        return depot_->take_some(out, most);
    }

    bad_free put_some(void* const* in, std::size_t count) noexcept {
        return depot_->put_some(in, count);
    }

    void spilled() noexcept { spilled_since_refill_ = true; }

    // A refill that follows a spill says that requests come in runs longer than the magazine.
    bool is_short(std::size_t) noexcept { return std::exchange(spilled_since_refill_, false); }

    void** first_magazine() noexcept { return reinterpret_cast<void**>(this + 1); }

    std::size_t first_magazine_slots() const noexcept { return limits_.first; }

    std::size_t largest_magazine_slots() const noexcept { return limits_.largest; }

    void** try_magazine(std::size_t slots) noexcept {
        return static_cast<void**>(try_upstream(*upstream_, magazine_bytes(slots), cache_line));
    }

    void free_magazine(void** memory, std::size_t slots) noexcept {
        upstream_->deallocate(memory, magazine_bytes(slots), cache_line);
    }

private:
    depot_reserve(Depot& depot, const magazine_limits& limits,
                  std::pmr::memory_resource* upstream) noexcept
        : depot_(&depot), upstream_(upstream), limits_(limits) {}

    static std::size_t bytes(const magazine_limits& limits) noexcept {
        return round_up(sizeof(depot_reserve) + limits.first * sizeof(void*), cache_line);
    }

    static std::size_t magazine_bytes(std::size_t slots) noexcept {
        return round_up(slots * sizeof(void*), cache_line);
    }

    bool spilled_since_refill_ = false;
    Depot* depot_;
    std::pmr::memory_resource* upstream_;
    magazine_limits limits_;
};

}  // namespace fastalloc::detail
