// SPDX-License-Identifier: MIT
#include "support/blocks.hpp"
#include "support/catch.hpp"
#include "support/checking_resource.hpp"

#include <fastalloc/boost/bridge.hpp>
#include <fastalloc/fastalloc.hpp>

#include <boost/container/pmr/flat_map.hpp>
#include <boost/container/pmr/memory_resource.hpp>
#include <boost/container/pmr/monotonic_buffer_resource.hpp>
#include <boost/container/pmr/polymorphic_allocator.hpp>
#include <boost/container/pmr/small_vector.hpp>
#include <boost/container/pmr/stable_vector.hpp>
#include <boost/container/pmr/unsynchronized_pool_resource.hpp>
#include <boost/container/pmr/vector.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <map>
#include <memory_resource>
#include <new>
#include <random>
#include <string>
#include <vector>

namespace fastalloc::testing {

namespace {

namespace bpmr = boost::container::pmr;

/// A resource of Boost's that checks what is given back to it.
class checking_boost_resource final : public bpmr::memory_resource {
public:
    checking_resource checks;

protected:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        return checks.allocate(bytes, alignment);
    }
    void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) override {
        checks.deallocate(p, bytes, alignment);
    }
    bool do_is_equal(const bpmr::memory_resource& other) const noexcept override {
        return this == &other;
    }
};

/// Every size at every alignment, each block written in full. Returns: what went wrong.
std::size_t every_size_at_every_alignment(std::pmr::memory_resource& resource) {
    std::size_t wrong = 0;
    std::mt19937 random(1);
    live_blocks live(resource);
    for (std::size_t bytes = 0; bytes <= 5'000; bytes += 1 + bytes / 16) {
        for (std::size_t alignment = 1; alignment <= 4'096; alignment *= 2) {
            wrong += !live.allocate(bytes, alignment);
            if (random() % 3 == 0) wrong += !live.deallocate_any(random);
        }
    }
    wrong += !live.clear();
    return wrong;
}

void check_absurd_sizes_are_refused(std::pmr::memory_resource& resource) {
    constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
    for (std::size_t alignment = 1; alignment <= 4'096; alignment *= 2) {
        for (const std::size_t bytes : {most, most - 1, most - 16, most - alignment,
                                        most - alignment + 1, most - 2 * alignment, most / 2}) {
            CAPTURE(alignment, bytes);
            CHECK_THROWS_AS(resource.allocate(bytes, alignment), std::bad_alloc);
        }
    }
    for (unsigned i = 31; i != 64; ++i) {
        CHECK_THROWS_AS(resource.allocate(8, std::size_t{1} << i), std::bad_alloc);
        CHECK_THROWS_AS(resource.allocate(most, std::size_t{1} << i), std::bad_alloc);
    }
}

}  // namespace

