// SPDX-License-Identifier: MIT
#include "conformance/any_resource_suite.hpp"
#include "conformance/growing_fixtures.hpp"

#include <fastalloc/fastalloc.hpp>

#include <cstddef>
#include <limits>
#include <memory_resource>

namespace fastalloc::testing {

namespace {

constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();

// The adaptors, where they let everything pass.

struct counted {
    explicit counted(std::pmr::memory_resource* upstream) : resource(upstream) {}
    statistics_resource resource;
};

struct limited {
    explicit limited(std::pmr::memory_resource* upstream) : resource(no_limit, upstream) {}
    limit_resource resource;
};

struct limited_twice {
    explicit limited_twice(std::pmr::memory_resource* upstream)
        : parent(no_limit, upstream), resource(no_limit, &parent) {}
    limit_resource parent;
    limit_resource resource;
};

struct faulty {
    explicit faulty(std::pmr::memory_resource* upstream) : resource(upstream) {}
    fault_injection_resource resource;
};

struct guarded {
    explicit guarded(std::pmr::memory_resource* upstream) : resource(upstream) {}
    guarded_resource resource;
};

struct guarded_in_scope {
    explicit guarded_in_scope(std::pmr::memory_resource* upstream) : resource(upstream) {}
    struct ignore {
        void operator()(std::size_t, std::size_t) const noexcept {}
    };
    guarded_resource resource;
    no_alloc_guard<ignore> guard{resource, ignore()};
};

struct statistics_over_all {
    explicit statistics_over_all(std::pmr::memory_resource* upstream)
        : guard(upstream), fault(&guard), limit(no_limit, &fault), resource(&limit) {}
    guarded_resource guard;
    fault_injection_resource fault;
    limit_resource limit;
    statistics_resource resource;
};

struct guard_over_all {
    explicit guard_over_all(std::pmr::memory_resource* upstream)
        : statistics(upstream), limit(no_limit, &statistics), fault(&limit), resource(&fault) {}
    statistics_resource statistics;
    limit_resource limit;
    fault_injection_resource fault;
    guarded_resource resource;
};

/// A pool that asks all adaptors.
struct pool_over_all {
    static constexpr bool serves_larger = true;
    static constexpr bool can_grow = true;
    static constexpr std::size_t first_slots_kept =
        drop_in<growing_pool_resource>::first_slots_kept;
    static bool fits(std::size_t bytes, std::size_t alignment) {
        return drop_in<growing_pool_resource>::fits(bytes, alignment);
    }
    std::pmr::memory_resource* upstream_of(std::pmr::memory_resource*) { return &all.resource; }

    explicit pool_over_all(std::pmr::memory_resource* upstream)
        : all(upstream), resource(&all.resource) {}
    statistics_over_all all;
    growing_pool_resource resource;
};

}  // namespace

#define ADAPTORS                                                                             \
    counted, limited, limited_twice, faulty, guarded, guarded_in_scope, statistics_over_all, \
        guard_over_all

TEMPLATE_TEST_CASE("adaptors conform", "", ADAPTORS) { any_resource_suite<TestType>(); }

TEMPLATE_TEST_CASE("adaptors are transparent", "", ADAPTORS) {
    transparent_resource_suite<TestType>();
}

TEMPLATE_TEST_CASE("growing_pool_resource conforms over all adaptors", "", pool_over_all) {
    resource_suite<TestType>();
}

TEST_CASE("each adaptor of a chain sees what passes the ones before it") {
    checking_resource upstream;
    statistics_over_all chain(&upstream);
    std::size_t told = 0;
    no_alloc_guard guard(chain.guard, [&](std::size_t, std::size_t) { ++told; });
    chain.limit.set_limit(100);
    chain.fault.fail_nth(2);
    void* const p = chain.resource.allocate(60, 8);
    CHECK_THROWS_AS(chain.resource.allocate(41, 8), std::bad_alloc);  // the limit
    CHECK_THROWS_AS(chain.resource.allocate(40, 8), std::bad_alloc);  // the fault
    void* const q = chain.resource.allocate(40, 8);
    CHECK(chain.resource.statistics().failures == 2);
    CHECK(chain.resource.statistics().current_bytes == 100);
    CHECK(chain.limit.used() == 100);
    CHECK(chain.fault.requests() == 3);
    CHECK(chain.fault.failures() == 1);
    CHECK(told == 2);
    CHECK(upstream.allocations() == 2);
    chain.resource.deallocate(p, 60, 8);
    chain.resource.deallocate(q, 40, 8);
    CHECK(chain.limit.used() == 0);
    CHECK(upstream.blocks_out() == 0);
    CHECK(upstream.errors().empty());
}

TEST_CASE("a pool over a limit survives refusals, and gives all of its budget back") {
    checking_resource upstream;
    limit_resource budget(100'000, &upstream);
    {
        growing_pool_resource pool(&budget);
        live_blocks live(pool);
        std::size_t refused = 0;
        while (refused == 0) {
            try {
                live.allocate(64, 8);
            } catch (const std::bad_alloc&) {
                ++refused;
            }
        }
        CHECK(live.size() > 500);
        CHECK(budget.used() <= 100'000);
        CHECK(live.intact());
        budget.set_limit(200'000);
        CHECK(live.allocate(64, 8));
        CHECK(live.clear());
    }
    CHECK(budget.used() == 0);
    CHECK(upstream.peak_bytes() <= 200'000);
    CHECK(upstream.blocks_out() == 0);
}

}  // namespace fastalloc::testing
