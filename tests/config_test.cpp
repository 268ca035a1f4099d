// SPDX-License-Identifier: MIT
#include "support/catch.hpp"
#include "support/check_refused.hpp"

#include <fastalloc/config.hpp>
#include <fastalloc/error.hpp>

#include <cmath>
#include <cstddef>
#include <limits>
#include <new>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace fastalloc::testing {

namespace {

constexpr std::size_t size_max = std::numeric_limits<std::size_t>::max();
constexpr std::size_t ptrdiff_max = std::numeric_limits<std::ptrdiff_t>::max();

pool_config::builder_type a_builder() {
    auto builder = pool_config::builder();
    builder.slot_size(64).capacity(10);
    return builder;
}

void check_refused(const pool_config::builder_type& builder, const std::string& field,
                   const std::string& value) {
    fastalloc::testing::check_refused([&] { (void)builder.build(); }, field, value);
}

void check_growth_refused(growth_strategy growth, const std::string& value) {
    check_refused(a_builder().growth(std::move(growth)), "growth", value);
}

}  // namespace

TEST_CASE("a configuration says what its builder was told") {
    const pool_config c = pool_config::builder()
                              .slot_size(100)
                              .alignment(32)
                              .capacity(1'000)
                              .max_capacity(10'000)
                              .growth(growth_strategy::linear(7))
                              .pre_initialize(true)
                              .larger_requests(larger_requests::refuse)
                              .build();
    CHECK(c.slot_size() == 128);
    CHECK(c.alignment() == 32);
    CHECK(c.capacity() == 1'000);
    CHECK(c.max_capacity() == 10'000u);
    REQUIRE(c.growth().has_value());
    CHECK(c.growth()->slots_to_add(1'000) == 7);
    CHECK(c.pre_initialize());
    CHECK(c.larger_requests() == larger_requests::refuse);
}

TEST_CASE("what a builder was not told is left out") {
    const pool_config c = pool_config::builder().capacity(1).build();
    CHECK(c.slot_size() == 0);
    CHECK(c.alignment() == 0);
    CHECK(c.capacity() == 1);
    CHECK_FALSE(c.max_capacity().has_value());
    CHECK_FALSE(c.growth().has_value());
    CHECK_FALSE(c.pre_initialize());
    CHECK_FALSE(c.larger_requests().has_value());
    CHECK(pool_config::builder().alignment(64).capacity(1).build().alignment() == 64);
}

TEST_CASE("only build makes a configuration") {
    static_assert(!std::is_default_constructible_v<pool_config>);
    static_assert(!std::is_constructible_v<pool_config, pool_config::builder_type>);
    static_assert(std::is_copy_constructible_v<pool_config>);
    static_assert(std::is_copy_assignable_v<pool_config>);
}

TEST_CASE("a builder can be used again, and its last word counts") {
    auto builder = a_builder();
    const pool_config first = builder.build();
    const pool_config second = builder.slot_size(8).slot_size(24).capacity(3).build();
    CHECK(first.slot_size() == 64);
    CHECK(first.capacity() == 10);
    CHECK(second.slot_size() == 24);
    CHECK(second.capacity() == 3);
}

TEST_CASE("the alignment follows from the slot size") {
    for (std::size_t size = 1; size <= 4'096; ++size) {
        std::size_t expected = 1;
        while (expected < alignof(std::max_align_t) && size % (2 * expected) == 0) expected *= 2;
        const pool_config c = pool_config::builder().slot_size(size).capacity(1).build();
        REQUIRE(c.alignment() == expected);
        REQUIRE(c.slot_size() == size);
    }
}

TEST_CASE("the slot size is rounded up to the alignment") {
    for (std::size_t alignment = 1; alignment <= 4'096; alignment *= 2) {
        for (const std::size_t size : {1u, 7u, 8u, 63u, 64u, 65u, 4'095u, 4'097u}) {
            const pool_config c =
                pool_config::builder().slot_size(size).alignment(alignment).capacity(1).build();
            REQUIRE(c.slot_size() % alignment == 0);
            REQUIRE(c.slot_size() >= size);
            REQUIRE(c.slot_size() < size + alignment);
            REQUIRE(c.alignment() == alignment);
        }
    }
}

TEST_CASE("a capacity is given and within bounds") {
    check_refused(pool_config::builder().slot_size(8), "capacity", "not given");
    check_refused(a_builder().capacity(0), "capacity", "= 0");
    check_refused(a_builder().slot_size(1).capacity(4'294'967'296), "capacity", "4294967296");
    check_refused(pool_config::builder().capacity(size_max), "capacity", "18446744073709551615");
    CHECK(pool_config::largest_capacity == 4'294'967'295);
    CHECK(a_builder().slot_size(1).capacity(4'294'967'295).build().capacity() == 4'294'967'295);
}

TEST_CASE("a slot size is not zero") {
    check_refused(a_builder().slot_size(0), "slot_size", "= 0");
    check_refused(a_builder().slot_size(0).alignment(8), "slot_size", "= 0");
}

TEST_CASE("an alignment is a power of two") {
    check_refused(a_builder().alignment(0), "alignment", "= 0");
    check_refused(a_builder().alignment(3), "alignment", "= 3");
    check_refused(a_builder().alignment(48), "alignment", "= 48");
    check_refused(pool_config::builder().capacity(1).alignment(48), "alignment", "= 48");
    check_refused(a_builder().alignment(size_max), "alignment", "18446744073709551615");
}

TEST_CASE("a maximum is at least the capacity") {
    check_refused(a_builder().max_capacity(9), "max_capacity", "= 9");
    check_refused(a_builder().max_capacity(0), "max_capacity", "= 0");
    CHECK(a_builder().max_capacity(10).build().max_capacity() == 10u);
}

TEST_CASE("a growth step is possible") {
    check_growth_refused(growth_strategy::linear(0), "linear(0)");
    check_growth_refused(growth_strategy::exponential(1.0), "exponential(1)");
    check_growth_refused(growth_strategy::exponential(0.5), "exponential(0.5)");
    check_growth_refused(growth_strategy::exponential(0), "exponential(0)");
    check_growth_refused(growth_strategy::exponential(-2), "exponential(-2)");
    check_growth_refused(growth_strategy::exponential(std::nan("")), "nan");
    const double infinity = std::numeric_limits<double>::infinity();
    check_growth_refused(growth_strategy::exponential(infinity), "exponential(inf)");
    check_growth_refused(growth_strategy::exponential(-infinity), "exponential(-inf)");
    check_growth_refused(growth_strategy::custom({}), "custom(empty)");
    CHECK_NOTHROW(a_builder().growth(growth_strategy::none()).build());
    CHECK_NOTHROW(a_builder().growth(growth_strategy::linear(1)).build());
    CHECK_NOTHROW(a_builder().growth(growth_strategy::exponential(std::nextafter(1, 2))).build());
    CHECK_NOTHROW(a_builder().growth(growth_strategy::exponential(1e300)).build());
}

TEST_CASE("no product of sizes overflows") {
    const std::size_t most = 4'294'967'295;
    const std::size_t gib = std::size_t{1} << 30;
    check_refused(a_builder().slot_size(4 * gib).capacity(most), "capacity", "4294967295");
    check_refused(a_builder().slot_size(gib * gib / 2).capacity(20), "capacity", "= 20");
    check_refused(a_builder().max_capacity(size_max), "max_capacity", "18446744073709551615");
    check_refused(a_builder().slot_size(gib).max_capacity(8 * gib), "max_capacity", "8589934592");
    CHECK_NOTHROW(a_builder().slot_size(gib).capacity(most).build());
    CHECK_NOTHROW(a_builder().slot_size(gib).max_capacity(8 * gib - 1).build());
    // Without a slot size there is no product yet.
    CHECK_NOTHROW(pool_config::builder().capacity(most).max_capacity(size_max).build());
}

TEST_CASE("rounding a slot size up does not overflow") {
    const auto one = pool_config::builder().capacity(1);
    auto b = one;
    check_refused(b.slot_size(size_max), "slot_size", "18446744073709551615");
    check_refused(b.slot_size(size_max).alignment(64), "slot_size", "18446744073709551615");
    check_refused(b.slot_size(ptrdiff_max).alignment(2), "slot_size", "9223372036854775807");
    check_refused(b.slot_size(1).alignment(std::size_t{1} << 63), "slot_size", "= 1:");
    b = one;
    CHECK(b.slot_size(ptrdiff_max).build().slot_size() == ptrdiff_max);
    b = one;
    CHECK(b.slot_size(1).alignment(std::size_t{1} << 62).build().slot_size() == std::size_t{1}
                                                                                    << 62);
}

TEST_CASE("growth strategies say how many slots to add") {
    SECTION("none") {
        CHECK(growth_strategy::none().is_none());
        CHECK(growth_strategy::none().slots_to_add(1) == 0);
        CHECK(growth_strategy::none().slots_to_add(size_max) == 0);
    }
    SECTION("linear") {
        const auto linear = growth_strategy::linear(7);
        CHECK_FALSE(linear.is_none());
        CHECK(linear.slots_to_add(1) == 7);
        CHECK(linear.slots_to_add(std::size_t{1} << 60) == 7);
        CHECK(growth_strategy::linear(size_max).slots_to_add(1) == size_max);
    }
    SECTION("exponential rounds up") {
        const auto by_half = growth_strategy::exponential(1.5);
        CHECK_FALSE(by_half.is_none());
        CHECK(by_half.slots_to_add(1) == 1);
        CHECK(by_half.slots_to_add(2) == 1);
        CHECK(by_half.slots_to_add(3) == 2);
        CHECK(by_half.slots_to_add(1'000) == 500);
        CHECK(growth_strategy::exponential(2.0).slots_to_add(1'000) == 1'000);
        CHECK(growth_strategy::exponential(10.0).slots_to_add(3) == 27);
    }
    SECTION("exponential adds at least one slot") {
        const auto hardly = growth_strategy::exponential(std::nextafter(1.0, 2.0));
        for (unsigned i = 0; i != 63; ++i) {
            CHECK(hardly.slots_to_add(std::size_t{1} << i) >= 1);
            CHECK(hardly.slots_to_add((std::size_t{1} << i) + 1) >= 1);
            CHECK(hardly.slots_to_add((std::size_t{2} << i) - 1) >= 1);
        }
    }
    SECTION("exponential does not overflow") {
        for (const double factor : {2.0, 3.0, 1e10, 1e20, 1e300}) {
            const auto growth = growth_strategy::exponential(factor);
            const std::size_t half = std::size_t{1} << 63;
            for (const std::size_t current : {half - 1, half, half + 1, size_max - 1}) {
                CHECK(growth.slots_to_add(current) >= 1);
                CHECK(growth.slots_to_add(current) <= size_max - current);
            }
        }
        CHECK(growth_strategy::exponential(1e300).slots_to_add(1) >= size_max / 2);
        CHECK(growth_strategy::exponential(1e300).slots_to_add(1'000'000) >= size_max / 2);
    }
    SECTION("custom is asked") {
        std::size_t seen = 0;
        const auto custom = growth_strategy::custom([&](std::size_t current) {
            seen = current;
            return current * 3;
        });
        CHECK_FALSE(custom.is_none());
        CHECK(custom.slots_to_add(14) == 42);
        CHECK(seen == 14);
        const auto failing = growth_strategy::custom(
            [](std::size_t) -> std::size_t { throw std::runtime_error("not now"); });
        CHECK_THROWS_AS(failing.slots_to_add(1), std::runtime_error);
    }
}

TEST_CASE("pool_exhausted carries numbers and no memory") {
    static_assert(std::is_base_of_v<std::bad_alloc, pool_exhausted>);
    static_assert(std::is_nothrow_constructible_v<pool_exhausted, std::size_t, std::size_t>);
    static_assert(std::is_nothrow_copy_constructible_v<pool_exhausted>);
    const pool_exhausted e(48, 1'000);
    CHECK(e.slot_size() == 48);
    CHECK(e.capacity() == 1'000);
    const std::bad_alloc& as_bad_alloc = e;
    CHECK(std::string(as_bad_alloc.what()).find("pool_exhausted") != std::string::npos);
}

TEST_CASE("invalid_configuration names field, value and rule") {
    static_assert(std::is_base_of_v<std::invalid_argument, invalid_configuration>);
    const invalid_configuration e("colour", "mauve", "must be a colour of the rainbow");
    CHECK(std::string(e.field()) == "colour");
    const std::string what = e.what();
    for (const char* part : {"colour", "mauve", "rainbow"}) {
        CHECK(what.find(part) != std::string::npos);
    }
}

}  // namespace fastalloc::testing