TEST_CASE("containers of Boost live in a pool") {
    checking_resource upstream;
    {
        growing_pool_resource pool(&upstream);
        boost_resource bridge = as_boost_resource(pool);
        CHECK(&bridge.adapted() == &pool);
        {
            bpmr::vector<int> vector(&bridge);
            using small = bpmr::small_vector<int, 4>;
            small small_vector(small::allocator_type{bpmr::polymorphic_allocator<int>(&bridge)});
            bpmr::flat_map<int, int> flat_map(&bridge);
            bpmr::stable_vector<int> stable_vector(&bridge);
            for (int i = 0; i != 500; ++i) {
                vector.push_back(i);
                small_vector.push_back(i);
                flat_map[i * 37 % 1'009] = i;
                stable_vector.push_back(i);
            }
            CHECK(pool.in_use() >= 500);
            CHECK(pool.owns(&stable_vector.front()));
            CHECK(
                std::equal(vector.begin(), vector.end(), small_vector.begin(), small_vector.end()));
            CHECK(std::equal(vector.begin(), vector.end(), stable_vector.begin(),
                             stable_vector.end()));
            CHECK(flat_map.size() == 500);
            CHECK(flat_map.at(37) == 1);
            CHECK(std::is_sorted(flat_map.begin(), flat_map.end()));
            const bpmr::vector<int> copy(vector, &bridge);
            CHECK(copy == vector);
            stable_vector.erase(stable_vector.begin() + 100, stable_vector.end());
        }
        CHECK(pool.in_use() == 0);
    }
    CHECK(upstream.blocks_out() == 0);
    CHECK(upstream.errors().empty());
}

TEST_CASE("a pool serves Boost what it was asked") {
    checking_resource upstream;
    boost_resource bridge = as_boost_resource(upstream);
    bpmr::memory_resource& resource = bridge;
    void* const p = resource.allocate(123, 32);
    CHECK(upstream.last_request().bytes == 123);
    CHECK(upstream.last_request().alignment == 32);
    resource.deallocate(p, 123, 32);
    CHECK(upstream.blocks_out() == 0);
    CHECK(upstream.errors().empty());
    upstream.fail_after(0);
    CHECK_THROWS_AS(resource.allocate(1, 1), std::bad_alloc);
}

TEST_CASE("a pool of Boost serves std, at every alignment") {
    checking_boost_resource upstream;
    {
        bpmr::unsynchronized_pool_resource pool(&upstream);
        std_resource bridge = as_std_resource(pool);
        CHECK(&bridge.adapted() == &pool);
        CHECK(every_size_at_every_alignment(bridge) == 0);
        CHECK(every_size_at_every_alignment(bridge) == 0);
        check_absurd_sizes_are_refused(bridge);
        std::pmr::map<int, std::pmr::string> map(&bridge);
        for (int i = 0; i != 300; ++i) map[i] = std::string(static_cast<std::size_t>(i), 'x');
        CHECK(map.at(299).size() == 299);
        CHECK(map.at(299).get_allocator().resource() == &bridge);
    }
    CHECK(upstream.checks.blocks_out() == 0);
    CHECK(upstream.checks.errors().empty());
}

TEST_CASE("a monotonic buffer of Boost serves std, at every alignment") {
    checking_boost_resource upstream;
    {
        bpmr::monotonic_buffer_resource buffer(&upstream);
        std_resource bridge = as_std_resource(buffer);
        CHECK(every_size_at_every_alignment(bridge) == 0);
    }
    CHECK(upstream.checks.blocks_out() == 0);
    CHECK(upstream.checks.errors().empty());
}

// Boost's monotonic buffer answers null to that as long as it has no buffer, which std does not know.
TEST_CASE("zero bytes from Boost are somewhere") {
    checking_boost_resource upstream;
    bpmr::monotonic_buffer_resource buffer(&upstream);
    std_resource bridge = as_std_resource(buffer);
    std::pmr::memory_resource& resource = bridge;
    for (std::size_t alignment = 1; alignment <= 64; alignment *= 2) {
        // Not a null pointer that the compiler knows not to be one.
        void* volatile p = resource.allocate(0, alignment);
        CHECK(p != nullptr);
        resource.deallocate(p, 0, alignment);
    }
}

TEST_CASE("a resource of Boost gets back what it gave") {
    checking_boost_resource upstream;
    std_resource bridge = as_std_resource(upstream);
    CHECK(every_size_at_every_alignment(bridge) == 0);
    CHECK(upstream.checks.allocations() == upstream.checks.deallocations());
    CHECK(upstream.checks.blocks_out() == 0);
    CHECK(upstream.checks.errors().empty());

    check_absurd_sizes_are_refused(bridge);
    CHECK(upstream.checks.blocks_out() == 0);

    // An alignment that Boost keeps costs nothing; another one costs itself.
    void* const p = bridge.allocate(100, 16);
    CHECK(upstream.checks.last_request().bytes == 100);
    void* const q = bridge.allocate(100, 64);
    CHECK(upstream.checks.last_request().bytes == 164);
    bridge.deallocate(p, 100, 16);
    bridge.deallocate(q, 100, 64);
    CHECK(upstream.checks.errors().empty());
}

TEST_CASE("a growing pool stands on a resource of Boost") {
    checking_boost_resource upstream;
    {
        std_resource bridge = as_std_resource(upstream);
        growing_pool_resource pool(&bridge);
        CHECK(every_size_at_every_alignment(pool) == 0);
        check_absurd_sizes_are_refused(pool);
        CHECK(pool.in_use() == 0);
    }
    CHECK(upstream.checks.blocks_out() == 0);
    CHECK(upstream.checks.errors().empty());
}

TEST_CASE("from std to Boost and back") {
    checking_resource upstream;
    boost_resource there = as_boost_resource(upstream);
    {
        std_resource back = as_std_resource(there);
        CHECK(every_size_at_every_alignment(back) == 0);
        std::pmr::vector<std::size_t> numbers(&back);
        for (std::size_t i = 0; i != 1'000; ++i) numbers.push_back(i);
        CHECK(numbers.back() == 999);
        check_absurd_sizes_are_refused(back);
    }
    CHECK(upstream.blocks_out() == 0);
    CHECK(upstream.errors().empty());
}

TEST_CASE("bridges are equal to themselves only") {
    checking_resource standard;
    const boost_resource a = as_boost_resource(standard);
    const boost_resource b = as_boost_resource(standard);
    CHECK(a.is_equal(a));
    CHECK(a == a);
    CHECK_FALSE(a.is_equal(b));
    CHECK(a != b);

    checking_boost_resource boosted;
    const std_resource c = as_std_resource(boosted);
    const std_resource d = as_std_resource(boosted);
    CHECK(c.is_equal(c));
    CHECK(c == c);
    CHECK_FALSE(c.is_equal(d));
    CHECK_FALSE(c.is_equal(standard));
    CHECK(c != d);
}

}  // namespace fastalloc::testing
