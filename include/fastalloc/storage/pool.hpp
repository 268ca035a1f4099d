// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/detail/build.hpp>
#include <fastalloc/error.hpp>
#include <fastalloc/storage/magazine.hpp>
#include <fastalloc/storage/slab_set.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <memory_resource>
#include <utility>

namespace fastalloc::detail {

/// What a pool fills its magazine from and empties it into. `place` is the magazine's, `counts`
/// what the pool counts with.
template <class R>
concept magazine_reserve = requires(R& r, void** out, void* const* in, void** memory,
                                    std::size_t n) {
    typename R::place;
    typename R::counts;
    { r.take_some(out, n) }
    noexcept->std::same_as<std::size_t>;  // up to n, the one to be used first last
    { r.put_some(in, n) }
    noexcept->std::same_as<bad_free>;
    { r.first_magazine() }
    noexcept->std::same_as<void**>;
    { r.first_magazine_slots() }
    noexcept->std::same_as<std::size_t>;
    { r.largest_magazine_slots() }
    noexcept->std::same_as<std::size_t>;
    { r.try_magazine(n) }
    noexcept->std::same_as<void**>;  // null if there is no memory
    { r.free_magazine(memory, n) }
    noexcept->std::same_as<void>;
    { r.spilled() }
    noexcept->std::same_as<void>;
    { r.is_short(n) }
    noexcept->std::same_as<bool>;  // at a refill, of a magazine of n slots
};

/// No magazine has more slots.
inline constexpr std::size_t largest_magazine = 8192;

/// So many slots are exchanged with a reserve at a time, at most.
inline constexpr std::size_t largest_exchange = 1024;

/// Slots of one size: a magazine in front of a reserve. Slots travel between the two in halves of a
/// magazine, or less; both ways cost a few nanoseconds a slot and are independent of each other's order.
///
/// A closed pool (no reserve yet) is empty and full at once, so every request leaves the hot path.
template <class Reserve>
class alignas(32) pool {  // within one cache line
public:
    using reserve_type = Reserve;

    constexpr pool() = default;

    bool is_open() const noexcept { return reserve_ != nullptr; }

    bool empty() const noexcept { return magazine_.empty(); }

    bool full() const noexcept { return magazine_.full(); }

    /// Whether there is room for `slot`; in a build with checks, and it was not the last one put.
    bool may_put(const void* slot) const noexcept { return magazine_.may_put(slot); }

    /// What users took and put.
    auto& counts() noexcept { return counts_; }

    const auto& counts() const noexcept { return counts_; }

    /// What `take` and `put` work on, for who keeps it at hand, and does not count.
    auto& ready_slots() noexcept { return magazine_; }

    /// Preconditions: not empty.
    void* take() noexcept {
        counts_.allocated();
        return magazine_.take();
    }

    /// Preconditions: not full; `slot` came from this pool.
    void put(void* slot) noexcept {
        counts_.deallocated();
        magazine_.put(slot);
    }

    /// Takes a slot, where that can be done at once.
    class take_at_once {
    public:
        [[gnu::always_inline]] bool can(const pool& p) noexcept {
            top_ = p.magazine_.top;
            return top_ != p.magazine_.low;
        }

        /// Preconditions: `can(p)` has just said so.
        [[gnu::always_inline]] void* operator()(pool& p) const noexcept {
            p.counts_.allocated();
            return p.magazine_.take_below(top_);
        }

    private:
        void** top_ = nullptr;
    };

    /// Puts a slot, where that can be done at once.
    class put_at_once {
    public:
        explicit put_at_once(void* slot) noexcept : slot_(slot) {}

        [[gnu::always_inline]] bool can(const pool& p) noexcept {
            top_ = p.magazine_.top;
            return p.magazine_.may_put_at(top_, slot_);
        }

        /// Preconditions: `can(p)` has just said so.
        [[gnu::always_inline]] void operator()(pool& p) const noexcept {
            p.counts_.deallocated();
            p.magazine_.put_at(top_, slot_);
        }

    private:
        void* slot_;
        void** top_ = nullptr;
    };

