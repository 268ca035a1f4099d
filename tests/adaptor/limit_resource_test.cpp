// SPDX-License-Identifier: MIT
#include "support/catch.hpp"
#include "support/checking_resource.hpp"

#include <fastalloc/adaptor/limit_resource.hpp>

#include <cstddef>
#include <limits>
#include <memory_resource>
#include <new>

namespace fastalloc::testing {

namespace {

constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();

}  // namespace

TEST_CASE("a budget is granted to its last byte and no further") {
    checking_resource upstream;
    limit_resource budget(100, &upstream);
    CHECK(budget.upstream_resource() == &upstream);
    CHECK(budget.parent() == nullptr);
    CHECK(budget.limit() == 100);
    CHECK(budget.used() == 0);
    CHECK(budget.remaining() == 100);
    void* const a = budget.allocate(60, 8);
    CHECK(budget.used() == 60);
    CHECK(budget.remaining() == 40);
    const std::size_t calls = upstream.calls();
    CHECK_THROWS_AS(budget.allocate(41, 8), std::bad_alloc);
    CHECK(upstream.calls() == calls);
    CHECK(upstream.last_request().bytes == 60);
    CHECK(budget.used() == 60);
    void* const b = budget.allocate(40, 8);
    CHECK(budget.remaining() == 0);
    CHECK_THROWS_AS(budget.allocate(1, 1), std::bad_alloc);
    void* const nothing = budget.allocate(0, 1);
    budget.deallocate(nothing, 0, 1);
    budget.deallocate(a, 60, 8);
    CHECK(budget.used() == 40);
    CHECK(budget.remaining() == 60);
    budget.deallocate(budget.allocate(60, 8), 60, 8);
    budget.deallocate(b, 40, 8);
    CHECK(budget.used() == 0);
    CHECK(upstream.errors().empty());
    CHECK(upstream.blocks_out() == 0);
}

TEST_CASE("no size is too large to be refused") {
    checking_resource upstream;
    limit_resource budget(100, &upstream);
    void* const a = budget.allocate(60, 8);
    for (std::size_t below = 0; below != 200; ++below) {
        CHECK_THROWS_AS(budget.allocate(no_limit - below, 1), std::bad_alloc);
    }
    CHECK(upstream.allocations() == 1);
    CHECK(budget.used() == 60);
    budget.deallocate(a, 60, 8);
}

TEST_CASE("what upstream refuses uses nothing, whatever the size") {
    checking_resource upstream;
    limit_resource budget(no_limit, &upstream);
    void* const a = budget.allocate(60, 8);
    CHECK_THROWS_AS(budget.allocate(no_limit - 60, 8), std::bad_alloc);
    CHECK(upstream.last_request().bytes == no_limit - 60);
    CHECK_THROWS_AS(budget.allocate(no_limit - 59, 8), std::bad_alloc);
    CHECK(upstream.last_request().bytes == no_limit - 60);
    upstream.fail_after(0);
    CHECK_THROWS_AS(budget.allocate(10, 8), std::bad_alloc);
    CHECK(budget.used() == 60);
    budget.deallocate(a, 60, 8);
}

TEST_CASE("a limit may be set below what is used, and above it again") {
    checking_resource upstream;
    limit_resource budget(100, &upstream);
    void* const a = budget.allocate(60, 8);
    budget.set_limit(50);
    CHECK(budget.limit() == 50);
    CHECK(budget.used() == 60);
    CHECK(budget.remaining() == 0);
    CHECK_THROWS_AS(budget.allocate(1, 1), std::bad_alloc);
    CHECK_THROWS_AS(budget.allocate(0, 1), std::bad_alloc);
    CHECK_THROWS_AS(budget.allocate(no_limit, 1), std::bad_alloc);
    CHECK(upstream.allocations() == 1);
    budget.set_limit(61);
    CHECK(budget.remaining() == 1);
    budget.deallocate(budget.allocate(1, 1), 1, 1);
    budget.deallocate(a, 60, 8);
}

TEST_CASE("what a child uses counts against its parents") {
    checking_resource upstream;
    limit_resource all(100, &upstream);
    limit_resource team(80, &all);
    limit_resource first(70, &team);
    limit_resource second(70, &team);
    CHECK(first.parent() == &team);
    CHECK(first.upstream_resource() == &team);
    CHECK(first.remaining() == 70);
    void* const a = first.allocate(50, 8);
    CHECK(first.used() == 50);
    CHECK(team.used() == 50);
    CHECK(all.used() == 50);
    CHECK(second.used() == 0);
    CHECK(first.remaining() == 20);
    CHECK(second.remaining() == 30);
    CHECK(team.remaining() == 30);
    CHECK(all.remaining() == 50);

    // The parent refuses; then the parent's parent; then upstream: nobody is left with a part of it.
    const auto is_refused = [&](limit_resource& by, std::size_t bytes) {
        CHECK_THROWS_AS(by.allocate(bytes, 8), std::bad_alloc);
        CHECK(second.used() == 0);
        CHECK(first.used() == 50);
        CHECK(team.used() == 50);
    };
    is_refused(second, 31);
    all.set_limit(60);
    CHECK(second.remaining() == 10);
    is_refused(second, 11);
    CHECK(all.used() == 50);
    CHECK(upstream.allocations() == 1);
    upstream.fail_after(0);
    is_refused(second, 10);
    CHECK(all.used() == 50);
    upstream.never_fail();

    void* const b = second.allocate(10, 8);
    CHECK(all.used() == 60);
    first.deallocate(a, 50, 8);
    CHECK(first.used() == 0);
    CHECK(team.used() == 10);
    CHECK(all.used() == 10);
    second.deallocate(b, 10, 8);
    CHECK(all.used() == 0);
    CHECK(upstream.errors().empty());
}

TEST_CASE("upstream has its bytes back before they are granted again") {
    // Asks, while a block is given back, what is left.
    struct asking final : std::pmr::memory_resource {
        limit_resource* budget = nullptr;
        std::size_t left = 0;
        void* do_allocate(std::size_t bytes, std::size_t alignment) override {
            return std::pmr::new_delete_resource()->allocate(bytes, alignment);
        }
        void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) override {
            left = budget->remaining();
            std::pmr::new_delete_resource()->deallocate(p, bytes, alignment);
        }
        bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
            return this == &other;
        }
    } upstream;
    limit_resource budget(100, &upstream);
    upstream.budget = &budget;
    budget.deallocate(budget.allocate(60, 8), 60, 8);
    CHECK(upstream.left == 40);
    CHECK(budget.remaining() == 100);
}

TEST_CASE("a budget is one of the default resource unless told otherwise") {
    checking_resource standing_in;
    std::pmr::memory_resource* const before = std::pmr::set_default_resource(&standing_in);
    limit_resource budget(1);
    std::pmr::set_default_resource(before);
    CHECK(budget.upstream_resource() == &standing_in);
}

}  // namespace fastalloc::testing
