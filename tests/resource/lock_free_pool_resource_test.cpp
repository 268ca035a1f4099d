// SPDX-License-Identifier: MIT
#include "support/catch.hpp"
#include "support/checking_resource.hpp"
#include "support/shared_upstream.hpp"

#include <fastalloc/config.hpp>
#include <fastalloc/detail/machine.hpp>
#include <fastalloc/resource/lock_free_pool_resource.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory_resource>
#include <new>
#include <set>
#include <thread>
#include <vector>

namespace fastalloc::testing {

namespace {

using blocks = std::vector<void*>;
constexpr std::size_t block_bytes = 16;
constexpr std::size_t larger_bytes = std::size_t{1} << 20;

blocks allocated(lock_free_pool_resource& resource, std::size_t count) {
    blocks all(count);
    resource.allocate_batch(all, block_bytes, 8);
    return all;
}

void in_another_thread(auto work) { std::thread(work).join(); }

std::set<std::uintptr_t> cache_lines_of(const blocks& all) {
    std::set<std::uintptr_t> lines;
    for (const void* const p : all) lines.insert(detail::address(p) / detail::cache_line);
    return lines;
}

}  // namespace

TEST_CASE("threads of a lock_free_pool_resource refill from slabs of their own") {
    lock_free_pool_resource resource;
    // Free slots of the one, far more than its magazine holds, lie between its live ones when the other
    // needs some.
    const blocks all = allocated(resource, 20'000);
    blocks mine;
    for (std::size_t i = 0; i != all.size(); ++i) {
        if (i % 2 == 0) mine.push_back(all[i]);
        if (i % 2 != 0) resource.deallocate(all[i], block_bytes, 8);
    }
    blocks theirs;
    in_another_thread([&] { theirs = allocated(resource, 5'000); });
    const auto lines = cache_lines_of(mine);
    std::vector<std::uintptr_t> common;
    std::ranges::set_intersection(lines, cache_lines_of(theirs), std::back_inserter(common));
    CHECK(common.size() <= 2);
    resource.deallocate_batch(mine, block_bytes, 8);
    resource.deallocate_batch(theirs, block_bytes, 8);
}

TEST_CASE("slabs that one thread no longer uses serve another") {
    lock_free_pool_resource resource;
    blocks mine = allocated(resource, 100'000);
    const std::size_t capacity = resource.capacity();
    resource.deallocate_batch(mine, block_bytes, 8);
    in_another_thread([&] {
        const blocks theirs = allocated(resource, 80'000);
        CHECK(resource.capacity() == capacity);
        resource.deallocate_batch(theirs, block_bytes, 8);
    });
}

TEST_CASE("when upstream has nothing left, threads use up each other's slabs") {
    shared_upstream upstream;
    lock_free_pool_resource resource(&upstream);
    blocks mine = allocated(resource, 20'000);
    blocks every_other;
    for (std::size_t i = 0; i < mine.size(); i += 2) every_other.push_back(mine[i]);
    in_another_thread([&] {
        // What it needs of its own.
        resource.deallocate(resource.allocate(block_bytes, 8), block_bytes, 8);
        const std::size_t before = resource.available();
        resource.deallocate_batch(every_other, block_bytes, 8);
        upstream.fail_after(0);
        const std::size_t free = before + every_other.size();
        blocks theirs;
        while (void* const p = resource.try_allocate(block_bytes, 8)) theirs.push_back(p);
        // The other thread keeps a few.
        CHECK(theirs.size() + 2'048 > free);
        CHECK_THROWS_AS(resource.allocate(block_bytes, 8), std::bad_alloc);
        upstream.never_fail();
        resource.deallocate_batch(theirs, block_bytes, 8);
    });
    CHECK(resource.in_use() == mine.size() - every_other.size());
}

TEST_CASE("a cap is reached by any thread, whoever owns the slabs") {
    const auto config = pool_config::builder()
                            .slot_size(block_bytes)
                            .capacity(10'000)
                            .growth(growth_strategy::none())
                            .build();
    lock_free_pool_resource resource(config);
    resource.deallocate(resource.allocate(block_bytes, 8), block_bytes, 8);
    in_another_thread([&] {
        blocks theirs;
        while (void* const p = resource.try_allocate(block_bytes, 8)) theirs.push_back(p);
        CHECK(theirs.size() + 10'000 / 64 >= 10'000);
        resource.deallocate_batch(theirs, block_bytes, 8);
    });
}

TEST_CASE("what cannot be noted is refused, and loses nothing") {
    // Grants what is large, while nothing else is to be had.
    struct : std::pmr::memory_resource {
        bool is_short = false;

        void* do_allocate(std::size_t bytes, std::size_t alignment) override {
            if (is_short && bytes < larger_bytes) throw std::bad_alloc();
            return std::pmr::new_delete_resource()->allocate(bytes, alignment);
        }
        void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) override {
            std::pmr::new_delete_resource()->deallocate(p, bytes, alignment);
        }
        bool do_is_equal(const memory_resource& other) const noexcept override {
            return this == &other;
        }
    } upstream;
    lock_free_pool_resource resource(&upstream);
    // Full checks note it before the resource does.
    resource.deallocate(resource.allocate(larger_bytes, 8), larger_bytes, 8);
    upstream.is_short = true;
    blocks all;
    const auto fill = [&] {
        for (;;) all.push_back(resource.allocate(larger_bytes, 8));
    };
    CHECK_THROWS_AS(fill(), std::bad_alloc);
    const std::size_t most = all.size();
    CHECK(most >= 8);
    CHECK_THROWS_AS(fill(), std::bad_alloc);
    CHECK(all.size() == most);
    resource.deallocate(all.back(), larger_bytes, 8);
    all.pop_back();
    CHECK_THROWS_AS(fill(), std::bad_alloc);
    CHECK(all.size() == most);
    upstream.is_short = false;
    all.push_back(resource.allocate(larger_bytes, 8));
    for (void* const p : all) resource.deallocate(p, larger_bytes, 8);
    CHECK(resource.invariants_hold());
}

}  // namespace fastalloc::testing
