// SPDX-License-Identifier: MIT
#include "support/catch.hpp"

#include <fastalloc/fastalloc.hpp>

#include <cstddef>
#include <thread>
#include <utility>
#include <vector>

namespace fastalloc::testing {

namespace {

std::vector<pool_config> classes() {
    const auto config = [](std::size_t size, std::size_t alignment) {
        return pool_config::builder().slot_size(size).alignment(alignment).capacity(500).build();
    };
    return {config(64, 64), config(64, 8), config(24, 8)};
}

template <class Resource>
std::vector<void*> use(Resource& resource) {
    std::vector<void*> blocks;
    for (std::size_t i = 0; i != 1'000; ++i) {
        const bool aligned = i % 3 == 0;
        blocks.push_back(resource.allocate(aligned ? 64 : 20 + i % 2 * 20, aligned ? 64 : 8));
    }
    return blocks;
}

}  // namespace

TEMPLATE_TEST_CASE("the occupancy of a resource is what it says of itself", "", fixed_pool_resource,
                   growing_pool_resource, thread_local_pool_resource, synchronized_pool_resource,
                   lock_free_pool_resource) {
    TestType resource(classes());
    const std::vector<void*> mine = use(resource);
    std::vector<void*> others;
    std::size_t live = 1'000;
    std::size_t in_use_by_me = resource.in_use();
    if (TestType::used_by != detail::threads::one) {
        std::thread([&] { others = use(resource); }).join();
        live += 1'000;
    }
    const occupancy seen = occupancy::of(resource);
    const occupancy_figures total = seen.total();
    CHECK(total.slots.live == live);
    CHECK(total.slots.cached != 0);
    if (TestType::used_by == detail::threads::each_its_own) {
        CHECK(total.slots.live == 2 * in_use_by_me);
    } else {
        CHECK(total.slots.total() == resource.capacity());
    }
    const std::vector<size_occupancy> sizes = seen.sizes();
    REQUIRE(sizes.size() == 2);
    CHECK(sizes[0].slot_size == 24);
    CHECK(sizes[1].slot_size == 64);
    CHECK(sizes[0].slots.live + sizes[1].slots.live == live);
    for (void* const p : mine) CHECK(resource.owns(p));
    resource.release();
}

}  // namespace fastalloc::testing
