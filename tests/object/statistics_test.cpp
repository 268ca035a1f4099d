// SPDX-License-Identifier: MIT
#include "stress/team.hpp"
#include "support/catch.hpp"
#include "support/in_a_child.hpp"

#include <fastalloc/fastalloc.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace fastalloc::testing {

namespace {

struct counted {
    int value = 0;
};

template <class Resource>
using pool_of = object_pool<counted, Resource>;

template <class P>
concept has_statistics = requires(P& p) {
    p.statistics();
};

static_assert(!has_statistics<growing_pool<counted>>);

auto some() { return pool_config::builder().capacity(10'000).build(); }

void check(const object_statistics& s, const object_statistics& expected) {
    CHECK(s.made == expected.made);
    CHECK(s.dropped == expected.dropped);
    CHECK(s.alive == expected.alive);
    CHECK(s.peak == expected.peak);
    CHECK(s.kept == expected.kept);
}

}  // namespace

#define FASTALLOC_TEST_COUNTING_RESOURCES                                      \
    (basic_fixed_pool_resource<bitmap_index, counting_statistics>),            \
        (basic_growing_pool_resource<bitmap_index, counting_statistics>),      \
        (basic_thread_local_pool_resource<bitmap_index, counting_statistics>), \
        (basic_synchronized_pool_resource<bitmap_index, counting_statistics>), \
        (basic_lock_free_pool_resource<std::atomic, counting_statistics>)

TEMPLATE_TEST_CASE("objects are counted, and their slots", "", FASTALLOC_TEST_COUNTING_RESOURCES) {
    pool_of<TestType> pool(some());
    auto a = pool.make();
    auto b = pool.make(counted{2});
    auto c = pool.try_make();
    shared_handle<counted> shared = std::move(b);
    a = {};
    check(pool.statistics(), {.made = 3, .dropped = 1, .alive = 2, .peak = 3, .kept = 0});
    CHECK(pool.resource().statistics().allocations == 3);
    CHECK(pool.resource().statistics().current == 2);
    pool.reset_statistics();
    object_statistics s = pool.statistics();
    CHECK(s.peak >= 2);
    CHECK(s.peak <= 3);
    s.peak = 2;
    check(s, {.made = 0, .dropped = 0, .alive = 2, .peak = 2, .kept = 0});
    CHECK(pool.resource().statistics().allocations == 0);
    shared = {};
    const auto key = pool.key_of(c);
    CHECK(pool.find(key) != nullptr);
    c = pool.adopt(c.release());
    c = {};
    CHECK(pool.statistics().dropped == 2);
    CHECK(pool.statistics().alive == 0);
}

TEMPLATE_TEST_CASE("an object that is kept is not alive, and has a slot", "",
                   FASTALLOC_TEST_COUNTING_RESOURCES) {
    pool_of<TestType> pool(
        some(), initialization<counted>::recycling([] { return counted{}; }, [](counted&) {}));
    {
        const auto a = pool.make();
        const auto b = pool.make();
    }
    check(pool.statistics(), {.made = 2, .dropped = 2, .alive = 0, .peak = 2, .kept = 2});
    CHECK(pool.resource().statistics().current == 2);
    const auto a = pool.make();
    check(pool.statistics(), {.made = 3, .dropped = 2, .alive = 1, .peak = 2, .kept = 1});
    CHECK(pool.resource().statistics().allocations == 2);
}

TEMPLATE_TEST_CASE("objects over a resource of others are counted apart", "",
                   FASTALLOC_TEST_COUNTING_RESOURCES) {
    TestType resource(pool_config::builder().slot_size(sizeof(counted)).capacity(10'000).build());
    void* const other = resource.allocate(sizeof(counted), alignof(counted));
    {
        pool_of<TestType> pool(resource);
        const auto a = pool.make();
        check(pool.statistics(), {.made = 1, .dropped = 0, .alive = 1, .peak = 1, .kept = 0});
        pool.reset_statistics();
        CHECK(pool.statistics().made == 0);
        CHECK(resource.statistics().allocations == 2);
    }
    resource.deallocate(other, sizeof(counted), alignof(counted));
}

TEMPLATE_TEST_CASE("an object that was not made is not counted", "",
                   FASTALLOC_TEST_COUNTING_RESOURCES) {
    pool_of<TestType> pool(
        pool_config::builder().capacity(1).growth(growth_strategy::none()).build());
    const auto a = pool.make();
    CHECK_THROWS_AS(pool.make(), pool_exhausted);
    CHECK(!pool.try_make());
    CHECK(pool.statistics().made == 1);
    CHECK(pool.resource().statistics().failures.exhausted == 2);
}

TEST_CASE("a pool that counts is asked whether objects are alive") {
    using resource_type = basic_growing_pool_resource<bitmap_index, counting_statistics>;
    resource_type resource(pool_config::builder().slot_size(sizeof(counted)).capacity(10).build());
    const ending ended = in_a_child([&] {
        owned_handle<counted> outlives;
        pool_of<resource_type> pool(resource);
        outlives = pool.make();
    });
    CHECK(ended.aborted);
    CHECK(ended.output.find("1 of its objects") != std::string::npos);
}

TEMPLATE_TEST_CASE("a peak is no less than it was, whoever resets the resource", "",
                   FASTALLOC_TEST_COUNTING_RESOURCES) {
    TestType resource(pool_config::builder().slot_size(sizeof(counted)).capacity(10'000).build());
    pool_of<TestType> pool(resource);
    pool.make_batch(500).clear();
    SECTION("reset") {
        resource.trim();
        resource.reset_statistics();
    }
    SECTION("released") { resource.release(); }
    CHECK(pool.statistics().peak >= 500);
    pool.reset_statistics();
    CHECK(pool.statistics().peak < 500);
}

TEMPLATE_TEST_CASE("objects of several threads add up", "",
                   (basic_synchronized_pool_resource<bitmap_index, counting_statistics>),
                   (basic_lock_free_pool_resource<std::atomic, counting_statistics>)) {
    pool_of<TestType> pool(some());
    constexpr std::size_t threads = 4;
    constexpr std::size_t rounds = 1'000;
    std::atomic<bool> done{false};
    std::size_t most_seen = 0;
    std::thread observer([&] {
        while (!done.load()) most_seen = std::max(most_seen, pool.statistics().alive);
    });
    std::vector<std::vector<owned_handle<counted>>> left(threads);
    in_threads(threads, [&](std::size_t i) {
        for (std::size_t round = 0; round != rounds; ++round) {
            const auto dropped = pool.make();
            left[i].push_back(pool.make());
        }
    });
    done = true;
    observer.join();
    CHECK(most_seen <= threads * (rounds + 1));
    object_statistics s = pool.statistics();
    CHECK(s.made == 2 * threads * rounds);
    CHECK(s.dropped == threads * rounds);
    CHECK(s.alive == threads * rounds);
    CHECK(s.peak >= threads * rounds);
    CHECK(s.peak <= threads * rounds + threads);
    left.clear();
    CHECK(pool.statistics().alive == 0);
    // One thread makes what another drops: the peak is what was alive at a time.
    pool.reset_statistics();
    for (int round = 0; round != 100; ++round) {
        std::vector<owned_handle<counted>> batch = pool.make_batch(50);
        std::thread([&] { batch.clear(); }).join();
    }
    s = pool.statistics();
    CHECK(s.made == 5'000);
    CHECK(s.alive == 0);
    CHECK(s.peak >= 50);
    CHECK(s.peak < 5'000);
}

}  // namespace fastalloc::testing
