// SPDX-License-Identifier: MIT
// Pools of 2^32 slots and more. One slab has fewer; a pool of several may have more.
#include "limits/every_resource.hpp"
#include "limits/reserved_addresses.hpp"
#include "support/catch.hpp"
#include "support/check_refused.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace fastalloc::testing {

namespace {

constexpr std::size_t most = pool_config::largest_capacity;
constexpr std::size_t two_to_32 = std::size_t{1} << 32;

}  // namespace

TEST_CASE("a slab of 2^32 slots is refused by name") {
    check_refused([] { (void)slots_of(1, two_to_32).build(); }, "capacity", "4294967296");
    CHECK(slots_of(1, most).max_capacity(4 * two_to_32).build().max_capacity() == 4 * two_to_32);
}

// Where the books of a slab are not touched before its slots are, nothing here takes memory.
TEMPLATE_TEST_CASE("slots of several classes are more than 2^32", "", stack_index,
                   free_list_index) {
    reserved_addresses upstream;
    {
        const std::vector<pool_config> classes{slots_of(1, most).build(),
                                               slots_of(2, most).build()};
        basic_fixed_pool_resource<TestType> resource(classes, &upstream);
        CHECK(resource.capacity() == 2 * most);
        CHECK(resource.available() == 2 * most);
        std::vector<void*> slots(5'000);
        resource.allocate_batch(slots, 2, 2);
        CHECK(resource.in_use() == 5'000);
        CHECK(resource.available() == 2 * most - 5'000);
        resource.deallocate_batch(slots, 2, 2);
        CHECK(resource.in_use() == 0);
    }
    CHECK(upstream.blocks_out() == 0);
}

TEMPLATE_TEST_CASE("a growth step adds no more slots than a slab can have", "", stack_index,
                   free_list_index) {
    reserved_addresses upstream;
    {
        basic_growing_pool_resource<TestType> resource(
            slots_of(1, 100).growth(growth_strategy::linear(5 * two_to_32)).build(), &upstream);
        std::vector<void*> slots(101);
        resource.allocate_batch(slots, 1, 1);
        CHECK(resource.capacity() == 100 + most);
        CHECK(resource.capacity() > two_to_32);
        CHECK(resource.available() == most - 1);
        resource.deallocate_batch(slots, 1, 1);
        resource.trim();
        CHECK(resource.in_use() == 0);
    }
    CHECK(upstream.blocks_out() == 0);
}

// By hand, for they take half a gigabyte, and minutes.

TEMPLATE_TEST_CASE("an index hands out all of 2^32 - 1 slots", "[.large]", bitmap_index,
                   atomic_bitmap_index, stack_index, free_list_index) {
    reserved_addresses memory;
    TestType index(static_cast<slot_number>(most), &memory);
    std::uint64_t sum = 0;
    slot_number last = 0;
    const slot_number taken =
        take_some(index, static_cast<slot_number>(most), [&](slot_number first, slot_number count) {
            sum += count * std::uint64_t{first} + std::uint64_t{count} * (count - 1) / 2;
            last = first + count - 1;
        });
    CHECK(taken == most);
    CHECK(sum == std::uint64_t{most} * (most - 1) / 2);
    CHECK(last == most - 1);
    CHECK(index.take() == no_slot);
    CHECK(index.available() == 0);
    for (const slot_number n : {slot_number{0}, slot_number{1} << 31, last}) {
        index.put(n);
        CHECK(index.take() == n);
    }
}

// Not with atomic bitmaps: each refill looks for a free slot from the first on, which is as linear in the
// slots of a slab as it is said to be.
TEMPLATE_TEST_CASE("a pool grows beyond 2^32 slots and works there", "[.large]",
                   basic_growing_pool_resource<bitmap_index>,
                   basic_growing_pool_resource<stack_index>,
                   basic_growing_pool_resource<free_list_index>,
                   basic_thread_local_pool_resource<bitmap_index>,
                   basic_synchronized_pool_resource<bitmap_index>) {
    reserved_addresses upstream;
    {
        TestType resource(slots_of(1, most).growth(growth_strategy::linear(1'000)).build(),
                          &upstream);
        std::vector<void*> slots(1'000);
        for (std::size_t taken = 0; taken < two_to_32; taken += slots.size()) {
            resource.allocate_batch(slots, 1, 1);
        }
        CHECK(resource.capacity() > two_to_32);
        CHECK(resource.in_use() > two_to_32);
        const std::size_t in_use = resource.in_use();
        for (void* const p : slots) {
            *static_cast<unsigned char*>(p) = 1;
            CHECK(resource.slot_of(p) == p);
        }
        resource.deallocate_batch(slots, 1, 1);
        CHECK(resource.in_use() == in_use - slots.size());
        resource.release();
    }
    CHECK(upstream.blocks_out() == 0);
}

}  // namespace fastalloc::testing
