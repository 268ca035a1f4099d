// SPDX-License-Identifier: MIT
#pragma once

// What every pool resource has to do, written once. A fixture is made from an upstream and has
//   resource                    the resource under test
//   fits(bytes, alignment)      static: whether some class holds such a request
//   serves_larger               static: whether upstream gets the others, or nobody does
//   can_grow                    static: whether it asks upstream for slots when it has none left
//   first_slots_kept            if it can grow, static: slots of 56 bytes that trim() does not give back
// and gives at least 2,000 slots of each of its classes.

#include "support/blocks.hpp"
#include "support/catch.hpp"
#include "support/checking_resource.hpp"

#include <fastalloc/fastalloc.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory_resource>
#include <random>
#include <set>
#include <span>
#include <utility>
#include <vector>

namespace fastalloc::testing {

inline constexpr std::size_t some_slots = 2'000;

/// The largest request that a class of the fixture holds at alignment 1.
template <class Fixture>
std::size_t largest_fitting() {
    static const std::size_t largest = [] {
        std::size_t n = std::size_t{1} << 20;
        while (!Fixture::fits(n, 1)) --n;
        return n;
    }();
    return largest;
}

template <class Fixture>
void equality_is_identity() {
    checking_resource upstream;
    Fixture a(&upstream);
    Fixture b(&upstream);
    CHECK(a.resource == a.resource);
    CHECK(a.resource.is_equal(a.resource));
    CHECK_FALSE(a.resource == b.resource);
    CHECK_FALSE(a.resource.is_equal(upstream));
}

template <class Fixture>
void every_size_with_every_alignment() {
    checking_resource upstream;
    Fixture fixture(&upstream);
    std::pmr::memory_resource& resource = fixture.resource;
    std::size_t misplaced = 0;
    std::size_t damaged = 0;
    std::size_t wrongly_served = 0;
    std::size_t wrongly_said = 0;
    for (std::size_t bytes = 0; bytes <= 8192; ++bytes) {
        live_blocks live(resource);
        for (std::size_t alignment = 1; alignment <= 65536; alignment *= 2) {
            const bool fits = Fixture::fits(bytes, alignment);
            wrongly_said += fixture.resource.has_class_for(bytes, alignment) != fits;
            if (fits || Fixture::serves_larger) {
                misplaced += !live.allocate(bytes, alignment);
            } else {
                wrongly_served += fixture.resource.try_allocate(bytes, alignment) != nullptr;
            }
        }
        damaged += !live.clear();
    }
    CHECK(misplaced == 0);
    CHECK(damaged == 0);
    CHECK(wrongly_served == 0);
    CHECK(wrongly_said == 0);
    CHECK(fixture.resource.in_use() == 0);
}

// Sizes that nobody has: none may come back as a small block, and none may reach upstream wrapped.
template <class Fixture>
void absurd_sizes_are_refused() {
    checking_resource upstream;
    Fixture fixture(&upstream);
    auto& resource = fixture.resource;
    resource.deallocate(resource.allocate(1, 1), 1, 1);  // whatever it needs to begin with
    std::size_t served = 0;
    std::size_t wrapped = 0;
    const auto check_last_request = [&](std::size_t calls_before, std::size_t bytes) {
        if (upstream.calls() != calls_before) wrapped += upstream.last_request().bytes < bytes;
    };
    for (unsigned i = 31; i != 65; ++i) {
        for (std::size_t b = 0; b != 19; ++b) {
            const std::size_t bytes = (i == 64 ? 0 : std::size_t{1} << i) + b - 9;
            if (bytes < checking_resource::machine_size) continue;
            for (unsigned a = 0; a != 64; ++a) {
                const std::size_t alignment = std::size_t{1} << a;
                const std::size_t calls = upstream.calls();
                served += resource.try_allocate(bytes, alignment) != nullptr;
                check_last_request(calls, bytes);
                std::pmr::memory_resource& base = resource;
                try {
                    (void)base.allocate(bytes, alignment);
                    ++served;
                } catch (const std::bad_alloc&) {
                }
                check_last_request(calls, bytes);
                std::array<void*, 2> batch{};
                try {
                    resource.allocate_batch(batch, bytes, alignment);
                    ++served;
                } catch (const std::bad_alloc&) {
                }
            }
        }
    }
    CHECK(served == 0);
    CHECK(wrapped == 0);
    CHECK(resource.in_use() == 0);
}

// Alignments that no slot has, with small sizes.
template <class Fixture>
void absurd_alignments_are_refused() {
    checking_resource upstream;
    Fixture fixture(&upstream);
    for (unsigned a = 31; a != 64; ++a) {
        for (const std::size_t bytes : {0u, 1u, 8u, 64u, 4096u}) {
            REQUIRE(fixture.resource.try_allocate(bytes, std::size_t{1} << a) == nullptr);
        }
    }
}

template <class Fixture>
void a_size_that_cannot_be_represented_is_refused_whatever_upstream_says() {
    // An upstream that returns something for SIZE_MAX, as some operator new do.
    struct boastful final : std::pmr::memory_resource {
        int out = 0;
        // Aligned as asked for, and never looked into.
        static void* nowhere(std::size_t alignment) { return reinterpret_cast<void*>(alignment); }
        void* do_allocate(std::size_t bytes, std::size_t alignment) override {
            if (bytes < std::numeric_limits<std::size_t>::max()) {
                return std::pmr::new_delete_resource()->allocate(bytes, alignment);
            }
            ++out;
            return nowhere(alignment);
        }
        void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) override {
            if (p != nowhere(alignment)) {
                return std::pmr::new_delete_resource()->deallocate(p, bytes, alignment);
            }
            --out;
        }
        bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
            return this == &other;
        }
    } upstream;
    Fixture fixture(&upstream);
    for (std::size_t below = 0; below != 40; ++below) {
        const std::size_t bytes = std::numeric_limits<std::size_t>::max() - below;
        CHECK_THROWS_AS(fixture.resource.allocate(bytes, 8), std::bad_alloc);
        CHECK(fixture.resource.try_allocate(bytes, 8) == nullptr);
    }
    CHECK(upstream.out == 0);
}

