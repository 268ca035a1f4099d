// SPDX-License-Identifier: MIT
#include "support/blocks.hpp"
#include "support/catch.hpp"
#include "support/in_a_child.hpp"
#include "support/shared_upstream.hpp"

#include <fastalloc/fastalloc.hpp>

#include <atomic>
#include <barrier>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <memory_resource>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <unistd.h>

namespace fastalloc::testing {

namespace {

template <class F>
void in_a_thread(F f) {
    std::thread(f).join();
}

using blocks = std::vector<void*>;

blocks allocate_blocks(thread_local_pool_resource& resource, std::size_t count) {
    blocks all(count);
    resource.allocate_batch(all, 64, 8);
    return all;
}

}  // namespace

TEST_CASE("threads of a thread_local_pool_resource have pools of their own") {
    shared_upstream upstream;
    thread_local_pool_resource resource(&upstream);
    const blocks mine = allocate_blocks(resource, 100);
    CHECK(resource.in_use() == 100);
    in_a_thread([&] {
        blocks theirs(50);
        const bool none = resource.in_use() == 0 && resource.capacity() == 0;
        resource.allocate_batch(theirs, 64, 8);
        const bool own = resource.in_use() == 50 && resource.growth_count() != 0;
        const bool everywhere = resource.owns(theirs[0]) && resource.owns(mine[0]);
        resource.deallocate_batch(theirs, 64, 8);
        if (!none || !own || !everywhere || resource.in_use() != 0) std::abort();
    });
    CHECK(resource.in_use() == 100);
    resource.deallocate_batch(mine, 64, 8);
}

TEST_CASE("caps of a thread_local_pool_resource are those of each thread") {
    const auto config = pool_config::builder().slot_size(64).capacity(10).max_capacity(20).build();
    thread_local_pool_resource resource(config);
    const blocks mine = allocate_blocks(resource, 20);
    CHECK(resource.try_allocate(64, 8) == nullptr);
    CHECK_THROWS_AS(resource.allocate(64, 8), pool_exhausted);
    std::atomic<std::size_t> had = 0;
    in_a_thread([&] {
        while (resource.try_allocate(64, 8) != nullptr) ++had;
    });
    CHECK(had == 20);
}

TEST_CASE("blocks of a thread that ended are valid, and another thread gives them back") {
    shared_upstream upstream;
    thread_local_pool_resource resource(&upstream);
    std::optional<live_blocks<thread_local_pool_resource>> left(resource);
    void* larger = nullptr;
    in_a_thread([&] {
        for (int i = 0; i != 3'000; ++i) left->allocate(64, 8);
        larger = resource.allocate(100'000, 8);
    });
    CHECK(left->intact());
    CHECK(resource.owns(left->pointers().front()));

    SECTION("by a thread that has pools") {
        const blocks mine = allocate_blocks(resource, 3'000);
        CHECK(left->clear());
        resource.deallocate(larger, 100'000, 8);
        resource.deallocate_batch(mine, 64, 8);
        // Slots of the other thread may be among those that are handed out now.
        live_blocks again(resource);
        for (int i = 0; i != 6'000; ++i) again.allocate(64, 8);
        CHECK(again.clear());
    }
    SECTION("by a thread that has none") {
        CHECK(left->clear());
        resource.deallocate(larger, 100'000, 8);
        CHECK(resource.in_use() == 0);
        CHECK(resource.capacity() == 0);
    }
    SECTION("never") { left->forget(); }

    resource.release();
    CHECK(upstream.bytes_out() == 0);
}

// More than the magazine of a class whose own slots are few: they count as its free slots, for a while.
TEST_CASE("blocks of a thread that ended may be more than the slots of the one that frees them") {
    shared_upstream upstream;
    thread_local_pool_resource resource(pool_config::builder().slot_size(64).capacity(2).build(),
                                        &upstream);
    std::vector<void*> left(10);
    in_a_thread([&] { resource.allocate_batch(left, 64); });
    void* const mine = resource.allocate(64);
    resource.deallocate_batch(left, 64);
    CHECK(resource.available() > resource.capacity());
    CHECK(resource.in_use() == 0);
    CHECK(resource.in_use_by_all() == 1);
    CHECK(resource.invariants_hold());
    resource.deallocate(mine, 64);
    CHECK(resource.invariants_hold());
}

TEST_CASE("a new thread takes over the pools of one that ended, once they are empty") {
    shared_upstream upstream;
    thread_local_pool_resource resource(&upstream);
    blocks left;
    in_a_thread([&] { left = allocate_blocks(resource, 1'000); });
    // Not yet.
    in_a_thread([&] { resource.deallocate_batch(allocate_blocks(resource, 1'000), 64, 8); });
    const std::size_t bytes = upstream.bytes_out();
    constexpr std::size_t magazines = 20'000;  // they grow with use; the blocks are 64,000
    in_a_thread([&] { resource.deallocate_batch(allocate_blocks(resource, 1'000), 64, 8); });
    CHECK(upstream.bytes_out() < bytes + magazines);
    resource.deallocate_batch(left, 64, 8);
    // Now there are two.
    std::barrier both(2);
    const auto use = [&] {
        const blocks mine = allocate_blocks(resource, 1'000);
        both.arrive_and_wait();
        resource.deallocate_batch(mine, 64, 8);
    };
    std::thread one(use);
    std::thread other(use);
    one.join();
    other.join();
    CHECK(upstream.bytes_out() < bytes + magazines);
}

TEST_CASE("thousands of threads leave the memory of one") {
    shared_upstream upstream;
    thread_local_pool_resource resource(&upstream);
    const auto use = [&] { resource.deallocate_batch(allocate_blocks(resource, 200), 64, 8); };
    for (int i = 0; i != 20; ++i) in_a_thread(use);
    const std::size_t bytes = upstream.bytes_out();
    for (int i = 0; i != 2'000; ++i) in_a_thread(use);
    CHECK(upstream.bytes_out() == bytes);
}

TEST_CASE("a thread_local_pool_resource may go before its threads do") {
    shared_upstream upstream;
    std::barrier both(2);
    std::optional<thread_local_pool_resource> resource(&upstream);
    std::atomic<bool> has_none = false;
    std::thread thread([&] {
        resource->deallocate_batch(allocate_blocks(*resource, 100), 64, 8);
        both.arrive_and_wait();
        both.arrive_and_wait();
        // The one that is there now stands at the same address.
        has_none = resource->capacity() == 0;
        resource->deallocate_batch(allocate_blocks(*resource, 100), 64, 8);
    });
    both.arrive_and_wait();
    resource.reset();
    CHECK(upstream.bytes_out() == 0);
    resource.emplace(&upstream);
    both.arrive_and_wait();
    thread.join();
    CHECK(has_none);
    resource.reset();
    CHECK(upstream.bytes_out() == 0);
}

TEST_CASE("a thread_local_pool_resource may go while threads that used it end") {
    // In the midst of it.
    struct : std::pmr::memory_resource {
        std::function<void()> when_given_back;

        void* do_allocate(std::size_t bytes, std::size_t alignment) override {
            return std::pmr::new_delete_resource()->allocate(bytes, alignment);
        }
        void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) override {
            if (const auto f = std::exchange(when_given_back, nullptr)) f();
            std::pmr::new_delete_resource()->deallocate(p, bytes, alignment);
        }
        bool do_is_equal(const memory_resource& other) const noexcept override {
            return this == &other;
        }
    } upstream;
    std::optional<thread_local_pool_resource> resource(std::in_place, &upstream);
    blocks left;
    std::barrier both(2);
    std::thread last([&] {
        const blocks mine = allocate_blocks(*resource, 1);
        both.arrive_and_wait();
        both.arrive_and_wait();
        // They stay in the magazine until the thread ends.
        resource->deallocate_batch(left, 64, 8);
        resource->deallocate_batch(blocks(mine), 64, 8);
        both.arrive_and_wait();
        both.arrive_and_wait();
    });
    both.arrive_and_wait();
    in_a_thread([&] { left = allocate_blocks(*resource, 3); });
    both.arrive_and_wait();
    both.arrive_and_wait();
    upstream.when_given_back = [&] {
        both.arrive_and_wait();
        last.join();
    };
    resource.reset();
    CHECK_FALSE(last.joinable());
}

TEST_CASE("a bad free that is found when a thread ends is told when no lock is held") {
    const auto ended = in_a_child([] {
        static thread_local_pool_resource resource;
        static thread_local_pool_resource other;
        set_misuse_handler([](const misuse_report& r) {
            for (thread_local_pool_resource* const used : {&resource, &other}) {
                void* const p = used->allocate(32, 8);
                if (!used->owns(p)) _exit(1);
                used->deallocate(p, 32, 8);
            }
            if (r.fault == misuse::foreign_free && r.pool == &resource) {
                std::fputs("told", stderr);
            }
        });
        alarm(60);
        in_a_thread([] {
            resource.deallocate(resource.allocate(64, 8), 64, 8);
            alignas(8) std::byte foreign[64];
            resource.deallocate(foreign, 64, 8);
        });
    });
    CHECK(ended.output == "told");
    CHECK(ended.aborted == (detail::build::level != detail::checks::full));
}

TEST_CASE("destructors of thread_local objects may use a thread_local_pool_resource") {
    shared_upstream upstream;
    thread_local_pool_resource resource(&upstream);
    struct late {
        thread_local_pool_resource* resource = nullptr;
        blocks held;

        ~late() {
            resource->deallocate_batch(held, 64, 8);
            resource->deallocate_batch(allocate_blocks(*resource, 500), 64, 8);
        }
    };
    in_a_thread([&] {
        thread_local late object;
        object.resource = &resource;
        object.held = allocate_blocks(resource, 500);
    });
    std::atomic<std::size_t> in_use = 1;
    in_a_thread([&] {
        resource.deallocate(resource.allocate(64, 8), 64, 8);
        in_use = resource.in_use();
    });
    CHECK(in_use == 0);
}

TEST_CASE("trim gives back what threads that ended do not use") {
    shared_upstream upstream;
    thread_local_pool_resource resource(&upstream);
    blocks left;
    in_a_thread([&] {
        left = allocate_blocks(resource, 50'000);
        for (std::size_t i = 10; i != left.size(); ++i) resource.deallocate(left[i], 64, 8);
        left.resize(10);
    });
    const std::size_t before = upstream.bytes_out();
    resource.trim();
    CHECK(upstream.bytes_out() < before / 10);
    for (void* const p : left) CHECK(resource.owns(p));
    resource.deallocate_batch(left, 64, 8);
}

TEST_CASE("blocks of a thread that ended go back by one that never had any of their class") {
    shared_upstream upstream;
    thread_local_pool_resource resource(&upstream);
    blocks left;
    void* larger = nullptr;
    in_a_thread([&] {
        left = allocate_blocks(resource, 1'000);
        larger = resource.allocate(100'000, 8);
    });
    SECTION("by a thread that uses another class") {
        in_a_thread([&] {
            resource.deallocate(resource.allocate(400, 8), 400, 8);
            resource.deallocate_batch(left, 64, 8);
            resource.deallocate(larger, 100'000, 8);
        });
    }
    SECTION("by a thread that upstream refused everything") {
        in_a_thread([&] {
            for (std::size_t grants = 0; grants != 2; ++grants) {
                upstream.fail_after(grants);
                CHECK(resource.try_allocate(64, 8) == nullptr);
            }
            resource.deallocate_batch(left, 64, 8);
            resource.deallocate(larger, 100'000, 8);
            upstream.never_fail();
        });
    }
    CHECK(resource.in_use_by_all() == 0);
    resource.release();
    CHECK(upstream.bytes_out() == 0);
}

TEST_CASE("a block given back in the wrong thread is found") {
    thread_local_pool_resource resource;
    const blocks mine = allocate_blocks(resource, 1);
    const ending ended = in_a_child([&] {
        std::thread([&] {
            resource.deallocate(resource.allocate(64, 8), 64, 8);
            resource.deallocate(mine[0], 64, 8);
            resource.trim();
        }).join();
    });
    CHECK(ended.aborted);
    resource.deallocate_batch(mine, 64, 8);
}

}  // namespace fastalloc::testing
