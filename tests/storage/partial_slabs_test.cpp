// SPDX-License-Identifier: MIT
#include "support/catch.hpp"
#include "support/checking_resource.hpp"

#include <fastalloc/storage/partial_slabs.hpp>

#include <algorithm>
#include <cstddef>
#include <new>
#include <numeric>
#include <random>
#include <vector>

namespace fastalloc::testing {

namespace {

using detail::partial_slabs;
using detail::slab_range;

struct releasing {
    ~releasing() {
        partial_slabs::release(slabs, upstream);
        CHECK(upstream->errors() == "");
    }

    checking_resource* upstream;
    partial_slabs* slabs;

    partial_slabs* operator->() const { return slabs; }
};

releasing make(checking_resource& upstream, std::size_t capacity) {
    return {&upstream, partial_slabs::made_for(capacity, &upstream)};
}

}  // namespace

TEST_CASE("partial_slabs have the slab with the highest number first") {
    const std::size_t capacity = GENERATE(1u, 8u, 64u, 65u, 4'096u, 5'000u);
    checking_resource upstream;
    std::vector<slab_range> slabs(capacity);
    std::vector<std::size_t> order(capacity);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::shuffle(order.begin(), order.end(), std::mt19937{});
    {
        const releasing partial = make(upstream, capacity);
        CHECK(partial->capacity() == capacity);
        CHECK(partial->size() == 0);
        CHECK(partial->take() == nullptr);
        for (const std::size_t n : order) {
            CHECK_FALSE(partial->has(&slabs[n], n));
            partial->put(&slabs[n], n);
            REQUIRE(partial->has(&slabs[n], n));
        }
        CHECK(partial->invariants_hold());
        CHECK(partial->size() == capacity);
        for (std::size_t n = capacity; n-- != 0;) REQUIRE(partial->take() == &slabs[n]);
        CHECK(partial->take() == nullptr);
        partial->put(&slabs.back(), capacity - 1);
        partial->clear();
        CHECK(partial->take() == nullptr);
        CHECK_FALSE(partial->has(&slabs.back(), capacity - 1));
        CHECK_FALSE(partial->has(&slabs.back(), capacity));
    }
    CHECK(upstream.bytes_out() == 0);
    CHECK(upstream.allocations() == 1);
}

TEST_CASE("partial_slabs take over what others have") {
    checking_resource upstream;
    std::vector<slab_range> slabs(100);
    const releasing fewer = make(upstream, 100);
    for (std::size_t n = 0; n < 100; n += 3) fewer->put(&slabs[n], n);
    const releasing more = make(upstream, 200);
    more->take_all(*fewer.slabs);
    CHECK(fewer->take() == nullptr);
    CHECK(more->size() == 34);
    for (std::size_t n = 0; n < 100; n += 3) REQUIRE(more->take() == &slabs[99 - n]);
    CHECK(more->take() == nullptr);
}

TEST_CASE("partial_slabs that cannot be made throw, and leave nothing behind") {
    checking_resource upstream;
    CHECK_THROWS_AS(partial_slabs::made_for(std::size_t{1} << 32, &upstream), std::bad_alloc);
    CHECK(upstream.allocations() == 0);
    upstream.fail_after(0);
    CHECK_THROWS_AS(partial_slabs::made_for(10, &upstream), std::bad_alloc);
    CHECK(upstream.bytes_out() == 0);
    partial_slabs::release(nullptr, &upstream);
    CHECK(upstream.calls() == 0);
}

}  // namespace fastalloc::testing