template <class Fixture>
void zero_bytes_take_a_slot() {
    checking_resource upstream;
    Fixture fixture(&upstream);
    auto& resource = fixture.resource;
    void* const a = resource.allocate(0, 1);
    void* const b = resource.allocate(0, 8);
    CHECK(a != nullptr);
    CHECK(a != b);
    CHECK(resource.in_use() == 2);
    CHECK(resource.owns(a));
    resource.deallocate(a, 0, 1);
    resource.deallocate(b, 0, 8);
    CHECK(resource.in_use() == 0);
    void* const c = resource.try_allocate(0, 1);
    CHECK(resource.in_use() == 1);
    resource.deallocate(c, 0, 1);
}

template <class Fixture>
void the_next_allocation_reuses_the_slot() {
    checking_resource upstream;
    Fixture fixture(&upstream);
    auto& resource = fixture.resource;
    void* const first = resource.allocate(48, 8);
    resource.deallocate(first, 48, 8);
    const std::size_t calls = upstream.calls();
    CHECK(resource.allocate(48, 8) == first);
    resource.deallocate(first, 48, 8);
    CHECK(upstream.calls() == calls);
}

template <class Fixture>
void no_deallocation_touches_upstream() {
    checking_resource upstream;
    Fixture fixture(&upstream);
    live_blocks live(fixture.resource);
    for (std::size_t i = 0; i != some_slots; ++i) REQUIRE(live.allocate(40, 8));
    const std::size_t calls = upstream.calls();
    std::mt19937 random(7);
    while (live.size() != 0) REQUIRE(live.deallocate_any(random));
    CHECK(upstream.calls() == calls);
}

