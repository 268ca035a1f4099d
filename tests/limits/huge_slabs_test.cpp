// SPDX-License-Identifier: MIT
// Slabs of more than 4 GiB work at both ends.
#include "limits/every_resource.hpp"
#include "limits/reserved_addresses.hpp"
#include "support/blocks.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <functional>
#include <vector>

namespace fastalloc::testing {

namespace {

// Effects: writes to both ends of a slot, each time something else. Returns: whether it was as written.
class slot_ends {
public:
    slot_ends(void* slot, std::size_t bytes, unsigned char sign)
        : first_(static_cast<unsigned char*>(slot)), last_(first_ + bytes - 1), sign_(sign) {
        *first_ = *last_ = sign_;
    }

    bool intact() const { return *first_ == sign_ && *last_ == sign_; }

private:
    unsigned char* first_;
    unsigned char* last_;
    unsigned char sign_;
};

template <class Resource>
void check_both_ends(Resource& resource, std::size_t slot_size, std::size_t capacity) {
    std::vector<void*> slots(capacity);
    resource.allocate_batch(slots, slot_size, 16);
    CHECK(resource.try_allocate(slot_size, 16) == nullptr);
    CHECK(resource.in_use() == capacity);
    std::ranges::sort(slots, std::less<void*>());
    bool apart = true;
    for (std::size_t i = 1; i != capacity; ++i) {
        apart = apart && static_cast<std::byte*>(slots[i]) - static_cast<std::byte*>(slots[0]) ==
                             static_cast<std::ptrdiff_t>(i * slot_size);
    }
    CHECK(apart);
    const slot_ends lowest(slots.front(), slot_size, 1);
    const slot_ends middle(slots[capacity / 2], slot_size, 2);
    const slot_ends highest(slots.back(), slot_size, 3);
    CHECK((lowest.intact() && middle.intact() && highest.intact()));
    CHECK(resource.slot_of(static_cast<std::byte*>(slots.back()) + slot_size - 1) == slots.back());
    CHECK_FALSE(resource.owns(static_cast<std::byte*>(slots.back()) + slot_size));

    std::vector<void*> again(2);
    const std::vector<void*> ends{slots.front(), slots.back()};
    resource.deallocate_batch(ends, slot_size, 16);
    resource.trim();
    resource.allocate_batch(again, slot_size, 16);
    CHECK_THAT(again, Catch::UnorderedEquals(ends));
    CHECK(middle.intact());
    resource.deallocate_batch(slots, slot_size, 16);
    CHECK(resource.in_use() == 0);
}

}  // namespace

TEMPLATE_TEST_CASE("a slab of 6 GiB works at both ends", "", FASTALLOC_EVERY_RESOURCE) {
    reserved_addresses upstream;
    {
        constexpr std::size_t capacity = 6 * gib / mib;
        TestType resource(slots_of(mib, capacity).growth(growth_strategy::none()).build(),
                          &upstream);
        check_both_ends(resource, mib, capacity);
    }
    CHECK(upstream.blocks_out() == 0);
}

TEMPLATE_TEST_CASE("a slot may be larger than 4 GiB", "", FASTALLOC_EVERY_RESOURCE) {
    reserved_addresses upstream;
    {
        constexpr std::size_t bytes = 5 * gib + 48;
        TestType resource(slots_of(bytes, 70).growth(growth_strategy::none()).build(), &upstream);
        check_both_ends(resource, bytes, 70);
    }
    CHECK(upstream.blocks_out() == 0);
}

TEMPLATE_TEST_CASE("slabs of all sizes are told apart", "", FASTALLOC_RESOURCES_THAT_GROW) {
    reserved_addresses upstream;
    std::size_t step = 0;
    const auto config =
        slots_of(64 * kib, 1)
            .growth(growth_strategy::custom([&](std::size_t) {
                return ++step % 5 == 0 ? 5 * gib / (64 * kib) : step;  // every fifth is of 5 GiB
            }))
            .build();
    {
        TestType resource(config, &upstream);
        std::vector<void*> ends;
        while (step != 16) {
            ends.push_back(resource.allocate(64 * kib, 16));
            // The others of the slab are taken and forgotten, and stay so.
            std::vector<void*> rest(resource.available());
            resource.allocate_batch(rest, 64 * kib, 16);
        }
        for (void* const p : ends) REQUIRE(resource.slot_of(static_cast<char*>(p) + 9) == p);
        resource.deallocate_batch(ends, 64 * kib, 16);
        std::vector<void*> again(ends.size());
        resource.allocate_batch(again, 64 * kib, 16);
        CHECK_THAT(again, Catch::UnorderedEquals(ends));
        resource.release();
    }
    CHECK(upstream.blocks_out() == 0);
}

}  // namespace fastalloc::testing