    /// Effects: fills half of the magazine, or as much as is exchanged at a time, if the reserve has so many
    /// free slots.
    /// Preconditions: open and empty.
    void refill_slow() noexcept {
        if (reserve_->is_short(magazine_.capacity())) enlarge_magazine();
        magazine_.top = magazine_.low + reserve_->take_some(magazine_.low, exchange());
    }

    /// Effects: gives as many slots back to the reserve, not those put last. Returns: what is wrong with the
    /// first that may not go there; it is in the magazine no more. Preconditions: open, full.
    bad_free spill_slow() noexcept {
        const bad_free bad = spill(exchange());
        reserve_->spilled();
        return bad;
    }

    /// Puts a slot, for which there is no room, or in a build with checks, which was put before. Bad frees
    /// are reported, that one as one of `resource`. Preconditions: open; no lock is held.
    void put_slow(void* slot, [[maybe_unused]] const void* resource) noexcept {
        if constexpr (build::has_checks) {
            if (magazine_.repeats(magazine_.top, slot)) {
                report_bad_free(misuse::double_free, resource, slot);
            }
        }
        bad_free bad;
        if (full()) bad = spill_slow();
        put(slot);
        bad.report();
    }

    /// Effects: gives the whole magazine back to the reserve. Returns: as `spill_slow`. Preconditions:
    /// open.
    bad_free flush() noexcept { return empty() ? bad_free() : spill(magazine_.size()); }

    /// Preconditions: open.
    Reserve& reserve() const noexcept { return *reserve_; }

    /// Free slots in the magazine. Where others may use the pool meanwhile, a number that was true
    /// a moment ago, or at least is not above `largest_magazine`.
    std::size_t cached() const noexcept {
        const std::size_t size = magazine_.size();
        return size <= largest_magazine ? size : 0;
    }

    /// Preconditions: nobody else uses the pool. Throws: `std::bad_alloc`.
    void add_cached_to(cached_slots& all) const { all.add(magazine_.low, magazine_.size()); }

    /// Effects: calls `f(slot)` for each slot in the magazine. Preconditions: nobody else uses the
    /// pool.
    template <class F>
    void for_each_cached(F f) const noexcept {
        void** const top = magazine_.top;
        for (void** slot = magazine_.low; slot != top; ++slot) f(*slot);
    }

    /// Whether the magazine is as its invariants say, and as large as the reserve allows. What is in
    /// it is for those to check who know all of the reserve. For tests, and builds that check
    /// everything. Preconditions: nobody else uses the pool.
    bool invariants_hold() const noexcept {
        if (!is_open()) return magazine_.low == nullptr && empty() && full();
        return magazine_.invariants_hold() &&
               magazine_.capacity() >= reserve_->first_magazine_slots() &&
               magazine_.capacity() <= reserve_->largest_magazine_slots();
    }

    /// Effects: the pool works on `reserve` and its first magazine. Preconditions: closed.
    void open(Reserve* reserve) noexcept {
        reserve_ = reserve;
        magazine_.use(reserve->first_magazine(), reserve->first_magazine_slots());
    }

    /// Effects: forgets the slots in the magazine, and what was counted. Preconditions: the reserve
    /// is about to as well.
    void clear() noexcept {
        magazine_.top = magazine_.low;
        counts_ = {};
    }

    /// Effects: goes back to the first magazine. Preconditions: open and empty.
    void shrink() noexcept {
        free_magazine();
        magazine_.use(reserve_->first_magazine(), reserve_->first_magazine_slots());
    }

    /// Effects: forgets the slots in the magazine, and what was counted, and gives the memory of an
    /// enlarged one back; the pool is closed. Returns: the reserve.
    Reserve* close() noexcept {
        Reserve* const reserve = reserve_;
        if (is_open()) free_magazine();
        magazine_ = {};
        reserve_ = nullptr;
        counts_ = {};
        return reserve;
    }

private:
    friend struct invariants_test_access;

    static_assert(magazine_reserve<Reserve>);

    std::size_t exchange() const noexcept {
        return std::min((magazine_.capacity() + 1) / 2, largest_exchange);
    }

