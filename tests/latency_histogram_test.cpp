// SPDX-License-Identifier: MIT
#include "support/catch.hpp"

#include <fastalloc/collector.hpp>
#include <fastalloc/latency_histogram.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>

namespace fastalloc::testing {

TEST_CASE("every duration has a bucket that says no less, and less than an eighth more") {
    std::mt19937_64 random(1);
    for (int i = 0; i != 10'000; ++i) {
        const std::uint64_t n = random() >> (29 + random() % 35);
        CAPTURE(n);
        const std::size_t bucket = latency_histogram::bucket_of(n);
        REQUIRE(bucket < latency_histogram::bucket_count);
        const std::uint64_t longest = latency_histogram::longest_of(bucket);
        REQUIRE(longest >= n);
        REQUIRE(longest - n <= n / 8);
        REQUIRE(latency_histogram::bucket_of(longest) == bucket);
        REQUIRE(latency_histogram::bucket_of(longest + 1) == bucket + 1);
    }
}

TEST_CASE("what takes longer than a minute counts as that") {
    latency_histogram h;
    h.record(std::numeric_limits<std::uint64_t>::max());
    CHECK(h.max() == (std::uint64_t{1} << 36) - 1);
}

TEST_CASE("a histogram of nothing says nothing") {
    const latency_histogram h;
    CHECK(h.count() == 0);
    CHECK(h.quantile(0.5) == 0);
    CHECK(h.max() == 0);
    h.for_each_bucket([](std::uint64_t, std::uint64_t) { FAIL(); });
}

TEST_CASE("quantiles are the operations that many did not exceed") {
    latency_histogram h;
    for (std::uint64_t n = 1; n <= 8; ++n) h.record(n);
    CHECK(h.count() == 8);
    CHECK(h.quantile(0) == 1);
    CHECK(h.quantile(0.5) == 4);
    CHECK(h.quantile(0.51) == 5);
    CHECK(h.quantile(0.99) == 8);
    h.record(1'000, 92);
    CHECK(h.count() == 100);
    CHECK(h.quantile(0.08) == 8);
    CHECK(h.quantile(0.081) == h.max());
    CHECK(h.max() >= 1'000);
    CHECK(h.max() < 1'125);
}

TEST_CASE("there may be more operations than a double tells apart") {
    latency_histogram h;
    h.record(5, std::numeric_limits<std::uint64_t>::max());
    CHECK(h.quantile(1) == 5);
    CHECK(h.quantile(0.999) == 5);
}

TEST_CASE("histograms add up") {
    latency_histogram a;
    latency_histogram b;
    a.record(5);
    b.record(5, 2);
    b.record(7);
    a += b;
    CHECK(a.count() == 4);
    std::uint64_t buckets = 0;
    a.for_each_bucket([&](std::uint64_t longest, std::uint64_t count) {
        ++buckets;
        CHECK(count == (longest == 5 ? 3 : 1));
    });
    CHECK(buckets == 2);
}

TEST_CASE("a histogram of many threads has every bucket, from its reset on") {
    detail::striped_histogram h;
    for (std::size_t b = 0; b != latency_histogram::bucket_count; ++b) {
        h.record(latency_histogram::longest_of(b));
    }
    const latency_histogram all = h.since_reset();
    CHECK(all.count() == latency_histogram::bucket_count);
    CHECK(all.quantile(0) == latency_histogram::longest_of(0));
    CHECK(all.max() == latency_histogram::longest_of(latency_histogram::bucket_count - 1));
    h.reset();
    CHECK(h.since_reset().count() == 0);
    h.record(0);
    CHECK(h.since_reset().count() == 1);
}

}  // namespace fastalloc::testing
