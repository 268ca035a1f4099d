// SPDX-License-Identifier: MIT
#include "support/catch.hpp"
#include "support/checking_resource.hpp"

#include <fastalloc/adaptor/fault_injection_resource.hpp>

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <new>
#include <string>

namespace fastalloc::testing {

namespace {

/// One letter a request: 'f' if it failed, '.' if not.
std::string ask(std::pmr::memory_resource& resource, std::size_t requests, std::size_t bytes = 8) {
    std::string answers;
    for (std::size_t i = 0; i != requests; ++i) {
        try {
            resource.deallocate(resource.allocate(bytes, 8), bytes, 8);
            answers += '.';
        } catch (const std::bad_alloc&) {
            answers += 'f';
        }
    }
    return answers;
}

}  // namespace

TEST_CASE("nothing fails without a plan") {
    checking_resource upstream;
    fault_injection_resource faulty(&upstream);
    CHECK(faulty.upstream_resource() == &upstream);
    CHECK(ask(faulty, 3) == "...");
    CHECK(faulty.requests() == 3);
    CHECK(faulty.failures() == 0);
    CHECK(upstream.last_request().bytes == 8);
    CHECK(upstream.errors().empty());
}

TEST_CASE("the n-th request from now fails, once") {
    checking_resource upstream;
    fault_injection_resource faulty(&upstream);
    faulty.fail_nth(3);
    CHECK(ask(faulty, 7) == "..f....");
    CHECK(upstream.allocations() == 6);
    CHECK(faulty.requests() == 7);
    CHECK(faulty.failures() == 1);
    faulty.fail_nth(1);
    CHECK(ask(faulty, 3) == "f..");
    faulty.fail_nth(2);
    faulty.fail_nth(0);
    CHECK(ask(faulty, 3) == "...");
}

TEST_CASE("every n-th request from now fails") {
    fault_injection_resource faulty;
    CHECK(ask(faulty, 1) == ".");
    faulty.fail_every(3);
    CHECK(ask(faulty, 8) == "..f..f..");
    CHECK(faulty.failures() == 2);
    faulty.fail_every(1);
    CHECK(ask(faulty, 2) == "ff");
    faulty.fail_every(0);
    CHECK(ask(faulty, 2) == "..");
}

TEST_CASE("requests above a size fail") {
    fault_injection_resource faulty;
    faulty.fail_above(100);
    CHECK(ask(faulty, 2, 100) == "..");
    CHECK(ask(faulty, 2, 101) == "ff");
    faulty.fail_above(0);
    CHECK(ask(faulty, 1, 1) == "f");
    CHECK(ask(faulty, 1, 0) == ".");
}

TEST_CASE("chance is that of splitmix64") {
    // Its first numbers from this seed, as fractions: 0.350, 0.174, 0.532, 0.249, 0.890.
    constexpr std::uint64_t seed = 1'234'567;
    fault_injection_resource faulty;
    faulty.fail_randomly(0.3, seed);
    CHECK(ask(faulty, 5) == ".f.f.");
    faulty.fail_randomly(0.4, seed);
    CHECK(ask(faulty, 5) == "ff.f.");
    faulty.fail_randomly(0.88, seed);
    CHECK(ask(faulty, 5) == "ffff.");
    faulty.fail_randomly(0, seed);
    CHECK(ask(faulty, 100) == std::string(100, '.'));
    faulty.fail_randomly(1, seed);
    CHECK(ask(faulty, 100) == std::string(100, 'f'));
}

TEST_CASE("as many requests fail as the probability says, others for another seed") {
    fault_injection_resource faulty;
    faulty.fail_randomly(0.25, 1);
    const std::string first = ask(faulty, 10'000);
    CHECK(faulty.failures() > 2'300);
    CHECK(faulty.failures() < 2'700);
    faulty.fail_randomly(0.25, 1);
    CHECK(ask(faulty, 10'000) == first);
    faulty.fail_randomly(0.25, 2);
    CHECK(ask(faulty, 10'000) != first);
}

TEST_CASE("the parts of a plan combine") {
    fault_injection_resource faulty;
    CHECK(ask(faulty, 1) == ".");
    faulty.fail_nth(2);
    faulty.fail_every(3);
    faulty.fail_above(50);
    faulty.fail_randomly(0.2, 1'234'567);
    CHECK(ask(faulty, 1, 51) == "f");  // too large; chance draws 0.350
    CHECK(ask(faulty, 4) == "ff..");   // second, and chance draws 0.174; third; 0.249
    CHECK(faulty.failures() == 3);
    faulty.fail_randomly(0.2, 1'234'567);
    CHECK(ask(faulty, 2) == "ff");  // sixth; chance draws 0.174
    faulty.never_fail();
    CHECK(ask(faulty, 10, 1'000) == "..........");
    CHECK(faulty.requests() == 18);
    CHECK(faulty.failures() == 5);
}

TEST_CASE("what upstream fails is no failure of the plan") {
    checking_resource upstream;
    fault_injection_resource faulty(&upstream);
    upstream.fail_after(0);
    CHECK(ask(faulty, 2) == "ff");
    CHECK(faulty.requests() == 2);
    CHECK(faulty.failures() == 0);
}

TEST_CASE("deallocations do not fail") {
    checking_resource upstream;
    fault_injection_resource faulty(&upstream);
    void* const p = faulty.allocate(8, 8);
    faulty.fail_every(1);
    faulty.deallocate(p, 8, 8);
    CHECK(upstream.blocks_out() == 0);
    CHECK(faulty.requests() == 1);
}

}  // namespace fastalloc::testing