    // Slots put lately stay, for they may be in the cache. Of a large magazine so do the oldest: to move
    // all that is above them would cost more than to put them.
    bad_free spill(std::size_t count) noexcept {
        const std::size_t lately = std::min(magazine_.size() - count, largest_exchange);
        const auto end = magazine_.top - lately;
        const auto begin = end - count;
        const bad_free bad = reserve_->put_some(begin, count);
        std::memmove(begin, end, lately * sizeof(void*));
        magazine_.top = begin + lately;
        return bad;
    }

    void free_magazine() noexcept {
        if (magazine_.low == reserve_->first_magazine()) return;
        reserve_->free_magazine(magazine_.low, magazine_.capacity());
    }

    // Upstream may refuse: the smaller magazine still works.
    void enlarge_magazine() noexcept {
        const std::size_t count = magazine_.capacity() * 2;
        if (count > reserve_->largest_magazine_slots()) return;
        void** const memory = reserve_->try_magazine(count);
        if (memory == nullptr) return;
        free_magazine();
        magazine_.use(memory, count);
    }

    magazine<typename Reserve::place> magazine_;
    Reserve* reserve_ = nullptr;
    [[no_unique_address]] typename Reserve::counts counts_;
};

/// The reserve of a pool that no other thread uses: the slabs themselves.
template <index_strategy Index, class Counts>
struct slab_reserve {
    using place = void**;
    using counts = Counts;

    slab_set<Index> slabs;

    slab_reserve(const slot_geometry& geometry, std::pmr::memory_resource* upstream,
                 const void* resource, bool pre_initialize, other_owners* others) noexcept
        : slabs(geometry, upstream, resource, pre_initialize, others) {}

    /// Effects: as above; the magazine is this one, and never enlarged.
    slab_reserve(const slot_geometry& geometry, std::pmr::memory_resource* upstream,
                 const void* resource, void** magazine, std::size_t slots) noexcept
        : slabs(geometry, upstream, resource, false),
          given_magazine_(magazine),
          given_slots_(slots) {}

    std::size_t take_some(void** out, std::size_t most) noexcept {
        return slabs.take_some(out, most);
    }

    bad_free put_some(void* const* in, std::size_t count) noexcept {
        return slabs.put_some(in, count);
    }

    void spilled() noexcept { spilled_since_refill_ = true; }

    // A refill that follows a spill says that requests come in runs longer than the magazine. Where many
    // slots are in use, more of them may be kept ready before anybody has asked for it. What is more than
    // two exchanges takes an eighth of the slots' bytes at most.
    bool is_short(std::size_t magazine) noexcept {
        constexpr std::size_t most_kept = 16;  // of so many slots one
        const bool has_spilled = std::exchange(spilled_since_refill_, false);
        const bool may_be_large =
            magazine < 2 * largest_exchange ||
            magazine * 2 * sizeof(void*) <= slabs.capacity() * slabs.geometry().slot_size() / 8;
        return may_be_large && (has_spilled || slabs.capacity() / most_kept > magazine);
    }

    void** first_magazine() noexcept {
        return given_magazine_ != nullptr ? given_magazine_ : first_magazine_.data();
    }

    std::size_t first_magazine_slots() const noexcept {
        return given_magazine_ != nullptr ? given_slots_ : first_magazine_.size();
    }

    std::size_t largest_magazine_slots() const noexcept {
        return given_magazine_ != nullptr ? given_slots_ : largest_magazine;
    }

    void** try_magazine(std::size_t slots) noexcept {
        return static_cast<void**>(
            try_upstream(*slabs.upstream(), slots * sizeof(void*), alignof(void*)));
    }

    void free_magazine(void** memory, std::size_t slots) noexcept {
        slabs.upstream()->deallocate(memory, slots * sizeof(void*), alignof(void*));
    }

private:
    bool spilled_since_refill_ = false;
    void** given_magazine_ = nullptr;
    std::size_t given_slots_ = 0;
    std::array<void*, 16> first_magazine_;  // not initialized: a magazine says what is valid
};

}  // namespace fastalloc::detail
