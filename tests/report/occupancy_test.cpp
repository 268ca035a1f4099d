// SPDX-License-Identifier: MIT
#include "slots.hpp"
#include "support/catch.hpp"

#include <fastalloc/report/occupancy.hpp>

#include <cstddef>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

namespace fastalloc::testing {

namespace {

state_counts counted(const std::string& letters) {
    state_counts counts;
    for (const char letter : letters) {
        ++(letter == 'L' ? counts.live : letter == 'c' ? counts.cached : counts.free);
    }
    return counts;
}

}  // namespace

TEST_CASE("the occupancy of nothing has no slab") {
    const occupancy o;
    CHECK(o.slabs().empty());
    CHECK(o.sizes().empty());
    CHECK(o.total() == occupancy_figures{});
    CHECK(o.total().fragmentation() == 0);
}

TEST_CASE("an occupancy says where slabs are, and what each slot is") {
    const drawn_slab resource{0x1000, 48, "LLc.L"};
    const occupancy o = occupancy::of(resource);
    REQUIRE(o.slabs().size() == 1);
    const slab_occupancy& slab = o.slabs()[0];
    CHECK(slab.address() == reinterpret_cast<const void*>(0x1000));
    CHECK(slab.slot_size() == 48);
    CHECK(slab.slots() == state_counts{3, 1, 1});
    CHECK(slab.slots().total() == 5);
    CHECK(slab.state(0) == slot_state::live);
    CHECK(slab.state(1) == slot_state::live);
    CHECK(slab.state(2) == slot_state::cached);
    CHECK(slab.state(3) == slot_state::free);
    CHECK(slab.state(4) == slot_state::live);
}

TEST_CASE("an occupancy does not change with its copy") {
    occupancy o = drawn({{0x1000, 8, "L"}});
    occupancy copy = o;
    drawn_slab{0x2000, 8, "L"}.visit_slots([&](const visited_slot& s) { copy.add(s); });
    CHECK(o.slabs().size() == 1);
    CHECK(copy.slabs().size() == 2);
    static_assert(std::is_nothrow_move_constructible_v<occupancy>);
}

TEST_CASE("any run of slots can be counted") {
    std::mt19937 random(1);
    std::string letters;
    for (int i = 0; i != 150; ++i) letters += "L.c"[random() % 3];
    const occupancy o = drawn({{0x1000, 16, letters}});
    const slab_occupancy& slab = o.slabs()[0];
    for (std::size_t first = 0; first <= letters.size(); ++first) {
        for (std::size_t last = first; last <= letters.size(); ++last) {
            REQUIRE(slab.count(first, last) == counted(letters.substr(first, last - first)));
        }
    }
    CHECK(slab.slots() == counted(letters));
}

TEST_CASE("figures add up, for each slot size and in total") {
    const occupancy o = drawn({
        {0x1000, 16, "LLLL"},
        {0x2000, 16, "L.c."},
        {0x3000, 16, "...."},
        {0x4000, 64, "cc"},
        {0x5000, 96, ".L"},
    });
    const std::vector<size_occupancy> sizes = o.sizes();
    REQUIRE(sizes.size() == 3);

    CHECK(sizes[0].slot_size == 16);
    CHECK(sizes[0].slabs == 3);
    CHECK(sizes[0].slots == state_counts{5, 1, 6});
    CHECK(sizes[0].bytes == state_counts{80, 16, 96});
    CHECK(sizes[0].held_slabs == 2);
    CHECK(sizes[0].held_bytes == 8 * 16);
    CHECK(sizes[0].fragmentation() == 3.0 / 8);

    CHECK(sizes[1].slot_size == 64);
    CHECK(sizes[1].slots == state_counts{0, 2, 0});
    CHECK(sizes[1].held_slabs == 0);
    CHECK(sizes[1].held_bytes == 0);
    CHECK(sizes[1].fragmentation() == 0);

    CHECK(sizes[2].slot_size == 96);
    CHECK(sizes[2].fragmentation() == 0.5);

    const occupancy_figures total = o.total();
    CHECK(total.slabs == 5);
    CHECK(total.slots == state_counts{6, 3, 7});
    CHECK(total.slots.total() == 16);
    CHECK(total.bytes == state_counts{176, 144, 192});
    CHECK(total.held_slabs == 3);
    CHECK(total.held_bytes == 128 + 192);
    CHECK(total.fragmentation() == (320.0 - 176) / 320);
}

TEST_CASE("nothing is fragmented where all slots are live") {
    CHECK(drawn({{0x1000, 8, "LLLL"}}).total().fragmentation() == 0);
    CHECK(drawn({{0x1000, 8, "L..."}}).total().fragmentation() == 0.75);
    CHECK(drawn({{0x1000, 8, "...."}}).total().fragmentation() == 0);
}

}  // namespace fastalloc::testing
