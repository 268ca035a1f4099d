// SPDX-License-Identifier: MIT
#pragma once

// What every memory resource over another has to do, and those that pass requests on as they are. A
// fixture is made from an upstream and has
//   resource    the resource under test

#include "conformance/container_suite.hpp"
#include "support/blocks.hpp"
#include "support/catch.hpp"
#include "support/checking_resource.hpp"
#include "support/counting_new.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <memory_resource>
#include <new>
#include <random>
#include <type_traits>
#include <vector>

namespace fastalloc::testing {

template <class Fixture>
void it_is_equal_to_itself_only() {
    checking_resource upstream;
    Fixture a(&upstream);
    Fixture b(&upstream);
    CHECK(a.resource == a.resource);
    CHECK(a.resource.is_equal(a.resource));
    CHECK_FALSE(a.resource == b.resource);
    CHECK_FALSE(a.resource.is_equal(upstream));
    CHECK_FALSE(upstream.is_equal(a.resource));
    using resource_type = decltype(a.resource);
    static_assert(!std::is_copy_constructible_v<resource_type>);
    static_assert(!std::is_copy_assignable_v<resource_type>);
    static_assert(!std::is_convertible_v<std::pmr::memory_resource*, resource_type>);
}

template <class Fixture>
void blocks_are_aligned_and_distinct() {
    checking_resource upstream;
    {
        Fixture fixture(&upstream);
        std::pmr::memory_resource& resource = fixture.resource;
        std::mt19937 random(1);
        live_blocks live(resource);
        std::size_t misplaced = 0;
        std::size_t damaged = 0;
        for (std::size_t bytes = 0; bytes <= 5'000; bytes = bytes < 100 ? bytes + 1 : bytes * 2) {
            for (std::size_t alignment = 1; alignment <= 65'536; alignment *= 2) {
                misplaced += !live.allocate(bytes, alignment);
                if (live.size() == 200) damaged += !live.deallocate_any(random);
            }
        }
        CHECK(misplaced == 0);
        CHECK(damaged == 0);
        CHECK(live.clear());
    }
    CHECK(upstream.blocks_out() == 0);
    CHECK(upstream.errors().empty());
}

template <class Fixture>
void zero_bytes_are_blocks() {
    checking_resource upstream;
    Fixture fixture(&upstream);
    void* const a = fixture.resource.allocate(0, 1);
    void* const b = fixture.resource.allocate(0, 1);
    CHECK(a != nullptr);
    CHECK(b != nullptr);
    CHECK(a != b);
    fixture.resource.deallocate(b, 0, 1);
    fixture.resource.deallocate(a, 0, 1);
    CHECK(upstream.errors().empty());
}

template <class Fixture>
void a_size_that_nobody_has_is_refused() {
    checking_resource upstream;
    Fixture fixture(&upstream);
    live_blocks live(fixture.resource);
    REQUIRE(live.allocate(100, 8));
    for (std::size_t below = 0; below != 200; ++below) {
        const std::size_t bytes = std::numeric_limits<std::size_t>::max() - below;
        CHECK_THROWS_AS(fixture.resource.allocate(bytes, 1), std::bad_alloc);
    }
    CHECK(live.clear());
}

// Upstream throws what only it knows, at its first call, at its second, and so on.
template <class Fixture>
void what_upstream_throws_passes_through_and_changes_nothing() {
    struct mishap {};
    struct throwing final : std::pmr::memory_resource {
        checking_resource checked;
        std::size_t grants = 0;
        void* do_allocate(std::size_t bytes, std::size_t alignment) override {
            if (grants == 0) throw mishap();
            --grants;
            return checked.allocate(bytes, alignment);
        }
        void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) override {
            checked.deallocate(p, bytes, alignment);
        }
        bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
            return this == &other;
        }
    } upstream;
    constexpr std::size_t blocks = 50;
    for (std::size_t grants = 0; grants != blocks; ++grants) {
        Fixture fixture(&upstream);
        live_blocks live(fixture.resource);
        std::size_t thrown = 0;
        upstream.grants = grants;
        for (std::size_t i = 0; i != blocks; ++i) {
            try {
                live.allocate(i * 7, 8);
            } catch (const mishap&) {
                ++thrown;
                upstream.grants = blocks;
            }
        }
        CHECK(thrown == 1);
        CHECK(live.size() == blocks - 1);
        CHECK(live.clear());
    }
    CHECK(upstream.checked.blocks_out() == 0);
    CHECK(upstream.checked.errors().empty());
}

