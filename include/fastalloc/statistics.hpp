// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace fastalloc {

/// Why a request was not served.
enum class allocation_failure : unsigned char {
    exhausted,  ///< no slot was left, and the class does not grow
    at_cap,     ///< no slot was left, and the class had grown to its `max_capacity`
    upstream,   ///< upstream threw, or a custom growth function; or there are too many threads
    no_class,   ///< it fits no class, and such requests are refused
};

/// Requests that were not served, by reason.
struct failure_counts {
    std::uint64_t exhausted = 0;
    std::uint64_t at_cap = 0;
    std::uint64_t upstream = 0;
    std::uint64_t no_class = 0;

    std::uint64_t total() const noexcept { return exhausted + at_cap + upstream + no_class; }

    failure_counts& operator+=(const failure_counts& other) noexcept {
        exhausted += other.exhausted;
        at_cap += other.at_cap;
        upstream += other.upstream;
        no_class += other.no_class;
        return *this;
    }

    bool operator==(const failure_counts&) const = default;
};

/// What happened to slots since the resource was made, released, or its statistics reset.
struct slot_statistics {
    std::uint64_t allocations = 0;
    std::uint64_t deallocations = 0;
    std::uint64_t misses = 0;        ///< allocations that left the hot path
    std::uint64_t growth_count = 0;  ///< growth steps that followed the first slots
    failure_counts failures;
    std::size_t current = 0;  ///< slots that are with users now, whenever they were allocated
    /// The most that were: exact for a class that one thread uses. Where threads share a class, and
    /// in a sum of several classes or threads, never less than that.
    std::size_t peak = 0;
    std::size_t capacity = 0;  ///< slots that there are now

    /// The share of slots that are with users, from 0 to 1; 0 if there are none.
    double utilization() const noexcept {
        return capacity == 0 ? 0 : static_cast<double>(current) / static_cast<double>(capacity);
    }

    /// The share of allocations that did not leave the hot path, from 0 to 1; 1 if there was none.
    double hit_rate() const noexcept {
        return allocations == 0
                   ? 1
                   : 1 - static_cast<double>(misses) / static_cast<double>(allocations);
    }

    bool operator==(const slot_statistics&) const = default;
};

/// One size class of a resource.
struct class_statistics : slot_statistics {
    std::size_t slot_size = 0;  ///< bytes
    std::size_t alignment = 0;

    bool operator==(const class_statistics&) const = default;
};

/// A resource: the sum over its classes, and requests that fit none. Upstream may also fail before
/// anything of a class is there, so its failures here are no fewer than theirs.
struct pool_statistics : slot_statistics {
    std::size_t current_bytes = 0;   ///< of the slots that are with users
    std::size_t capacity_bytes = 0;  ///< of all slots
    std::uint64_t larger_allocations = 0;
    std::uint64_t larger_deallocations = 0;
    std::size_t larger_current = 0;  ///< blocks of no class that are with users now

    /// Effects: adds what happened in a class.
    pool_statistics& operator+=(const class_statistics& c) noexcept {
        allocations += c.allocations;
        deallocations += c.deallocations;
        misses += c.misses;
        growth_count += c.growth_count;
        failures += c.failures;
        current += c.current;
        peak += c.peak;
        capacity += c.capacity;
        current_bytes += c.current * c.slot_size;
        capacity_bytes += c.capacity * c.slot_size;
        return *this;
    }

    bool operator==(const pool_statistics&) const = default;
};

/// A typed pool, whose objects need not come and go with their slots.
struct object_statistics {
    std::uint64_t made = 0;     ///< objects handed out
    std::uint64_t dropped = 0;  ///< objects that came back
    std::size_t alive = 0;      ///< objects that are with users now
    std::size_t peak = 0;       ///< the most that were; where threads share the pool, never less
    std::size_t kept = 0;       ///< objects that are constructed, and wait for the next user

    bool operator==(const object_statistics&) const = default;
};

/// Requests to any memory resource.
struct request_statistics {
    std::uint64_t allocations = 0;
    std::uint64_t deallocations = 0;
    std::uint64_t failures = 0;     ///< allocations that threw
    std::size_t current = 0;        ///< blocks that are with users now
    std::size_t peak = 0;           ///< the most that were
    std::size_t current_bytes = 0;  ///< as requested, without what the resource adds
    std::size_t peak_bytes = 0;     ///< the most that were
    std::size_t largest_bytes = 0;  ///< the largest block
    std::uint64_t total_bytes = 0;  ///< of all allocations

    bool operator==(const request_statistics&) const = default;
};

/// Memory that a resource has of the system.
struct page_statistics {
    std::size_t current_bytes = 0;     ///< that are with users now, as requested
    std::size_t mapped_bytes = 0;      ///< addresses with or without memory
    std::size_t resident_bytes = 0;    ///< of them in memory now
    std::size_t huge_bytes = 0;        ///< of them in huge pages now
    std::size_t locked_bytes = 0;      ///< of them locked into memory
    std::size_t mappings = 0;          ///< that there are now
    std::uint64_t huge_fallbacks = 0;  ///< mappings without huge pages of the kind asked for first
    std::optional<int> numa_node;      ///< that memory comes from, where one was asked for

    bool operator==(const page_statistics&) const = default;
};

enum class slot_state : unsigned char {
    free,    ///< in the slab
    cached,  ///< free, in a magazine
    live,    ///< with a user
};

/// What `visit_slots` says of one slot.
struct visited_slot {
    const void* address;
    slot_state state;
    const void* slab;  ///< the first slot of the slab that it is in
    std::size_t slab_slots;
    std::size_t slot_size;  ///< bytes
};

}  // namespace fastalloc