template <class Fixture>
void observers_add_up() {
    checking_resource upstream;
    Fixture fixture(&upstream);
    auto& resource = fixture.resource;
    CHECK(resource.upstream_resource() == fixture.upstream_of(&upstream));
    live_blocks live(resource);
    for (std::size_t i = 1; i <= 500; ++i) {
        live.allocate(24, 8);
        REQUIRE(resource.in_use() == i);
        REQUIRE(resource.capacity() == resource.available() + resource.in_use());
    }
    CHECK(resource.invariants_hold());
    const std::size_t capacity = resource.capacity();
    for (std::size_t i = 500; i-- != 0;) {
        live.deallocate(i / 2);
        REQUIRE(resource.in_use() == i);
        REQUIRE(resource.capacity() == capacity);
        REQUIRE(resource.available() == capacity - i);
        if (i % 16 == 0) REQUIRE(resource.invariants_hold());
    }
    if constexpr (Fixture::serves_larger) {
        const std::size_t larger = largest_fitting<Fixture>() + 1;
        void* const p = resource.allocate(larger, 1);
        CHECK(resource.in_use() == 0);
        CHECK_FALSE(resource.owns(p));
        resource.deallocate(p, larger, 1);
    }
}

template <class Fixture>
void owns_its_slots_and_nothing_else() {
    checking_resource upstream;
    Fixture a(&upstream);
    Fixture b(&upstream);
    CHECK_FALSE(a.resource.owns(nullptr));
    CHECK_FALSE(a.resource.owns(&a));
    live_blocks in_a(a.resource);
    live_blocks in_b(b.resource);
    for (int i = 0; i != 500; ++i) {
        in_a.allocate(30, 2);
        in_b.allocate(30, 2);
    }
    for (void* const p : in_a.pointers()) {
        REQUIRE(a.resource.owns(p));
        REQUIRE(a.resource.owns(static_cast<std::byte*>(p) + 29));
        REQUIRE_FALSE(b.resource.owns(p));
    }
    void* const freed = in_a.pointers().back();
    in_a.deallocate(in_a.size() - 1);
    CHECK(a.resource.owns(freed));
}

template <class Fixture>
void live_blocks_never_overlap() {
    checking_resource upstream;
    Fixture fixture(&upstream);
    live_blocks live(fixture.resource);
    std::mt19937 random(11);
    std::size_t damaged = 0;
    std::size_t misplaced = 0;
    const std::size_t largest = std::min<std::size_t>(largest_fitting<Fixture>(), 600);
    for (int phase = 0; phase != 40; ++phase) {
        const std::size_t target =
            std::uniform_int_distribution<std::size_t>(0, some_slots)(random);
        while (live.size() < target) {
            const auto bytes = std::uniform_int_distribution<std::size_t>(0, largest)(random);
            misplaced += !live.allocate(bytes, 1);
        }
        while (live.size() > target) damaged += !live.deallocate_any(random);
        if (phase % 8 == 7) fixture.resource.trim();
        REQUIRE(fixture.resource.invariants_hold());
    }
    CHECK(misplaced == 0);
    CHECK(damaged == 0);
    CHECK(live.clear());
    CHECK(fixture.resource.in_use() == 0);
}

// Whoever writes into memory after freeing it breaks nothing but those bytes.
template <class Fixture>
void stray_writes_into_freed_slots_redirect_nothing() {
    checking_resource upstream;
    Fixture fixture(&upstream);
    auto& resource = fixture.resource;
    std::mt19937 random(13);
    live_blocks live(resource);
    std::vector<void*> freed;
    for (int round = 0; round != 6; ++round) {
        while (live.size() != some_slots) REQUIRE(live.allocate(48, 8));
        std::set<void*> distinct;
        for (void* const p : live.pointers()) {
            REQUIRE(resource.owns(p));
            REQUIRE(distinct.insert(p).second);
        }
        freed = live.pointers();
        while (live.size() != 0) REQUIRE(live.deallocate_any(random));
        for (void* const p : freed) std::fill_n(static_cast<unsigned char*>(p), 48, 0xa5);
        REQUIRE(resource.invariants_hold());
    }
    CHECK(resource.in_use() == 0);
}

