// SPDX-License-Identifier: MIT
#pragma once

// What the standard, and the tests of its implementations, say of a pool resource.

#include "support/blocks.hpp"
#include "support/catch.hpp"
#include "support/checking_resource.hpp"
#include "support/counting_new.hpp"

#include <fastalloc/fastalloc.hpp>

#include <algorithm>
#include <cstddef>
#include <memory_resource>
#include <type_traits>
#include <vector>

namespace fastalloc::testing {

template <class Resource>
void constructors_do_not_allocate() {
    checking_resource upstream;
    checking_resource standing_in;
    std::pmr::memory_resource* const before = std::pmr::set_default_resource(&standing_in);
    const std::size_t calls = operator_new_calls();
    {
        Resource a;
        Resource b(&upstream);
        Resource c(std::pmr::pool_options{16, 256});
        Resource d(std::pmr::pool_options{16, 256}, &upstream);
        Resource e({}, &upstream);
        auto f = Resource(std::pmr::pool_options{}, &upstream);
        CHECK(operator_new_calls() == calls);
        CHECK(a.upstream_resource() == &standing_in);
        CHECK(b.upstream_resource() == &upstream);
        CHECK(c.upstream_resource() == &standing_in);
        CHECK(d.upstream_resource() == &upstream);
        CHECK(e.upstream_resource() == &upstream);
        CHECK(f.upstream_resource() == &upstream);
        CHECK(c.options().largest_required_pool_block == 256);
        CHECK(d.options().max_blocks_per_chunk == 16);
    }
    std::pmr::set_default_resource(before);
    CHECK(upstream.calls() == 0);
    CHECK(standing_in.calls() == 0);
    static_assert(!std::is_copy_constructible_v<Resource>);
    static_assert(!std::is_copy_assignable_v<Resource>);
    static_assert(!std::is_convertible_v<std::pmr::pool_options, Resource>);
    static_assert(!std::is_convertible_v<std::pmr::memory_resource*, Resource>);
}

template <class Resource>
void options_are_resolved() {
    const auto same = [](std::pmr::pool_options a, std::pmr::pool_options b) {
        return a.max_blocks_per_chunk == b.max_blocks_per_chunk &&
               a.largest_required_pool_block == b.largest_required_pool_block;
    };
    const std::pmr::pool_options defaults = Resource().options();
    CHECK(defaults.max_blocks_per_chunk != 0);
    CHECK(defaults.largest_required_pool_block >= 4096);
    CHECK(same(Resource(std::pmr::pool_options{0, 0}).options(), defaults));
    for (const std::size_t blocks : {0ul, 1ul, 2ul, 7ul, 100ul, 1ul << 19, 1ul << 20, ~0ul}) {
        for (const std::size_t size : {0ul, 1ul, 8ul, 9ul, 100ul, 4097ul, 1ul << 20, ~0ul}) {
            const auto once = Resource(std::pmr::pool_options{blocks, size}).options();
            CHECK(once.max_blocks_per_chunk != 0);
            CHECK(once.max_blocks_per_chunk <= std::size_t{1} << 19);
            if (blocks != 0) CHECK(once.max_blocks_per_chunk <= blocks);
            CHECK(once.largest_required_pool_block >= std::min(size, std::size_t{1} << 16));
            CHECK(same(Resource(once).options(), once));
        }
    }
}

// The sizes of slabs as upstream sees them: a slab of n slots is asked for in one request of at
// least n and less than n + 1 + bookkeeping slots, so slots are counted as they are handed out.
template <class Resource>
void max_blocks_per_chunk_is_reached_and_never_exceeded() {
    for (const std::size_t blocks : {1u, 2u, 3u, 10u, 64u, 1'000u}) {
        for (const std::size_t size : {8u, 64u, 1'024u}) {
            checking_resource upstream;
            Resource resource(std::pmr::pool_options{blocks, 0}, &upstream);
            std::size_t most = 0;
            std::size_t capacity = 0;
            const std::size_t enough = blocks * 60 + 4'096;
            for (std::size_t i = 0; i != enough; ++i) {
                void* const p = resource.allocate(size, 8);
                (void)p;
                most = std::max(most, resource.capacity() - capacity);
                capacity = resource.capacity();
            }
            CHECK(most == blocks);
            resource.release();
        }
    }
}

template <class Resource>
void the_first_slab_holds_two_slots() {
    for (std::size_t size = 1; size <= 4096; size += 5) {
        checking_resource upstream;
        Resource resource(&upstream);
        live_blocks live(resource);
        live.allocate(size, 1);
        const std::size_t calls = upstream.calls();
        live.allocate(size, 1);
        REQUIRE(upstream.calls() == calls);
        live.clear();
        live.allocate(size, 1);
        REQUIRE(upstream.calls() == calls);
    }
}

template <class Resource>
void every_class_boundary_is_kept() {
    checking_resource upstream;
    Resource resource(std::pmr::pool_options{0, 65'536}, &upstream);
    const std::size_t limit = resource.options().largest_required_pool_block;
    CHECK(limit == 65'536);
    std::size_t wrong = 0;
    for (std::size_t size = 1; size <= limit; size = size < 5'000 ? size + 1 : size + 511) {
        void* const p = resource.allocate(size, 1);
        wrong += !resource.owns(p) || !resource.owns(static_cast<std::byte*>(p) + size - 1);
        resource.deallocate(p, size, 1);
    }
    CHECK(wrong == 0);
    CHECK(resource.in_use() == 0);
}

template <class Resource>
void larger_requests_are_one_block_of_upstream() {
    checking_resource upstream;
    Resource resource(std::pmr::pool_options{0, 512}, &upstream);
    const std::size_t larger = resource.options().largest_required_pool_block + 1;
    (void)resource.allocate(8, 8);
    for (const std::size_t alignment : {1u, 2u, 8u, 64u, 4'096u}) {
        const std::size_t blocks = upstream.blocks_out();
        const std::size_t bytes = upstream.bytes_out();
        live_blocks live(resource);
        CHECK(live.allocate(larger, alignment));
        CHECK(upstream.blocks_out() == blocks + 1);
        CHECK(upstream.last_request().alignment == alignment);
        CHECK(upstream.last_request().bytes >= larger);
        CHECK(upstream.last_request().bytes <= larger + 64);
        CHECK(live.clear());
        CHECK(upstream.blocks_out() == blocks);
        CHECK(upstream.bytes_out() == bytes);
    }
    // An alignment that no class has, with a small size.
    live_blocks live(resource);
    CHECK(live.allocate(8, 8'192));
    CHECK(upstream.last_request().alignment == 8'192);
}

template <class Resource>
void unrepresentable_sizes_are_asked_of_upstream_as_such() {
    checking_resource upstream;
    Resource resource(&upstream);
    CHECK_THROWS_AS(resource.allocate(~std::size_t{0} - 3, 64), std::bad_alloc);
    CHECK(upstream.last_request().bytes == ~std::size_t{0});
    CHECK(upstream.last_request().alignment == std::size_t{1} << 63);
}

template <class Resource>
void slabs_grow_with_what_is_held() {
    checking_resource upstream;
    Resource resource(&upstream);
    for (std::size_t i = 0; i != 200'000; ++i) (void)resource.allocate(64, 8);
    CHECK(upstream.bytes_out() < 200'000 * 64 * 6 / 5);
    CHECK(upstream.blocks_out() < 100);
    CHECK(resource.growth_count() > 10);
    const auto requests = upstream.requests_out();
    const auto smaller = [](const auto& a, const auto& b) { return a.bytes < b.bytes; };
    const auto largest = std::max_element(requests.begin(), requests.end(), smaller);
    CHECK(largest->bytes > 1'000'000);
    resource.release();
    CHECK(upstream.bytes_out() == 0);
    void* const p = resource.allocate(64, 8);
    CHECK(upstream.bytes_out() < 10'000);
    resource.deallocate(p, 64, 8);
}

template <class Resource>
void drop_in_suite() {
    SECTION("constructors_do_not_allocate") { constructors_do_not_allocate<Resource>(); }
    SECTION("options_are_resolved") { options_are_resolved<Resource>(); }
    SECTION("max_blocks_per_chunk") {
        max_blocks_per_chunk_is_reached_and_never_exceeded<Resource>();
    }
    SECTION("the_first_slab_holds_two_slots") { the_first_slab_holds_two_slots<Resource>(); }
    SECTION("every_class_boundary_is_kept") { every_class_boundary_is_kept<Resource>(); }
    SECTION("larger_requests") { larger_requests_are_one_block_of_upstream<Resource>(); }
    SECTION("unrepresentable_sizes") {
        unrepresentable_sizes_are_asked_of_upstream_as_such<Resource>();
    }
    SECTION("slabs_grow_with_what_is_held") { slabs_grow_with_what_is_held<Resource>(); }
}

}  // namespace fastalloc::testing
