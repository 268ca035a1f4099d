// SPDX-License-Identifier: MIT
#include "stress/team.hpp"
#include "support/catch.hpp"
#include "support/checking_resource.hpp"
#include "support/shared_upstream.hpp"

#include <fastalloc/fastalloc.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <thread>
#include <type_traits>
#include <vector>

namespace fastalloc::testing {

namespace {

template <class Collector>
using growing = basic_growing_pool_resource<bitmap_index, Collector>;
template <class Collector>
using thread_local_ = basic_thread_local_pool_resource<bitmap_index, Collector>;
template <class Collector>
using synchronized = basic_synchronized_pool_resource<bitmap_index, Collector>;
template <class Collector>
using lock_free = basic_lock_free_pool_resource<std::atomic, Collector>;
template <class Collector>
using fixed = basic_fixed_pool_resource<bitmap_index, Collector>;

// Names that make the titles of test cases short.
struct counting_growing : growing<counting_statistics> {
    using growing<counting_statistics>::growing;
};
struct counting_thread_local : thread_local_<counting_statistics> {
    using thread_local_<counting_statistics>::thread_local_;
};
struct counting_synchronized : synchronized<counting_statistics> {
    using synchronized<counting_statistics>::synchronized;
};
struct counting_lock_free : lock_free<counting_statistics> {
    using lock_free<counting_statistics>::lock_free;
};
struct counting_fixed : fixed<counting_statistics> {
    using fixed<counting_statistics>::fixed;
};

#define FASTALLOC_TEST_THAT_GROW \
    counting_growing, counting_thread_local, counting_synchronized, counting_lock_free
#define FASTALLOC_TEST_ALL counting_fixed, FASTALLOC_TEST_THAT_GROW

// Large enough for a thread to keep some of the slots of a class with this cap.
constexpr std::size_t many = 10'000;

auto classes_of(std::size_t capacity) {
    return std::vector{
        pool_config::builder().slot_size(48).capacity(capacity).build(),
        pool_config::builder().slot_size(200).alignment(8).capacity(capacity).build()};
}

template <class Resource>
std::vector<class_statistics> classes_in(const Resource& resource) {
    std::vector<class_statistics> all;
    resource.for_each_class([&](const class_statistics& c) { all.push_back(c); });
    return all;
}

template <class Resource>
std::vector<void*> allocate_some(Resource& resource, std::size_t count, std::size_t bytes) {
    std::vector<void*> blocks(count);
    for (void*& p : blocks) p = resource.allocate(bytes, 8);
    return blocks;
}

template <class Resource>
void deallocate_all(Resource& resource, const std::vector<void*>& blocks, std::size_t bytes) {
    for (void* const p : blocks) resource.deallocate(p, bytes, 8);
}

template <class R>
concept has_statistics = requires(R& r) {
    r.statistics();
};

template <class R>
concept has_latency = requires(R& r) {
    r.latency();
};

static_assert(!has_statistics<growing_pool_resource> && !has_latency<growing_pool_resource>);
static_assert(has_statistics<counting_growing> && !has_latency<counting_growing>);
static_assert(has_latency<growing<timing_statistics>>);

static_assert(!collector<int>);
struct without_shared_counts : no_statistics {
    using depot_counts = int;
};
static_assert(!collector<without_shared_counts>);

// A pool that counts nothing has room for nothing.
static_assert(sizeof(detail::pool<detail::slab_reserve<bitmap_index, detail::no_counts>>) == 32);

}  // namespace

TEMPLATE_TEST_CASE("slots are counted by class and in total", "", FASTALLOC_TEST_ALL) {
    TestType resource(classes_of(many));
    const std::vector<void*> small = allocate_some(resource, 5, 40);
    const std::vector<void*> large = allocate_some(resource, 3, 100);
    resource.deallocate(small[0], 40, 8);
    resource.deallocate(small[1], 40, 8);
    const std::vector<class_statistics> classes = classes_in(resource);
    REQUIRE(classes.size() == 2);
    CHECK(classes[0].slot_size == 48);
    CHECK(classes[0].alignment == 16);
    CHECK(classes[0].allocations == 5);
    CHECK(classes[0].deallocations == 2);
    CHECK(classes[0].current == 3);
    CHECK(classes[0].peak == 5);
    CHECK(classes[0].capacity == many);
    CHECK(classes[0].misses == 1);
    CHECK(classes[1].slot_size == 200);
    CHECK(classes[1].alignment == 8);
    CHECK(classes[1].allocations == 3);
    CHECK(classes[1].deallocations == 0);
    CHECK(classes[1].current == 3);
    CHECK(classes[1].peak == 3);
    const pool_statistics all = resource.statistics();
    CHECK(all.allocations == 8);
    CHECK(all.deallocations == 2);
    CHECK(all.current == 6);
    CHECK(all.current == resource.in_use());
    CHECK(all.peak == 8);
    CHECK(all.capacity == 2 * many);
    CHECK(all.current_bytes == 3 * 48 + 3 * 200);
    CHECK(all.capacity_bytes == many * (48 + 200));
    CHECK(all.misses == 2);
    CHECK(all.growth_count == 0);
    CHECK(all.failures == failure_counts());
    CHECK(all.utilization() == Approx(6 / 20'000.0));
    CHECK(all.hit_rate() == Approx(6 / 8.0));
    resource.release();
}

TEMPLATE_TEST_CASE("a peak stays when blocks go", "", FASTALLOC_TEST_ALL) {
    TestType resource(classes_of(many));
    for (const std::size_t count : {3u, 7u, 5u}) {
        deallocate_all(resource, allocate_some(resource, count, 40), 40);
    }
    CHECK(resource.statistics().peak == 7);
    CHECK(resource.statistics().current == 0);
}

TEMPLATE_TEST_CASE("a miss is an allocation that found its magazine empty", "",
                   FASTALLOC_TEST_ALL) {
    TestType resource(classes_of(many));
    std::size_t blocks = 0;
    std::uint64_t misses = 0;
    for (int refills = 0; refills != 5; ++refills) {
        (void)resource.allocate(48, 8);
        ++blocks;
        CHECK(resource.statistics().misses == ++misses);
        std::size_t cached = 0;
        resource.visit_slots(
            [&](const visited_slot& s) { cached += s.state == slot_state::cached; });
        REQUIRE(cached != 0);
        for (std::size_t i = 0; i != cached; ++i) (void)resource.try_allocate(48, 8);
        blocks += cached;
        CHECK(resource.statistics().misses == misses);
    }
    CHECK(resource.statistics().allocations == blocks);
    resource.release();
}

TEMPLATE_TEST_CASE("a class without magazines is counted too", "", FASTALLOC_TEST_ALL) {
    const auto config =
        pool_config::builder().slot_size(64).capacity(8).growth(growth_strategy::none()).build();
    TestType resource(config);
    const std::vector<void*> blocks = allocate_some(resource, 8, 64);
    resource.deallocate(blocks[3], 64, 8);
    CHECK(resource.try_allocate(64, 8) == blocks[3]);
    const pool_statistics s = resource.statistics();
    CHECK(s.allocations == 9);
    CHECK(s.deallocations == 1);
    CHECK(s.current == 8);
    CHECK(s.peak == 8);
    deallocate_all(resource, blocks, 64);
    CHECK(resource.statistics().current == 0);
}

TEMPLATE_TEST_CASE("failures are counted by reason: exhausted", "", FASTALLOC_TEST_ALL) {
    const auto config =
        pool_config::builder().slot_size(64).capacity(2).growth(growth_strategy::none()).build();
    TestType resource(config);
    const std::vector<void*> blocks = allocate_some(resource, 2, 64);
    CHECK_THROWS_AS(resource.allocate(64, 8), pool_exhausted);
    CHECK(resource.try_allocate(64, 8) == nullptr);
    CHECK(resource.statistics().failures == failure_counts{.exhausted = 2});
    CHECK(classes_in(resource)[0].failures.total() == 2);
    CHECK(resource.statistics().allocations == 2);
    deallocate_all(resource, blocks, 64);
}

TEMPLATE_TEST_CASE("failures are counted by reason: at the cap", "", FASTALLOC_TEST_THAT_GROW) {
    const auto config = pool_config::builder().slot_size(64).capacity(2).max_capacity(5).build();
    TestType resource(config);
    const std::vector<void*> blocks = allocate_some(resource, 5, 64);
    CHECK(resource.try_allocate(64, 8) == nullptr);
    CHECK(resource.statistics().failures == failure_counts{.at_cap = 1});
    CHECK(resource.statistics().growth_count == resource.growth_count());
    CHECK(resource.growth_count() != 0);
    deallocate_all(resource, blocks, 64);
}

TEMPLATE_TEST_CASE("failures are counted by reason: upstream", "", FASTALLOC_TEST_THAT_GROW) {
    checking_resource upstream;
    TestType resource(&upstream);
    std::size_t failures = 0;
    for (std::size_t grants = 0; grants != 20; ++grants) {
        upstream.fail_after(grants);
        for (const std::size_t bytes : {40u, 400u, 10'000u}) {
            void* const p = resource.try_allocate(bytes, 8);
            if (p == nullptr) {
                ++failures;
            } else {
                resource.deallocate(p, bytes, 8);
            }
            CHECK(resource.statistics().failures == failure_counts{.upstream = failures});
        }
    }
    CHECK(failures != 0);
    upstream.never_fail();
    CHECK_THROWS_AS(resource.allocate(checking_resource::machine_size + 1, 8), std::bad_alloc);
    CHECK(resource.statistics().failures == failure_counts{.upstream = failures + 1});
}

TEMPLATE_TEST_CASE("failures are counted by reason: no class", "", FASTALLOC_TEST_ALL) {
    const auto config = pool_config::builder()
                            .slot_size(64)
                            .capacity(2)
                            .larger_requests(larger_requests::refuse)
                            .build();
    TestType resource(config);
    CHECK_THROWS_AS(resource.allocate(65, 8), std::bad_alloc);
    CHECK(resource.statistics().failures == failure_counts{.no_class = 1});
}

TEMPLATE_TEST_CASE("an exception of a growth function counts as upstream's", "",
                   FASTALLOC_TEST_THAT_GROW) {
    const auto config = pool_config::builder()
                            .slot_size(64)
                            .capacity(1)
                            .growth(growth_strategy::custom(
                                [](std::size_t) -> std::size_t { throw std::bad_alloc(); }))
                            .build();
    TestType resource(config);
    void* const p = resource.allocate(64, 8);
    CHECK(resource.try_allocate(64, 8) == nullptr);
    CHECK(resource.statistics().failures == failure_counts{.upstream = 1});
    resource.deallocate(p, 64, 8);
}

TEMPLATE_TEST_CASE("larger blocks are counted apart", "", FASTALLOC_TEST_THAT_GROW) {
    TestType resource;
    void* const a = resource.allocate(100'000, 8);
    void* const b = resource.allocate(200'000, 64);
    resource.deallocate(a, 100'000, 8);
    pool_statistics expected;
    expected.larger_allocations = 2;
    expected.larger_deallocations = 1;
    expected.larger_current = 1;
    CHECK(resource.statistics() == expected);
    resource.reset_statistics();
    expected.larger_allocations = expected.larger_deallocations = 0;
    CHECK(resource.statistics() == expected);
    resource.deallocate(b, 200'000, 64);
    CHECK(resource.statistics().larger_current == 0);
}

TEMPLATE_TEST_CASE("release gives up larger blocks, and statistics with them", "",
                   FASTALLOC_TEST_THAT_GROW) {
    TestType resource;
    (void)resource.allocate(100'000, 8);
    (void)resource.allocate(10, 8);
    resource.release();
    CHECK(resource.statistics() == pool_statistics());
}

TEMPLATE_TEST_CASE("release begins statistics anew", "", FASTALLOC_TEST_ALL) {
    TestType resource(classes_of(many));
    (void)allocate_some(resource, 5, 40);
    resource.release();
    pool_statistics s = resource.statistics();
    CHECK(s.capacity == resource.capacity());
    s.capacity = s.capacity_bytes = 0;
    CHECK(s == pool_statistics());
    resource.deallocate(resource.allocate(40, 8), 40, 8);
    CHECK(resource.statistics().allocations == 1);
    CHECK(resource.statistics().peak == 1);
}

TEMPLATE_TEST_CASE("a period ends with each reset and release", "", FASTALLOC_TEST_ALL) {
    TestType resource(classes_of(100));
    const auto first = resource.statistics_period();
    deallocate_all(resource, allocate_some(resource, 10, 48), 48);
    CHECK(resource.statistics_period() == first);
    resource.reset_statistics();
    const auto second = resource.statistics_period();
    CHECK(second != first);
    resource.release();
    CHECK(resource.statistics_period() != second);
    CHECK(resource.statistics_period() != first);
}

TEMPLATE_TEST_CASE("a reset forgets what happened, not what is", "", FASTALLOC_TEST_ALL) {
    const auto config =
        pool_config::builder().slot_size(48).capacity(100).growth(growth_strategy::none()).build();
    TestType resource(config);
    std::vector<void*> blocks = allocate_some(resource, 100, 40);
    CHECK(resource.try_allocate(40, 8) == nullptr);
    for (int i = 0; i != 40; ++i) {
        resource.deallocate(blocks.back(), 40, 8);
        blocks.pop_back();
    }
    resource.reset_statistics();
    class_statistics expected;
    expected.slot_size = 48;
    expected.alignment = 16;
    expected.current = 60;
    expected.capacity = 100;
    class_statistics s = classes_in(resource).at(0);
    CHECK(s.peak >= 60);
    CHECK(s.peak <= 61);  // a thread may keep one
    expected.peak = s.peak;
    CHECK(s == expected);
    deallocate_all(resource, blocks, 40);
    s = classes_in(resource).at(0);
    CHECK(s.deallocations == 60);
    CHECK(s.current == 0);
    CHECK(s.peak >= 60);
}

TEMPLATE_TEST_CASE("a batch that fails is counted as what it took and gave back", "",
                   FASTALLOC_TEST_ALL) {
    const auto config =
        pool_config::builder().slot_size(48).capacity(10).growth(growth_strategy::none()).build();
    TestType resource(config);
    std::vector<void*> blocks(11);
    CHECK_THROWS_AS(resource.allocate_batch(blocks, 48, 8), pool_exhausted);
    const pool_statistics s = resource.statistics();
    CHECK(s.allocations == 10);
    CHECK(s.deallocations == 10);
    CHECK(s.failures.exhausted == 1);
    CHECK(s.peak == 10);
}

TEMPLATE_TEST_CASE("threads are counted apart and added up", "", counting_thread_local,
                   counting_synchronized, counting_lock_free) {
    TestType resource(std::pmr::new_delete_resource());
    constexpr std::size_t threads = 4;
    constexpr std::size_t rounds = 3'000;
    std::atomic<bool> done{false};
    std::size_t most_seen = 0;
    std::size_t most_larger_seen = 0;
    bool is_consistent = true;
    std::thread observer([&] {
        while (!done.load()) {
            const pool_statistics s = resource.statistics();
            most_seen = std::max(most_seen, s.current);
            most_larger_seen = std::max(most_larger_seen, s.larger_current);
            is_consistent = is_consistent && s.peak >= s.current && s.hit_rate() >= 0;
        }
    });
    in_threads(threads, [&](std::size_t) {
        for (std::size_t round = 0; round != rounds; ++round) {
            deallocate_all(resource, allocate_some(resource, 10, 24), 24);
            deallocate_all(resource, allocate_some(resource, 1, 10'000), 10'000);
        }
    });
    done = true;
    observer.join();
    CHECK(most_seen <= threads * 10);
    CHECK(most_larger_seen <= threads);
    CHECK(is_consistent);
    const pool_statistics s = resource.statistics();
    CHECK(s.allocations == threads * rounds * 10);
    CHECK(s.deallocations == threads * rounds * 10);
    CHECK(s.current == 0);
    CHECK(s.peak >= 10);
    CHECK(s.peak <= threads * 10);
}

TEMPLATE_TEST_CASE("a peak is bounded when one thread frees what another allocates", "",
                   counting_synchronized, counting_lock_free) {
    TestType resource(std::pmr::new_delete_resource());
    for (int round = 0; round != 200; ++round) {
        const std::vector<void*> blocks = allocate_some(resource, 50, 24);
        std::thread([&] { deallocate_all(resource, blocks, 24); }).join();
    }
    const pool_statistics s = resource.statistics();
    CHECK(s.allocations == 200 * 50);
    CHECK(s.deallocations == 200 * 50);
    CHECK(s.current == 0);
    CHECK(s.peak >= 50);
    CHECK(s.peak <= resource.capacity());
    CHECK(s.peak < 200 * 50 / 4);
}

TEST_CASE("who adopts pools, and finds slots in a magazine, has missed it") {
    counting_thread_local resource(std::pmr::new_delete_resource());
    std::vector<void*> blocks;
    std::thread([&] { blocks = allocate_some(resource, 5, 24); }).join();
    deallocate_all(resource, blocks, 24);
    const std::uint64_t before = resource.statistics().misses;
    std::thread([&] { deallocate_all(resource, allocate_some(resource, 2, 24), 24); }).join();
    CHECK(resource.statistics().misses == before + 1);
    CHECK(resource.statistics().allocations == 7);
}

TEST_CASE("a peak is bounded when a thread gives back what many left that ended") {
    counting_thread_local resource(std::pmr::new_delete_resource());
    void* const mine = resource.allocate(24, 8);
    for (int round = 0; round != 50; ++round) {
        std::vector<void*> blocks;
        std::thread([&] { blocks = allocate_some(resource, 1'000, 24); }).join();
        deallocate_all(resource, blocks, 24);
        resource.trim();
    }
    pool_statistics s = resource.statistics();
    CHECK(s.current == 1);
    CHECK(s.peak >= 1'001);
    CHECK(s.peak < 10'000);
    resource.reset_statistics();
    s = resource.statistics();
    CHECK(s.peak < 2'000);
    CHECK(s.allocations == 0);
    resource.deallocate(mine, 24, 8);
}

TEST_CASE("what a thread left is counted once when others give it back") {
    counting_thread_local resource(std::pmr::new_delete_resource());
    std::vector<void*> blocks;
    void* larger = nullptr;
    std::thread([&] {
        blocks = allocate_some(resource, 1'000, 24);
        larger = resource.allocate(100'000, 8);
    }).join();
    CHECK(resource.statistics().current == 1'000);
    SECTION("by a thread without pools") {}
    SECTION("by a thread with pools") {
        resource.deallocate(resource.allocate(24, 8), 24, 8);
        resource.reset_statistics();
    }
    const std::uint64_t before = resource.statistics().deallocations;
    deallocate_all(resource, blocks, 24);
    resource.deallocate(larger, 100'000, 8);
    const pool_statistics s = resource.statistics();
    CHECK(s.deallocations - before == 1'000);
    CHECK(s.current == 0);
    CHECK(s.larger_current == 0);
    CHECK(s.larger_deallocations == 1);
}

TEMPLATE_TEST_CASE("the time of each operation is measured", "", fixed<timing_statistics>,
                   growing<timing_statistics>, thread_local_<timing_statistics>,
                   synchronized<timing_statistics>, lock_free<timing_statistics>) {
    const auto config =
        pool_config::builder().slot_size(48).capacity(10).growth(growth_strategy::none()).build();
    TestType resource(config);
    std::pmr::memory_resource& virtually = resource;
    void* const a = virtually.allocate(48, 8);
    const std::vector<void*> blocks = allocate_some(resource, 9, 48);
    CHECK(resource.try_allocate(48, 8) == nullptr);
    virtually.deallocate(a, 48, 8);
    CHECK(resource.latency().allocate.count() == 11);
    CHECK(resource.latency().allocate.max() != 0);
    CHECK(resource.latency().deallocate.count() == 1);
    CHECK(resource.statistics().allocations == 10);
    resource.reset_statistics();
    CHECK(resource.latency().allocate.count() == 0);
    CHECK(resource.latency().deallocate.count() == 0);
    deallocate_all(resource, blocks, 48);
    CHECK(resource.latency().deallocate.count() == 9);
    resource.release();
    CHECK(resource.latency().deallocate.count() == 0);
}

TEST_CASE("latency can be read while another thread begins anew") {
    synchronized<timing_statistics> resource(std::pmr::new_delete_resource());
    std::atomic<bool> done{false};
    std::thread resetting([&] {
        while (!done.load()) resource.reset_statistics();
    });
    std::thread working([&] {
        for (int i = 0; i != 20'000; ++i) resource.deallocate(resource.allocate(24, 8), 24, 8);
        done = true;
    });
    std::uint64_t most = 0;
    while (!done.load()) most = std::max(most, resource.latency().allocate.count());
    resetting.join();
    working.join();
    CHECK(most <= 20'000);
}

TEST_CASE("a slow upstream shows in the time of the allocation that asked it") {
    struct slow final : std::pmr::memory_resource {
        void* do_allocate(std::size_t bytes, std::size_t alignment) override {
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
            return std::pmr::new_delete_resource()->allocate(bytes, alignment);
        }
        void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) override {
            std::pmr::new_delete_resource()->deallocate(p, bytes, alignment);
        }
        bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
            return this == &other;
        }
    } upstream;
    growing<timing_statistics> resource(&upstream);
    resource.deallocate(resource.allocate(24, 8), 24, 8);
    CHECK(resource.latency().allocate.max() >= 2'000'000);
}

}  // namespace fastalloc::testing