template <class Fixture>
void a_batch_is_all_or_nothing() {
    checking_resource upstream;
    Fixture fixture(&upstream);
    auto& resource = fixture.resource;
    std::vector<void*> batch(700);
    resource.allocate_batch(batch, 32, 16);
    CHECK(resource.in_use() == batch.size());
    CHECK(std::set<void*>(batch.begin(), batch.end()).size() == batch.size());
    CHECK(std::all_of(batch.begin(), batch.end(), [](void* p) { return is_aligned(p, 16); }));
    resource.deallocate_batch(batch, 32, 16);
    CHECK(resource.in_use() == 0);
    resource.allocate_batch(std::span<void*>{}, 32, 16);
    CHECK(resource.in_use() == 0);

    // Nobody has that many: upstream refuses, or the class has too few.
    std::vector<void*> too_many;
    if constexpr (Fixture::can_grow) {
        upstream.fail_after(0);
        too_many.resize(resource.capacity() + 1);
    } else {
        too_many.resize(Fixture::capacity_of_each_class() + 1);
    }
    CHECK_THROWS_AS(resource.allocate_batch(too_many, 32, 16), std::bad_alloc);
    CHECK(resource.invariants_hold());
    CHECK(resource.in_use() == 0);
    upstream.never_fail();
    resource.allocate_batch(batch, 32, 16);
    resource.deallocate_batch(batch, 32, 16);
}

template <class Fixture>
void trim_keeps_what_is_live() {
    checking_resource upstream;
    Fixture fixture(&upstream);
    auto& resource = fixture.resource;
    resource.trim();
    live_blocks live(resource);
    const auto is_enough = [&] {
        return live.size() >= some_slots && (!Fixture::can_grow || resource.growth_count() >= 3);
    };
    while (!is_enough()) REQUIRE(live.allocate(56, 8));
    const std::size_t count = live.size();
    while (live.size() > 5) REQUIRE(live.deallocate(live.size() - 1));
    const std::size_t before = upstream.bytes_out();
    resource.trim();
    CHECK(live.intact());
    CHECK(resource.invariants_hold());
    CHECK(resource.in_use() == 5);
    for (void* const p : live.pointers()) CHECK(resource.owns(p));
    // The live ones are all in the first slab, the smallest.
    if constexpr (Fixture::can_grow) CHECK(upstream.bytes_out() < before / 2);
    while (live.size() != count) REQUIRE(live.allocate(56, 8));
    std::mt19937 random(17);
    while (live.size() != 0) REQUIRE(live.deallocate_any(random));
    resource.trim();
    resource.trim();
    CHECK(resource.in_use() == 0);
    if constexpr (Fixture::can_grow) CHECK(resource.capacity() == Fixture::first_slots_kept);
    CHECK(live.allocate(56, 8));
}

