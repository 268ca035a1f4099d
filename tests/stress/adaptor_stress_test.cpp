// SPDX-License-Identifier: MIT
#include "stress/team.hpp"
#include "support/catch.hpp"
#include "support/shared_upstream.hpp"

#include <fastalloc/adaptor/fault_injection_resource.hpp>
#include <fastalloc/adaptor/limit_resource.hpp>
#include <fastalloc/adaptor/no_alloc_guard.hpp>
#include <fastalloc/adaptor/statistics_resource.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <new>
#include <vector>

namespace fastalloc::testing {

namespace {

constexpr std::size_t threads = 4;
constexpr std::size_t rounds = 5'000;  // of each thread

/// Allocates and gives back blocks of up to 99 bytes, a few at a time, and gives all back at the end.
/// It goes on when a request is refused. What was granted and what was refused it adds up.
class customer {
public:
    customer(std::pmr::memory_resource& resource, std::size_t thread) : worker_(resource, thread) {}

    void ask() {
        if (live_.size() == 20) give_back(worker_.up_to(19));
        const std::size_t bytes = worker_.up_to(99);
        try {
            live_.push_back(worker_.allocate(bytes, 8));
            ++granted;
            granted_bytes += bytes;
        } catch (const std::bad_alloc&) {
            ++refused;
        }
    }

    void give_all_back() {
        while (!live_.empty()) give_back(live_.size() - 1);
    }

    std::uint64_t granted = 0;
    std::uint64_t granted_bytes = 0;
    std::uint64_t refused = 0;
    std::size_t damaged = 0;

private:
    void give_back(std::size_t i) {
        damaged += !worker_.deallocate(live_[i]);
        live_[i] = live_.back();
        live_.pop_back();
    }

    worker<std::pmr::memory_resource> worker_;
    std::vector<signed_block> live_;
};

/// Sums over threads.
struct totals {
    std::atomic<std::uint64_t> granted = 0;
    std::atomic<std::uint64_t> granted_bytes = 0;
    std::atomic<std::uint64_t> refused = 0;
    std::atomic<std::size_t> damaged = 0;

    void add(const customer& c) {
        granted += c.granted;
        granted_bytes += c.granted_bytes;
        refused += c.refused;
        damaged += c.damaged;
    }
};

}  // namespace

TEST_CASE("what threads count adds up") {
    shared_upstream upstream;
    fault_injection_resource faulty(&upstream);
    statistics_resource counted(&faulty);
    faulty.fail_every(7);
    totals all;
    std::atomic<std::size_t> impossible = 0;
    in_threads(threads, [&](std::size_t i) {
        customer c(counted, i);
        for (std::size_t n = 0; n != rounds; ++n) {
            c.ask();
            const request_statistics s = counted.statistics();
            impossible += s.peak < s.current || s.peak_bytes < s.current_bytes;
            impossible += s.current > threads * 20;
            impossible += s.largest_bytes > 99;
        }
        c.give_all_back();
        all.add(c);
    });
    const request_statistics s = counted.statistics();
    CHECK(s.allocations == all.granted);
    CHECK(s.deallocations == all.granted);
    CHECK(s.failures == all.refused);
    CHECK(s.total_bytes == all.granted_bytes);
    CHECK(s.current == 0);
    CHECK(s.current_bytes == 0);
    CHECK(s.peak >= 20);
    CHECK(s.peak_bytes > 500);
    CHECK(s.peak_bytes <= upstream.peak_bytes());
    CHECK(s.largest_bytes == 99);
    CHECK(faulty.requests() == threads * rounds);
    CHECK(faulty.failures() == threads * rounds / 7);
    CHECK(all.refused == threads * rounds / 7);
    CHECK(all.damaged == 0);
    CHECK(impossible == 0);
    CHECK(upstream.errors().empty());
}

TEST_CASE("a reset while threads are inside loses no block") {
    shared_upstream upstream;
    statistics_resource counted(&upstream);
    totals all;
    std::atomic<std::size_t> impossible = 0;
    in_threads(threads, [&](std::size_t i) {
        customer c(counted, i);
        for (std::size_t n = 0; n != rounds; ++n) {
            c.ask();
            if (n % 10 == 0) counted.reset_statistics();
        }
        all.add(c);
        c.give_all_back();
        const request_statistics s = counted.statistics();
        impossible += s.peak < s.current || s.peak_bytes < s.current_bytes;
    });
    CHECK(impossible == 0);
    CHECK(counted.statistics().current == 0);
    CHECK(counted.statistics().current_bytes == 0);
    counted.reset_statistics();
    CHECK(counted.statistics() == request_statistics());
}

TEST_CASE("threads never exceed a limit, nor the limits above it") {
    shared_upstream upstream;
    constexpr std::size_t limit = 1'500;
    limit_resource all_together(limit, &upstream);
    std::vector<std::size_t> too_much(threads);
    totals all;
    in_threads(threads, [&](std::size_t i) {
        limit_resource own(600, &all_together);
        customer c(own, i);
        for (std::size_t n = 0; n != rounds; ++n) {
            c.ask();
            too_much[i] += own.used() > 600 || all_together.used() > limit;
            too_much[i] += own.remaining() > 600;
        }
        c.give_all_back();
        too_much[i] += own.used();
        all.add(c);
    });
    CHECK(too_much == std::vector<std::size_t>(threads));
    CHECK(upstream.peak_bytes() <= limit);
    CHECK(upstream.peak_bytes() > 500);
    CHECK(all_together.used() == 0);
    CHECK(all_together.remaining() == limit);
    CHECK(all.granted + all.refused == threads * rounds);
    CHECK(all.refused > 0);
    CHECK(all.damaged == 0);
    CHECK(upstream.errors().empty());
}

TEST_CASE("a limit that moves while threads are inside holds from then on") {
    shared_upstream upstream;
    limit_resource budget(1'500, &upstream);
    in_threads(threads, [&](std::size_t i) {
        customer c(budget, i);
        for (std::size_t n = 0; n != rounds; ++n) {
            c.ask();
            if (i == 0) budget.set_limit(n % 2 == 0 ? 500 : 1'500);
        }
        c.give_all_back();
    });
    CHECK(budget.used() == 0);
    CHECK(upstream.peak_bytes() <= 1'500);
    CHECK(upstream.errors().empty());
}

TEST_CASE("a thread's guard does not hold for the others") {
    shared_upstream upstream;
    guarded_resource memory(&upstream);
    std::vector<std::size_t> told(threads);
    std::vector<std::uint64_t> granted(threads);
    in_threads(threads, [&](std::size_t i) {
        customer c(memory, i);
        for (std::size_t n = 0; n != rounds; ++n) c.ask();
        if (i % 2 == 0) {
            no_alloc_guard guard(memory, [&](std::size_t, std::size_t) { ++told[i]; });
            for (std::size_t n = 0; n != rounds; ++n) c.ask();
            granted[i] = guard.violations();
        } else {
            for (std::size_t n = 0; n != rounds; ++n) c.ask();
        }
        c.give_all_back();
    });
    for (std::size_t i = 0; i != threads; ++i) {
        CHECK(told[i] == (i % 2 == 0 ? rounds : 0));
        CHECK(granted[i] == told[i]);
    }
    CHECK(upstream.errors().empty());
}

}  // namespace fastalloc::testing
