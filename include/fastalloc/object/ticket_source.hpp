// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/collector.hpp>
#include <fastalloc/detail/build.hpp>
#include <fastalloc/detail/doubling_place.hpp>
#include <fastalloc/detail/export.hpp>
#include <fastalloc/detail/invariants.hpp>
#include <fastalloc/object/ticket.hpp>
#include <fastalloc/resource/lock_free_pool_resource.hpp>
#include <fastalloc/resource/slot_watch.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory_resource>
#include <new>
#include <type_traits>

namespace fastalloc::detail {

class object_home;

/// Hands on what upstream has, filled with zeros.
class zeroed_upstream final : public std::pmr::memory_resource {
public:
    explicit zeroed_upstream(std::pmr::memory_resource* upstream) noexcept : upstream_(upstream) {}

private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        return std::memset(upstream_->allocate(bytes, alignment), 0, bytes);
    }

    void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) override {
        upstream_->deallocate(p, bytes, alignment);
    }

    bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
        return this == &other;
    }

    std::pmr::memory_resource* upstream_;
};

/// The collector of a resource whose free slots may be looked at.
struct statistics_of_tickets : no_statistics {};

template <>
struct watch_for<statistics_of_tickets> {
    using type = showing_watch;
};

/// The tickets of one pool, and the way from a key to its ticket. They are slots of a pool
/// resource, which never writes to a free slot: so a ticket that comes back keeps its generation,
/// and can be looked at by whoever had it before.
///
/// Thread safety: full, if upstream is made for the threads that use it.
class ticket_source {
public:
    /// Returns: a source in a block of upstream. `for_threads` says whether several threads may own
    /// the same object. Throws: what upstream throws.
    FASTALLOC_EXPORT static ticket_source* make(object_home* home,
                                                std::pmr::memory_resource* upstream,
                                                bool for_threads);

    /// Effects: gives everything back.
    FASTALLOC_EXPORT static void drop(ticket_source* source) noexcept;

    ticket_source(const ticket_source&) = delete;
    ticket_source& operator=(const ticket_source&) = delete;

    /// The pool whose objects have these tickets.
    object_home& home() const noexcept { return *home_; }

    /// Returns: a ticket for `object`, which has one owner. Throws: what upstream throws.
    ticket* take(void* object) {
        void* const slot = slots_.allocate(sizeof(ticket), alignof(ticket));
        auto* t = std::launder(static_cast<ticket*>(slot));
        // A ticket has a source; a slot that is used for the first time has zeros there.
        ticket_source* source = nullptr;
        constexpr std::size_t source_at = offsetof(ticket, source);
        std::memcpy(&source, static_cast<const std::byte*>(slot) + source_at, sizeof source);
        if (source == nullptr) t = ::new (slot) ticket(this, for_threads_);
        // Release: see object_pool::find.
        t->object.store(object, std::memory_order_release);
        t->state.begin();
        return t;
    }

    /// Effects: the ticket may serve another object, unless it is worn out. Preconditions: the last
    /// owner is gone.
    void put(ticket* t) noexcept {
        if (!t->state.is_worn_out()) slots_.deallocate(t, sizeof(ticket), alignof(ticket));
    }

    /// Returns: the ticket's number, from 1 on, by which `find` finds it. Throws: what upstream
    /// throws; `std::bad_alloc` if there is no number left. Complexity: constant.
    FASTALLOC_EXPORT std::uint32_t number_of(ticket* t);

    /// Returns: the ticket with that number; null if there is none. Complexity: constant.
    ticket* find(std::uint32_t number) const noexcept {
        // 0 becomes the largest of those that are no number.
        if (number - 1 >= most_numbers) return nullptr;
        const place at(number - 1);
        const entry* const segment = segments_[at.segment].load(std::memory_order_acquire);
        return segment == nullptr ? nullptr : segment[at.offset].load(std::memory_order_acquire);
    }

    /// Returns: the ticket of `object`, if that is alive and has a number; else null.
    /// Complexity: linear in the number of tickets that have one.
    FASTALLOC_EXPORT ticket* search(const void* object) const noexcept;

    /// Whether each number leads to a ticket of this source, and each ticket with a number is found by
    /// it; and the tickets' resource is in order. For tests, and builds that check everything.
    /// Preconditions: no other thread is inside. Complexity: linear in the number of tickets.
    FASTALLOC_EXPORT bool invariants_hold() const noexcept;

private:
    friend struct invariants_test_access;

    using slot_resource = basic_lock_free_pool_resource<
        std::atomic,
        std::conditional_t<build::watches_slots, statistics_of_tickets, no_statistics>>;
    using entry = std::atomic<ticket*>;
    using place = doubling_place<16>;
    static constexpr std::uint32_t most_numbers = std::uint32_t{1} << 31;
    static constexpr std::uint32_t segment_count = place(most_numbers - 1).segment + 1;

    ticket_source(object_home* home, std::pmr::memory_resource* upstream, bool for_threads);
    ~ticket_source();

    entry* segment_at(std::uint32_t segment);

    object_home* const home_;
    std::pmr::memory_resource* const upstream_;
    const bool for_threads_;
    zeroed_upstream zeros_;
    slot_resource slots_;                    // never trimmed
    std::atomic<std::uint32_t> numbers_{0};  // given so far
    std::array<std::atomic<entry*>, segment_count> segments_{};
};

}  // namespace fastalloc::detail