template <class Fixture>
void release_takes_everything_back() {
    checking_resource upstream;
    Fixture fixture(&upstream);
    auto& resource = fixture.resource;
    const std::size_t at_start = upstream.bytes_out();
    for (int round = 0; round != 3; ++round) {
        live_blocks live(resource);
        for (std::size_t i = 0; i != 1'500; ++i) REQUIRE(live.allocate(16 + i % 30, 8));
        if constexpr (Fixture::serves_larger) {
            for (std::size_t i = 1; i != 20; ++i) {
                REQUIRE(live.allocate(largest_fitting<Fixture>() + i, 1));
            }
        }
        live.deallocate(3);
        CHECK(live.intact());
        live.forget();
        resource.release();
        CHECK(resource.in_use() == 0);
        CHECK(resource.growth_count() == 0);
        CHECK(resource.invariants_hold());
        CHECK(upstream.bytes_out() == at_start);
        resource.release();
        CHECK(upstream.bytes_out() == at_start);
    }
}

template <class Fixture>
void the_destructor_returns_every_byte() {
    checking_resource upstream;
    {
        Fixture fixture(&upstream);
        live_blocks live(fixture.resource);
        for (std::size_t i = 0; i != 1'500; ++i) live.allocate(i % 40, 4);
        if constexpr (Fixture::serves_larger) {
            for (std::size_t i = 1; i != 20; ++i) live.allocate(largest_fitting<Fixture>() + i, 2);
        }
        live.forget();
    }
    CHECK(upstream.blocks_out() == 0);
    CHECK(upstream.bytes_out() == 0);
    CHECK(upstream.errors().empty());
}

// Upstream throws at its first call, at its second, and so on until the whole scenario passes.
template <class Fixture>
void a_throwing_upstream_loses_nothing() {
    for (std::size_t grants = 0;; ++grants) {
        checking_resource upstream;
        bool has_failed = false;
        try {
            upstream.fail_after(grants);
            Fixture fixture(&upstream);
            auto& resource = fixture.resource;
            live_blocks live(resource);
            const auto allocate = [&](std::size_t bytes, std::size_t alignment) {
                const std::size_t in_use = resource.in_use();
                try {
                    const bool is_placed = live.allocate(bytes, alignment);
                    REQUIRE(is_placed);
                } catch (const std::bad_alloc&) {
                    REQUIRE(resource.in_use() == in_use);
                }
                REQUIRE(resource.capacity() == resource.available() + resource.in_use());
            };
            for (std::size_t i = 0; i != 400; ++i) {
                allocate(24, 8);
                allocate(i % 64, 1);
                if (i % 40 == 0 && Fixture::serves_larger) {
                    allocate(largest_fitting<Fixture>() + i + 1, 16);
                }
                if (i % 3 == 2 && live.size() != 0) REQUIRE(live.deallocate(live.size() / 2));
                if (i % 100 == 99) {
                    resource.trim();
                    REQUIRE(resource.invariants_hold());
                }
            }
            has_failed = upstream.has_failed();
            REQUIRE(live.intact());
            upstream.never_fail();
            allocate(24, 8);
            REQUIRE(live.clear());
            REQUIRE(resource.in_use() == 0);
            resource.release();
        } catch (const std::bad_alloc&) {
            has_failed = true;  // the constructor
        }
        REQUIRE(upstream.errors().empty());
        REQUIRE(upstream.blocks_out() == 0);
        if (!has_failed) break;
        REQUIRE(grants < 1'000);
    }
}

/// What a resource has, by state; and that each slab is visited whole, in the order of addresses.
struct visited_slots {
    std::vector<const void*> live, cached, free;

    template <class Resource>
    explicit visited_slots(Resource& resource) {
        const std::byte* before = nullptr;
        std::ptrdiff_t stride = 0;  // a build with checks has something between slots
        std::size_t left_in_slab = 0;
        resource.visit_slots([&](const visited_slot& slot) {
            const auto* const at = static_cast<const std::byte*>(slot.address);
            if (left_in_slab == 0) {
                CHECK(slot.slab == slot.address);
                left_in_slab = slot.slab_slots;
                stride = 0;
            } else if (stride == 0) {
                stride = at - before;
                const auto size = static_cast<std::ptrdiff_t>(slot.slot_size);
                CHECK((detail::red_zone(1) == 0 ? stride == size : stride > size));
            } else if (at - before != stride) {
                FAIL_CHECK("a slot was left out");
            }
            before = at;
            --left_in_slab;
            of(slot.state).push_back(slot.address);
        });
        CHECK(left_in_slab == 0);
    }

    std::vector<const void*>& of(slot_state state) {
        if (state == slot_state::live) return live;
        return state == slot_state::cached ? cached : free;
    }

    bool operator==(const visited_slots&) const = default;
};

// Those in a magazine are told from those with users, after frees in between.
template <class Fixture>
void slots_are_visited_and_found_from_each_byte() {
    checking_resource upstream;
    Fixture fixture(&upstream);
    auto& resource = fixture.resource;
    std::vector<void*> taken(some_slots);
    resource.allocate_batch(taken, 24, 8);
    for (std::size_t i = 0; i < taken.size(); ++i) {
        if (i % 3 != 0) resource.deallocate(std::exchange(taken[i], nullptr), 24, 8);
    }
    std::erase(taken, nullptr);
    std::ranges::sort(taken, std::less<void*>());
    const visited_slots visited(resource);
    CHECK(visited.live == std::vector<const void*>(taken.begin(), taken.end()));
    CHECK(visited.cached.size() + visited.free.size() == resource.available());
    CHECK(visited == visited_slots(resource));
    resource.trim();
    CHECK(visited_slots(resource).cached.empty());
    std::size_t wrong = 0;
    for (void* const p : taken) {
        for (std::size_t i = 0; i != 24; ++i) {
            wrong += resource.slot_of(static_cast<std::byte*>(p) + i) != p;
        }
    }
    CHECK(wrong == 0);
    CHECK(resource.slot_of(&wrong) == nullptr);
    // Free slots are where they were: none is lost, and none is handed out twice.
    std::vector<void*> more(some_slots - taken.size());
    resource.allocate_batch(more, 24, 8);
    std::set<void*> distinct(taken.begin(), taken.end());
    distinct.insert(more.begin(), more.end());
    CHECK(distinct.size() == some_slots);
    resource.deallocate_batch(more, 24, 8);
    resource.deallocate_batch(taken, 24, 8);
    CHECK(visited_slots(resource).live.empty());
}

/// A fixture whose resource is in order when a test is done with it.
template <class Fixture>
struct in_order : Fixture {
    using Fixture::Fixture;
    ~in_order() { CHECK(this->resource.invariants_hold()); }
};

template <class OfResource>
void resource_suite() {
    using Fixture = in_order<OfResource>;
    SECTION("equality_is_identity") { equality_is_identity<Fixture>(); }
    SECTION("every_size_with_every_alignment") { every_size_with_every_alignment<Fixture>(); }
    SECTION("absurd_sizes_are_refused") { absurd_sizes_are_refused<Fixture>(); }
    SECTION("absurd_alignments_are_refused") { absurd_alignments_are_refused<Fixture>(); }
    SECTION("a_size_that_cannot_be_represented") {
        a_size_that_cannot_be_represented_is_refused_whatever_upstream_says<Fixture>();
    }
    SECTION("zero_bytes_take_a_slot") { zero_bytes_take_a_slot<Fixture>(); }
    SECTION("the_next_allocation_reuses_the_slot") {
        the_next_allocation_reuses_the_slot<Fixture>();
    }
    SECTION("no_deallocation_touches_upstream") { no_deallocation_touches_upstream<Fixture>(); }
    SECTION("observers_add_up") { observers_add_up<Fixture>(); }
    SECTION("owns_its_slots_and_nothing_else") { owns_its_slots_and_nothing_else<Fixture>(); }
    SECTION("slots_are_visited") { slots_are_visited_and_found_from_each_byte<Fixture>(); }
    SECTION("live_blocks_never_overlap") { live_blocks_never_overlap<Fixture>(); }
    // Where somebody looks for such writes, they are what is to be found.
    if constexpr (!detail::build::watches_slots) {
        SECTION("stray_writes") { stray_writes_into_freed_slots_redirect_nothing<Fixture>(); }
    }
    SECTION("a_batch_is_all_or_nothing") { a_batch_is_all_or_nothing<Fixture>(); }
    SECTION("trim_keeps_what_is_live") { trim_keeps_what_is_live<Fixture>(); }
    SECTION("release_takes_everything_back") { release_takes_everything_back<Fixture>(); }
    SECTION("the_destructor_returns_every_byte") { the_destructor_returns_every_byte<Fixture>(); }
    SECTION("a_throwing_upstream_loses_nothing") { a_throwing_upstream_loses_nothing<Fixture>(); }
}

}  // namespace fastalloc::testing
