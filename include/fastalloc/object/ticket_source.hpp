// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/collector.hpp>
#include <fastalloc/detail/build.hpp>
#include <fastalloc/detail/export.hpp>
#include <fastalloc/detail/invariants.hpp>
#include <fastalloc/object/ticket.hpp>
#include <fastalloc/resource/lock_free_pool_resource.hpp>
#include <fastalloc/resource/pool_resource_interface.hpp>
#include <fastalloc/resource/slot_watch.hpp>

#include <array>
#include <atomic>
#include <bit>
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
/// Thread safety: that of the pool, if upstream has it, too.
class ticket_source {
public:
    /// Returns: a source in a block of upstream, for the pool's threads. Throws: what upstream throws.
    FASTALLOC_EXPORT static ticket_source* make(object_home* home,
                                                std::pmr::memory_resource* upstream,
                                                threads used_by);

    /// Effects: gives everything back.
    FASTALLOC_EXPORT static void drop(ticket_source* source) noexcept;

    ticket_source(const ticket_source&) = delete;
    ticket_source& operator=(const ticket_source&) = delete;

    /// The pool whose objects have these tickets.
    object_home& home() const noexcept { return *home_; }

    /// Returns: a ticket for `object`, which has one owner. Throws: what upstream throws.
    ticket* take(void* object) {
        ticket* t = free_;
        if (t != nullptr) {
            free_ = static_cast<ticket*>(t->object.load(std::memory_order_relaxed));
        } else {
            t = take_slot();
        }
        // Release: see object_pool::find.
        t->object.store(object, std::memory_order_release);
        t->state.begin();
        return t;
    }

    /// Effects: the ticket may serve another object, unless it is worn out. Preconditions: the last
    /// owner is gone.
    void put(ticket* t) noexcept {
        if (t->state.is_worn_out()) return;
        if (used_by_ != threads::one) {
            return slots_.deallocate_to<false>(t, sizeof(ticket), alignof(ticket));
        }
        t->object.store(free_, std::memory_order_relaxed);
        free_ = t;
    }

    /// Returns: the ticket's number, by which `find` finds it; it is not 0. Throws: what upstream
    /// throws; `std::bad_alloc` if there is no number left. Complexity: constant.
    std::uint32_t number_of(ticket* t) {
        const std::uint32_t known = t->number.load(std::memory_order_acquire);
        return known != 0 ? known : give_number(t);
    }

    /// Returns: the ticket with that number; null if there is none. Complexity: constant.
    ticket* find(std::uint32_t number) const noexcept {
        const place at(number);
        const entry* const table = tables_[at.table].load(std::memory_order_acquire);
        return table == nullptr ? nullptr : table[at.offset].load(std::memory_order_acquire);
    }

    /// Returns: the ticket of `object`, if that is alive and has a number; else null.
    /// Complexity: linear in the number of tickets that have one.
    FASTALLOC_EXPORT ticket* search(const void* object) const noexcept;

    /// Whether each number leads to a ticket of this source, and each ticket with a number is found by
    /// it; the list of free tickets is one; and the tickets' resource is in order. For tests, and
    /// builds that check everything. Preconditions: no other thread is inside. Complexity: linear in the
    /// number of tickets.
    FASTALLOC_EXPORT bool invariants_hold() const noexcept;

private:
    friend struct invariants_test_access;

    using slot_resource = basic_lock_free_pool_resource<
        std::atomic,
        std::conditional_t<build::watches_slots, statistics_of_tickets, no_statistics>>;
    using entry = std::atomic<ticket*>;

    // The highest bit of a number is that of its table, each twice as large as the one before it.
    struct place {
        explicit place(std::uint32_t number) noexcept
            : table(31 ^ static_cast<std::uint32_t>(std::countl_zero(number | 1))),
              offset(number & ~(std::uint32_t{1} << table)) {}

        std::uint32_t table;
        std::uint32_t offset;
    };

    static constexpr std::uint32_t first_number = 16;  // so the first table has 16
    static constexpr std::uint32_t table_count = 32;

    static constexpr std::size_t entries_of(std::uint32_t table) noexcept {
        return std::size_t{1} << table;
    }

    ticket_source(object_home* home, std::pmr::memory_resource* upstream, threads used_by);
    ~ticket_source();

    // Returns: a ticket that is on no list.
    ticket* take_slot() {
        void* const slot = slots_.allocate_from<false>(sizeof(ticket), alignof(ticket));
        // A ticket has a source; a slot that is used for the first time has zeros there.
        ticket_source* source = nullptr;
        constexpr std::size_t source_at = offsetof(ticket, source);
        std::memcpy(&source, static_cast<const std::byte*>(slot) + source_at, sizeof source);
        if (source != nullptr) return std::launder(static_cast<ticket*>(slot));
        return ::new (slot) ticket(this, used_by_ == threads::all);
    }

    FASTALLOC_EXPORT std::uint32_t give_number(ticket* t);
    entry* table_at(std::uint32_t table);

    object_home* const home_;
    std::pmr::memory_resource* const upstream_;
    const threads used_by_;
    // Where one thread uses the pool at a time, the free ticket that had an owner last. Each has the next
    // one instead of an object.
    ticket* free_ = nullptr;
    zeroed_upstream zeros_;
    slot_resource slots_;  // never trimmed
    std::atomic<std::uint32_t> next_number_{first_number};
    std::array<std::atomic<entry*>, table_count> tables_{};
};

}  // namespace fastalloc::detail
