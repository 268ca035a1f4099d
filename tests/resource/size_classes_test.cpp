// SPDX-License-Identifier: MIT
#include "conformance/listed.hpp"
#include "support/catch.hpp"

#include <fastalloc/resource/size_classes.hpp>

#include <algorithm>
#include <cstddef>
#include <random>
#include <tuple>
#include <vector>

namespace fastalloc::testing {

using namespace fastalloc::detail;

TEST_CASE("a routing key is one less than the slot that a request needs") {
    static_assert(routing_key(0, 1) == size_max);
    static_assert(routing_key(0, 64) == size_max);
    static_assert(exact_routing_key(0, 1) == 0);
    static_assert(exact_routing_key(0, 64) == 63);
    static_assert(routing_key(1, 1) == 0);
    static_assert(routing_key(65, 64) == 127);
    static_assert(routing_key(size_max, 64) == size_max);
    std::size_t wrong = 0;
    for (std::size_t bytes = 1; bytes != 5'000; ++bytes) {
        for (std::size_t alignment = 1; alignment <= 8'192; alignment *= 2) {
            wrong += routing_key(bytes, alignment) != smallest_slot(bytes, alignment) - 1;
            wrong += exact_routing_key(bytes, alignment) != routing_key(bytes, alignment);
        }
    }
    CHECK(wrong == 0);
}

TEST_CASE("the natural class of a size is the smallest that holds it") {
    std::size_t wrong = 0;
    std::size_t before = 0;
    for (std::size_t n = 1; n <= natural::largest_size; ++n) {
        const std::size_t index = natural::class_of(n - 1);
        wrong += natural::computed_class(n - 1) != index;
        wrong += index < before || index > before + 1;
        wrong += natural::slot_size(index) < n;
        wrong += index != 0 && natural::slot_size(index - 1) >= n;
        before = index;
    }
    CHECK(wrong == 0);
    CHECK(natural::slot_size(before) == natural::largest_size);
}

TEST_CASE("the natural class of a size is aligned as the size is") {
    std::size_t wrong = 0;
    for (std::size_t n = 1; n <= natural::largest_size; ++n) {
        const std::size_t slot_size = natural::slot_size(natural::class_of(n - 1));
        wrong += natural_alignment(slot_size) < natural_alignment(n);
    }
    CHECK(wrong == 0);
}

TEST_CASE("the pool of a request serves it") {
    for (const std::size_t limit : {8u, 4'096u, 5'120u, 65'536u}) {
        const class_map map = class_map::of_natural(limit);
        REQUIRE(map.natural_classes >= natural::tabled_classes);
        std::size_t wrong = 0;
        for (std::size_t bytes = 0; bytes <= limit; bytes += 1 + bytes / 64) {
            for (std::size_t alignment = 1; alignment <= limit; alignment *= 2) {
                const std::size_t key = exact_routing_key(bytes, alignment);
                const std::size_t pool = map.class_of(bytes, alignment);
                wrong += (pool == class_map::no_class) != (key >= limit);
                if (key >= limit) continue;
                wrong += pool >= map.count();
                wrong += !map.at(pool).serves(key, alignment);
                wrong += map.at(pool).slot_size != natural::slot_size(natural::class_of(key));
            }
        }
        CHECK(wrong == 0);
        for (std::size_t pool = 0; pool != map.count(); ++pool) {
            const size_class c = map.at(pool);
            CHECK(c.slot_size % c.alignment == 0);
            if (pool < map.natural_classes) CHECK(c.alignment <= natural::ordinary_alignment);
        }
    }
}

TEST_CASE("natural classes waste little") {
    std::size_t wrong = 0;
    for (std::size_t n = 1; n <= natural::largest_size; ++n) {
        const std::size_t waste = natural::slot_size(natural::class_of(n - 1)) - n;
        wrong += n > 128 ? waste * 4 > n : waste >= 16;
        wrong += n <= 64 && waste >= 8;
    }
    CHECK(wrong == 0);
}

TEST_CASE("the listed class of a request is the first that a linear search finds") {
    std::mt19937 random(5);
    const auto up_to = [&](std::size_t most) {
        return std::uniform_int_distribution<std::size_t>(0, most)(random);
    };
    std::size_t wrong = 0;
    std::size_t served = 0;
    for (int list = 0; list != 300; ++list) {
        std::vector<size_class> classes;
        const std::size_t count = list < 20 ? static_cast<std::size_t>(list) : 1 + up_to(40);
        for (std::size_t i = 0; i != count; ++i) {
            const std::size_t alignment = std::size_t{1} << up_to(10);
            classes.push_back({alignment * (1 + up_to(2'000 / alignment)), alignment});
        }
        const auto order = [](const size_class& c) { return std::tuple(c.slot_size, c.alignment); };
        std::ranges::sort(classes, {}, order);
        for (int i = 0; i != 2'000; ++i) {
            const std::size_t alignment = std::size_t{1} << (i % 100 == 0 ? up_to(63) : up_to(11));
            std::size_t bytes = up_to(2'200);
            if (i % 50 == 0) bytes = size_max - bytes;
            // The boundaries of a class.
            if (i % 3 == 0 && !classes.empty()) {
                bytes = classes[up_to(classes.size() - 1)].slot_size + up_to(2) - 1;
            }
            std::size_t expected = 0;
            while (expected != classes.size() &&
                   (classes[expected].slot_size < smallest_slot(bytes, alignment) ||
                    classes[expected].alignment < alignment)) {
                ++expected;
            }
            served += expected != classes.size();
            wrong += listed_class_of(classes, exact_routing_key(bytes, alignment), alignment) !=
                     expected;
        }
    }
    CHECK(wrong == 0);
    CHECK(served > 100'000);
}

}  // namespace fastalloc::testing
