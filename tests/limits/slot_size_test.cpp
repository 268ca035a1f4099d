// SPDX-License-Identifier: MIT
// Slots of 1 byte to 1 MiB hold what is put into them, at every boundary of a class and in between.
#include "limits/every_resource.hpp"
#include "support/blocks.hpp"
#include "support/catch.hpp"
#include "support/shared_upstream.hpp"

#include <algorithm>
#include <cstddef>
#include <set>

namespace fastalloc::testing {

namespace {

// Around every natural class, every power of two, and some that are neither.
std::set<std::size_t> interesting_sizes() {
    std::set<std::size_t> sizes;
    const auto add_around = [&](std::size_t n) {
        for (const std::size_t size : {n - 1, n, n + 1}) {
            if (size >= 1 && size <= mib) sizes.insert(size);
        }
    };
    const auto classes = detail::class_map::of_natural(64 * kib);
    for (std::size_t i = 0; i != classes.natural_classes; ++i) add_around(classes.at(i).slot_size);
    for (std::size_t n = 1; n <= mib; n *= 2) add_around(n);
    for (std::size_t n = 3; n <= mib; n = n * 11 / 7 + 1) sizes.insert(n);
    return sizes;
}

}  // namespace

TEST_CASE("a slot's number follows from its offset, for every slot size") {
    std::size_t wrong = 0;
    for (std::size_t size = 1; size <= mib; ++size) {
        const detail::slot_geometry geometry(size, detail::natural_alignment(size));
        for (const slot_number n : {0u, 1u, 2u, 63u, 64u, 65'537u, 0x7fffffffu, 0xfffffffeu}) {
            wrong += geometry.number_at(geometry.offset_of(n)) != n ? 1u : 0u;
        }
    }
    CHECK(wrong == 0);
}

TEMPLATE_TEST_CASE("slots of every size hold what is put into them", "", FASTALLOC_EVERY_RESOURCE) {
    shared_upstream upstream;
    std::size_t wrong = 0;
    for (const std::size_t size : interesting_sizes()) {
        // A resource that grows does so twice; the other is full.
        auto builder = slots_of(size, 4);
        constexpr bool grows = requires(TestType & r) {
            TestType(std::pmr::pool_options(), r.upstream_resource());
        };
        if constexpr (grows) builder.growth(growth_strategy::linear(2));
        TestType resource(builder.build(), &upstream);
        live_blocks<TestType> blocks(resource);
        const std::size_t alignment = std::min(detail::natural_alignment(size), std::size_t{16});
        for (int i = 0; i != (grows ? 8 : 4); ++i) wrong += !blocks.allocate(size, alignment);
        wrong += !blocks.deallocate(0) + !blocks.deallocate(1) + !blocks.allocate(size, 1);
        wrong += resource.in_use() != (grows ? 7u : 3u);
        wrong += !blocks.clear();
    }
    CHECK(wrong == 0);
    CHECK(upstream.errors().empty());
    CHECK(upstream.bytes_out() == 0);
}

TEMPLATE_TEST_CASE("a drop-in holds what is put into it, of every size", "", growing_pool_resource,
                   thread_local_pool_resource, synchronized_pool_resource,
                   lock_free_pool_resource) {
    shared_upstream upstream;
    std::size_t wrong = 0;
    {
        TestType resource({0, 64 * kib}, &upstream);
        live_blocks<TestType> blocks(resource);
        for (const std::size_t size : interesting_sizes()) {
            for (int i = 0; i != 3; ++i) wrong += !blocks.allocate(size, 8);
        }
        wrong += !blocks.clear();
        wrong += resource.in_use() != 0;
    }
    CHECK(wrong == 0);
    CHECK(upstream.errors().empty());
    CHECK(upstream.bytes_out() == 0);
}

}  // namespace fastalloc::testing
