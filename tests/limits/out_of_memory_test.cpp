// SPDX-License-Identifier: MIT
// An upstream that has nothing left after some bytes, for as long as it takes, and then has again.
#include "limits/every_resource.hpp"
#include "support/blocks.hpp"
#include "support/catch.hpp"
#include "support/shared_upstream.hpp"

#include <atomic>
#include <cstddef>
#include <new>
#include <random>
#include <thread>
#include <vector>

namespace fastalloc::testing {

namespace {

template <class Resource>
void check_survives(Resource& resource, limit_resource& memory, std::size_t bytes) {
    live_blocks<Resource> blocks(resource);
    std::mt19937 random(7);
    const auto fill = [&] {
        while (void* const p = resource.try_allocate(bytes, 8)) blocks.add(p, bytes, 8);
    };
    fill();
    CHECK_THROWS_AS(resource.allocate(bytes, 8), std::bad_alloc);
    memory.set_limit(0);
    const std::size_t full = blocks.size();
    for (int round = 0; round != 3; ++round) {
        // Out for good: what is given back can be had again, and nothing else.
        for (std::size_t i = 0; i != full / 3; ++i) CHECK(blocks.deallocate_any(random));
        fill();
        CHECK(blocks.size() == full);
        CHECK(resource.try_allocate(bytes, 8) == nullptr);
    }
    memory.set_limit(64 * mib);
    CHECK(blocks.allocate(bytes, 8));
    CHECK(blocks.intact());
    memory.set_limit(0);
    CHECK(blocks.clear());
    resource.trim();
    CHECK(resource.in_use() == 0);
}

}  // namespace

TEMPLATE_TEST_CASE("a pool goes on with what it has while upstream has nothing", "",
                   FASTALLOC_RESOURCES_THAT_GROW) {
    shared_upstream upstream;
    for (const std::size_t limit : {20'000u, 50'001u, 300'000u, 1'000'000u}) {
        limit_resource memory(limit, &upstream);
        CAPTURE(limit);
        {
            TestType configured(slots_of(96, 8).build(), &memory);
            check_survives(configured, memory, 96);
        }
        CHECK(memory.used() == 0);
        memory.set_limit(limit);
        {
            TestType drop_in(&memory);
            check_survives(drop_in, memory, 96);
            memory.set_limit(limit);
            check_survives(drop_in, memory, 1'000);
        }
        CHECK(memory.used() == 0);
    }
    CHECK(upstream.errors().empty());
    CHECK(upstream.bytes_out() == 0);
}

TEMPLATE_TEST_CASE("threads go on with what there is while upstream has nothing", "",
                   synchronized_pool_resource, lock_free_pool_resource,
                   thread_local_pool_resource) {
    shared_upstream upstream;
    limit_resource memory(100'000, &upstream);
    {
        TestType resource(&memory);
        std::atomic<std::size_t> refused = 0;
        std::atomic<bool> all_intact = true;
        std::vector<std::thread> threads;
        for (unsigned t = 0; t != 3; ++t) {
            threads.emplace_back([&, t] {
                live_blocks<TestType> blocks(resource);
                std::mt19937 random(t);
                for (int i = 0; i != 4'000; ++i) {
                    if (random() % 8 < 5) {
                        void* const p = resource.try_allocate(200, 8);
                        if (p == nullptr) {
                            ++refused;
                        } else {
                            blocks.add(p, 200, 8);
                        }
                    } else if (blocks.size() != 0 && !blocks.deallocate_any(random)) {
                        all_intact = false;
                    }
                }
                if (!blocks.clear()) all_intact = false;
            });
        }
        for (std::thread& t : threads) t.join();
        CHECK(refused != 0);
        CHECK(all_intact);
        resource.trim();
        resource.deallocate(resource.allocate(200, 8), 200, 8);
        resource.release();
        CHECK(memory.used() == 0);
    }
    CHECK(upstream.errors().empty());
    CHECK(upstream.bytes_out() == 0);
}

TEMPLATE_TEST_CASE("what ended threads kept is used up while upstream has nothing", "",
                   synchronized_pool_resource, lock_free_pool_resource) {
    limit_resource memory(16 * mib);
    TestType resource(&memory);
    // So that this thread does not go on where the other ends.
    resource.deallocate(resource.allocate(5'000, 8), 5'000, 8);
    resource.deallocate(resource.allocate(8, 8), 8, 8);
    std::thread([&] {
        live_blocks<TestType> blocks(resource);
        for (int i = 0; i != 100; ++i) blocks.allocate(200, 8);
    }).join();
    memory.set_limit(0);
    std::vector<void*> all;
    while (void* const p = resource.try_allocate(200, 8)) all.push_back(p);
    CHECK(all.size() >= 100);
    for (void* const p : all) resource.deallocate(p, 200, 8);
}

}  // namespace fastalloc::testing