template <class Fixture>
void containers_work() {
    checking_resource upstream;
    {
        Fixture fixture(&upstream);
        sequences_work<pmr_allocator>(&fixture.resource);
        associative_containers_work<pmr_allocator>(&fixture.resource);
        nested_containers_work<pmr_allocator>(&fixture.resource);
    }
    CHECK(upstream.blocks_out() == 0);
    CHECK(upstream.errors().empty());
}

/// For any resource that has nothing of its own to hand out.
template <class Fixture>
void any_resource_suite() {
    SECTION("it_is_equal_to_itself_only") { it_is_equal_to_itself_only<Fixture>(); }
    SECTION("blocks_are_aligned_and_distinct") { blocks_are_aligned_and_distinct<Fixture>(); }
    SECTION("zero_bytes_are_blocks") { zero_bytes_are_blocks<Fixture>(); }
    SECTION("a_size_that_nobody_has") { a_size_that_nobody_has_is_refused<Fixture>(); }
    SECTION("what_upstream_throws") {
        what_upstream_throws_passes_through_and_changes_nothing<Fixture>();
    }
    SECTION("containers_work") { containers_work<Fixture>(); }
}

// Each request reaches upstream at once, as one request for the same, and so does each return.
template <class Fixture>
void requests_reach_upstream_as_they_are() {
    checking_resource upstream;
    Fixture fixture(&upstream);
    std::pmr::memory_resource& resource = fixture.resource;
    std::size_t wrong = 0;
    for (std::size_t bytes = 0; bytes <= 5'000; bytes = bytes < 100 ? bytes + 1 : bytes * 2) {
        for (std::size_t alignment = 1; alignment <= 65'536; alignment *= 2) {
            const std::size_t calls = upstream.calls();
            void* const p = resource.allocate(bytes, alignment);
            wrong += upstream.last_request().bytes != bytes;
            wrong += upstream.last_request().alignment != alignment;
            wrong += upstream.calls() != calls + 1;
            resource.deallocate(p, bytes, alignment);
            wrong += upstream.calls() != calls + 2;
            wrong += upstream.blocks_out() != 0;
        }
    }
    CHECK(wrong == 0);
    CHECK(upstream.errors().empty());
    constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
    constexpr std::size_t page = 4'096;
    CHECK_THROWS_AS(resource.allocate(most, page), std::bad_alloc);
    CHECK(upstream.last_request().bytes == most);
    CHECK(upstream.last_request().alignment == page);
}

template <class Fixture>
void upstreams_block_is_handed_out() {
    std::array<std::byte, 1'000> buffer{};
    std::pmr::monotonic_buffer_resource upstream(buffer.data(), buffer.size(),
                                                 std::pmr::null_memory_resource());
    const std::size_t calls = operator_new_calls();
    Fixture fixture(&upstream);
    void* const first = fixture.resource.allocate(100, 1);
    void* const second = fixture.resource.allocate(100, 1);
    fixture.resource.deallocate(second, 100, 1);
    fixture.resource.deallocate(first, 100, 1);
    CHECK(operator_new_calls() == calls);
    CHECK(first == buffer.data());
    CHECK(second == buffer.data() + 100);
}

/// For resources that add nothing to a request.
template <class Fixture>
void transparent_resource_suite() {
    SECTION("requests_reach_upstream_as_they_are") {
        requests_reach_upstream_as_they_are<Fixture>();
    }
    SECTION("upstreams_block_is_handed_out") { upstreams_block_is_handed_out<Fixture>(); }
}

}  // namespace fastalloc::testing
