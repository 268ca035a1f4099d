// SPDX-License-Identifier: MIT
#include "support/catch.hpp"

#include <fastalloc/storage/slot_geometry.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace fastalloc::detail {

namespace {

constexpr slot_geometry geometry_of(std::size_t slot_size) {
    return {slot_size, natural_alignment(slot_size)};
}

constexpr std::size_t stride = 24 + red_zone(8);
static_assert(geometry_of(24).offset_of(7) == 7 * stride);
static_assert(geometry_of(24).number_at(7 * stride) == 7);
static_assert(geometry_of(1).number_at((no_slot - 1) * geometry_of(1).stride()) == no_slot - 1);

}  // namespace

TEST_CASE("a slot's number and its offset determine each other") {
    std::vector<std::size_t> sizes{4'096, 65'536, std::size_t{1} << 20, std::size_t{3} << 20};
    for (std::size_t size = 1; size <= 2'000; ++size) sizes.push_back(size);
    std::vector<slot_number> numbers{no_slot - 1, no_slot / 3, 1'000'000'007};
    for (std::uint32_t i = 0; i != 32; ++i) {
        for (slot_number near = 0; near != 3; ++near) numbers.push_back((1u << i) - 1 + near);
    }
    for (slot_number n = 0; n != 300; ++n) numbers.push_back(n);

    std::size_t wrong = 0;
    for (const std::size_t size : sizes) {
        const slot_geometry geometry = geometry_of(size);
        for (const slot_number n : numbers) {
            wrong +=
                geometry.offset_of(n) != std::uint64_t{n} * (size + red_zone(geometry.alignment()));
            wrong += geometry.number_at(geometry.offset_of(n)) != n;
        }
    }
    CHECK(wrong == 0);
}

TEST_CASE("neighbours are found in either order") {
    constexpr slot_geometry geometry = geometry_of(48);
    constexpr std::size_t from_slot_to_slot = geometry.stride();
    std::byte memory[from_slot_to_slot * 40];
    void* slots[30];
    geometry.list_descending(slots, memory, 5, 30);
    CHECK(slots[0] == memory + from_slot_to_slot * 34);
    CHECK(slots[29] == memory + from_slot_to_slot * 5);

    const auto check = [&](std::size_t begin, std::size_t count, std::size_t expected) {
        const slot_run run = geometry.neighbours(slots + begin, count);
        CHECK(run.count == expected);
        const auto [lowest, highest] = std::minmax(slots[begin], slots[begin + expected - 1]);
        CHECK(run.lowest == lowest);
        CHECK(run.highest == highest);
        CHECK(run.is_worthwhile() == (expected >= 8));
    };
    check(0, 30, 30);
    check(3, 8, 8);
    check(0, 7, 7);
    check(4, 1, 1);
    std::reverse(slots, slots + 20);
    check(0, 30, 20);
    check(20, 10, 10);
    std::swap(slots[9], slots[11]);
    check(0, 20, 9);
    check(9, 11, 3);
    check(10, 10, 2);
    check(8, 10, 1);
    slots[2] = memory + 48 * 3 + 24;
    check(0, 20, 2);
}

TEST_CASE("a geometry keeps what it was made of") {
    const slot_geometry geometry(192, 64);
    CHECK(geometry.slot_size() == 192);
    CHECK(geometry.alignment() == 64);
}

}  // namespace fastalloc::detail
