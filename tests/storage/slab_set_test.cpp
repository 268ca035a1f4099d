// SPDX-License-Identifier: MIT
#include "support/catch.hpp"
#include "support/checking_resource.hpp"

#include <fastalloc/index/bitmap_index.hpp>
#include <fastalloc/storage/slab_set.hpp>

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <new>
#include <numeric>
#include <random>
#include <vector>

namespace fastalloc::testing {

namespace {

using slab_set = detail::slab_set<bitmap_index>;
using numbers = std::vector<std::size_t>;

constexpr std::size_t slots = 10;  // of each slab

void grow(slab_set& slabs) {
    slab_set::growth step(slabs, slots);
    slabs.complete(step);
}

/// A set of so many slabs, and all of its slots.
struct full_set {
    explicit full_set(std::size_t slab_count) : taken(slab_count * slots) {
        for (std::size_t i = 0; i != slab_count; ++i) {
            grow(set);
            REQUIRE(set.take_some(&taken[i * slots], slots) == slots);
        }
    }

    ~full_set() {
        set.release();
        CHECK(upstream.errors() == "");
        CHECK(upstream.bytes_out() == 0);
    }

    void put(std::size_t slab) { set.put_some(&taken[slab * slots], 1).report(); }

    /// Which slabs the free slots are of, in the order in which they are taken.
    numbers take_all() {
        std::vector<void*> out(set.available());
        REQUIRE(set.take_some(out.data(), out.size()) == out.size());
        CHECK(set.available() == 0);
        numbers order;
        for (auto slot = out.rbegin(); slot != out.rend(); ++slot) {
            const auto found = std::find(taken.begin(), taken.end(), *slot);
            REQUIRE(found != taken.end());
            order.push_back(static_cast<std::size_t>(found - taken.begin()) / slots);
        }
        return order;
    }

    checking_resource upstream;
    slab_set set{{64, 64}, &upstream, nullptr, false};
    std::vector<void*> taken;  // those of the oldest slab first
};

numbers from_to(std::size_t first, std::size_t end) {
    numbers all(end - first);
    std::iota(all.begin(), all.end(), first);
    return all;
}

numbers down_to(std::size_t end, std::size_t last) {
    numbers all = from_to(last, end);
    std::reverse(all.begin(), all.end());
    return all;
}

/// On both sides of where there are books of them, and of where the books grow.
constexpr std::initializer_list<std::size_t> slab_counts{2, 4, 5, 8, 9, 64, 65, 200};

}  // namespace

TEST_CASE(
    "a slab_set takes slots of the youngest slab that has one, in whatever order they came back") {
    const std::size_t count = GENERATE(values(slab_counts));
    full_set slabs(count);
    // Of the youngest, slots were taken last.
    slabs.put(0);
    REQUIRE(slabs.take_all() == numbers{0});
    numbers back = from_to(1, count);
    std::shuffle(back.begin(), back.end(), std::mt19937{});
    for (const std::size_t slab : back) {
        slabs.put(slab);
        REQUIRE(slabs.set.invariants_hold());
    }
    CHECK(slabs.take_all() == down_to(count, 1));
    CHECK(slabs.set.invariants_hold());
}

TEST_CASE("a slab_set that grows knows all free slots that it had") {
    const std::size_t count = GENERATE(values(slab_counts));
    full_set slabs(1);
    for (std::size_t slab = 1; slab != count; ++slab) {
        grow(slabs.set);
        REQUIRE(slabs.set.invariants_hold());
        // One is in use, of which some slots are left.
        if (slab == 1) slabs.set.take_some(&slabs.taken.emplace_back(), 1);
    }
    CHECK(slabs.set.available() == (count - 1) * slots - 1);
    std::vector<void*> out(slabs.set.available());
    REQUIRE(slabs.set.take_some(out.data(), out.size()) == out.size());
    std::sort(out.begin(), out.end());
    CHECK(std::adjacent_find(out.begin(), out.end()) == out.end());
    CHECK(slabs.set.invariants_hold());
}

TEST_CASE("a slab_set takes what is left of the slab that it used last") {
    const std::size_t count = GENERATE(values(slab_counts));
    full_set slabs(count);
    slabs.put(0);
    CHECK(slabs.take_all() == numbers{0});
    slabs.put(count - 1);
    slabs.put(0);
    CHECK(slabs.set.invariants_hold());
    CHECK(slabs.take_all() == numbers{0, count - 1});
}

TEST_CASE("a slab_set knows the ages of its slabs when some have gone") {
    const std::size_t count = GENERATE(values(slab_counts));
    full_set slabs(count);
    // All of every other slab.
    for (std::size_t slab = 0; slab < count; slab += 2) {
        slabs.set.put_some(&slabs.taken[slab * slots], slots).report();
    }
    // Of the others, some have a free slot.
    numbers partial;
    for (std::size_t slab = 1; slab < count; slab += 4) partial.push_back(slab);
    for (const std::size_t slab : partial) slabs.put(slab);
    const auto unused = slabs.set.detach_unused();
    REQUIRE(slabs.set.invariants_hold());
    slabs.set.give_back(unused);
    CHECK(slabs.upstream.errors() == "");
    CHECK(slabs.set.capacity() == count / 2 * slots);
    std::reverse(partial.begin(), partial.end());
    CHECK(slabs.take_all() == partial);

    // One that comes now is younger than all.
    if (count == 2) return;
    slabs.put(1);
    REQUIRE(slabs.take_all() == numbers{1});
    grow(slabs.set);
    REQUIRE(slabs.set.invariants_hold());
    slabs.put(3);
    void* slot = nullptr;
    REQUIRE(slabs.set.take_some(&slot, 1) == 1);
    CHECK(slot != slabs.taken[3 * slots]);
    CHECK(slabs.set.available() == slots);
}

TEST_CASE("a slab_set to which upstream refuses something has all that it had") {
    const std::size_t count = GENERATE(values(slab_counts));
    full_set slabs(count);
    slabs.put(0);
    const std::size_t bytes = slabs.upstream.bytes_out();
    for (std::size_t granted = 0;; ++granted) {
        slabs.upstream.fail_after(granted);
        try {
            slab_set::growth step(slabs.set, slots);
            break;
        } catch (const std::bad_alloc&) {
            CHECK(slabs.upstream.bytes_out() == bytes);
        }
    }
    // A step that is not completed has no effect either.
    slabs.upstream.never_fail();
    CHECK(slabs.upstream.bytes_out() == bytes);
    CHECK(slabs.set.invariants_hold());
    CHECK(slabs.set.capacity() == count * slots);
    CHECK(slabs.take_all() == numbers{0});
}

}  // namespace fastalloc::testing
