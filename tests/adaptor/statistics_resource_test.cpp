// SPDX-License-Identifier: MIT
#include "support/catch.hpp"
#include "support/checking_resource.hpp"

#include <fastalloc/adaptor/statistics_resource.hpp>

#include <cstddef>
#include <memory_resource>
#include <new>

namespace fastalloc::testing {

TEST_CASE("statistics count allocations, deallocations, and what is current") {
    checking_resource upstream;
    statistics_resource counted(&upstream);
    CHECK(counted.upstream_resource() == &upstream);
    CHECK(counted.statistics() == request_statistics());
    void* const a = counted.allocate(100, 8);
    void* const b = counted.allocate(0, 1);
    void* const c = counted.allocate(30, 64);
    request_statistics expected;
    expected.allocations = 3;
    expected.current = 3;
    expected.peak = 3;
    expected.current_bytes = 130;
    expected.peak_bytes = 130;
    expected.largest_bytes = 100;
    expected.total_bytes = 130;
    CHECK(counted.statistics() == expected);
    counted.deallocate(a, 100, 8);
    counted.deallocate(b, 0, 1);
    void* const d = counted.allocate(40, 8);
    expected.allocations = 4;
    expected.deallocations = 2;
    expected.current = 2;
    expected.current_bytes = 70;
    expected.total_bytes = 170;
    CHECK(counted.statistics() == expected);
    counted.deallocate(c, 30, 64);
    counted.deallocate(d, 40, 8);
    expected.deallocations = 4;
    expected.current = 0;
    expected.current_bytes = 0;
    CHECK(counted.statistics() == expected);
}

TEST_CASE("the peaks of blocks and of bytes are those of different moments") {
    statistics_resource counted;
    void* const large = counted.allocate(1'000);
    counted.deallocate(large, 1'000);
    void* const a = counted.allocate(10);
    void* const b = counted.allocate(10);
    CHECK(counted.statistics().peak == 2);
    CHECK(counted.statistics().peak_bytes == 1'000);
    counted.deallocate(a, 10);
    counted.deallocate(b, 10);
}

TEST_CASE("statistics count a failure as that and as nothing else") {
    checking_resource upstream;
    statistics_resource counted(&upstream);
    upstream.fail_after(0);
    CHECK_THROWS_AS(counted.allocate(1'000, 8), std::bad_alloc);
    CHECK_THROWS_AS(counted.allocate(10, 8), std::bad_alloc);
    request_statistics expected;
    expected.failures = 2;
    CHECK(counted.statistics() == expected);
}

TEST_CASE("after a reset the counters begin at 0, and the peaks at what is current") {
    checking_resource upstream;
    statistics_resource counted(&upstream);
    void* const kept = counted.allocate(70, 8);
    counted.deallocate(counted.allocate(500, 8), 500, 8);
    upstream.fail_after(0);
    CHECK_THROWS_AS(counted.allocate(1, 1), std::bad_alloc);
    upstream.never_fail();
    counted.reset_statistics();
    request_statistics expected;
    expected.current = 1;
    expected.peak = 1;
    expected.current_bytes = 70;
    expected.peak_bytes = 70;
    CHECK(counted.statistics() == expected);
    counted.deallocate(counted.allocate(20, 8), 20, 8);
    counted.deallocate(kept, 70, 8);
    expected.allocations = 1;
    expected.deallocations = 2;
    expected.current = 0;
    expected.peak = 2;
    expected.current_bytes = 0;
    expected.peak_bytes = 90;
    expected.largest_bytes = 20;
    expected.total_bytes = 20;
    CHECK(counted.statistics() == expected);
}

TEST_CASE("what is current at a reset is the peak until there is more") {
    statistics_resource counted;
    void* const a = counted.allocate(70);
    void* const b = counted.allocate(30);
    counted.reset_statistics();
    counted.deallocate(a, 70);
    counted.deallocate(b, 30);
    CHECK(counted.statistics().peak == 2);
    CHECK(counted.statistics().peak_bytes == 100);
    counted.reset_statistics();
    CHECK(counted.statistics() == request_statistics());
}

TEST_CASE("statistics_resource counts before the default resource unless told otherwise") {
    checking_resource standing_in;
    std::pmr::memory_resource* const before = std::pmr::set_default_resource(&standing_in);
    statistics_resource counted;
    std::pmr::set_default_resource(before);
    CHECK(counted.upstream_resource() == &standing_in);
}

}  // namespace fastalloc::testing
