// SPDX-License-Identifier: MIT
#include "fuzz/plan.hpp"

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

namespace fastalloc::fuzz {

namespace {

constexpr std::size_t slot_sizes[] = {1,   2,   3,   7,    8,    16,   20,   24,
                                      40,  48,  56,  64,   72,   96,   100,  128,
                                      200, 256, 500, 1000, 1024, 2000, 4096, 5000};
constexpr std::size_t capacities[] = {1,  2,  3,  5,   8,   16,  31,  63,
                                      64, 65, 90, 128, 130, 200, 500, 1000};
constexpr std::size_t steps[] = {1, 2, 7, 16, 33, 64, 100, 300};
constexpr double factors[] = {1.01, 1.5, 2.0, 2.5, 4.0, 16.0};
constexpr std::size_t caps_above[] = {0, 1, 2, 10, 63, 64, 200, 1500};
constexpr std::size_t most_bytes = std::size_t{256} << 10;  // of the first slots of a class

class_model read_class(input& in, bool may_grow) {
    class_model c;
    const std::size_t size = in.one_of(slot_sizes);
    const std::size_t how = in.byte();
    // Either what divides the size, as by default, or another power of two.
    c.alignment = std::min(size & (~size + 1), alignof(std::max_align_t));
    if (how % 4 == 0) c.alignment = std::size_t{1} << in.below(13);
    c.slot_size = needed_bytes(size, c.alignment);
    c.first = std::max<std::size_t>(1, std::min(in.one_of(capacities), most_bytes / c.slot_size));
    if (!may_grow) {
        c.growth = growth_kind::none;
        return c;
    }
    c.growth = static_cast<growth_kind>(in.below(5));
    c.step = in.one_of(steps);
    if (c.growth == growth_kind::exponential) c.factor = in.one_of(factors);
    if (how / 4 % 2 == 0) c.cap = c.first + in.one_of(caps_above);
    return c;
}

std::optional<growth_strategy> strategy_of(const class_model& c, std::size_t number,
                                           growth_host& host) {
    switch (c.growth) {
        case growth_kind::by_default:
        case growth_kind::drop_in:
            break;
        case growth_kind::none:
            return growth_strategy::none();
        case growth_kind::linear:
            return growth_strategy::linear(c.step);
        case growth_kind::exponential:
            return growth_strategy::exponential(c.factor);
        case growth_kind::custom:
            return growth_strategy::custom([&host, number](std::size_t capacity) {
                return host.slots_to_add(number, capacity);
            });
    }
    return std::nullopt;
}

pool_config config_of(const class_model& c, std::size_t number, growth_host& host,
                      std::optional<larger_requests> larger, bool pre_initialize,
                      bool sizes_are_given) {
    auto builder = pool_config::builder();
    if (sizes_are_given) builder.slot_size(c.slot_size).alignment(c.alignment);
    builder.capacity(c.first).pre_initialize(pre_initialize);
    if (c.cap != no_limit) builder.max_capacity(c.cap);
    if (const auto growth = strategy_of(c, number, host)) builder.growth(*growth);
    if (larger) builder.larger_requests(*larger);
    return builder.build();
}

// Effects: routing order, and no two classes alike.
void put_in_order(std::vector<class_model>& classes) {
    const auto key = [](const class_model& c) { return std::tuple(c.slot_size, c.alignment); };
    const auto are_alike = [=](const class_model& a, const class_model& b) {
        return key(a) == key(b);
    };
    std::ranges::sort(classes, {}, key);
    classes.erase(std::unique(classes.begin(), classes.end(), are_alike), classes.end());
}

// Effects: slots that hold an object; by what the configuration says, or by leaving it out.
bool fit_to_objects(class_model& c, std::size_t bytes, std::size_t alignment) {
    const bool is_large_enough = c.slot_size >= bytes && c.alignment >= alignment;
    if (!is_large_enough) {
        c.slot_size = bytes;
        c.alignment = alignment;
    }
    return is_large_enough;
}

form read_form(input& in, abilities can) {
    const auto how = static_cast<form>(in.below(5));
    if (how == form::drop_in && !can.grows) return form::buffer;
    if (how == form::buffer && !can.takes_a_buffer) return form::drop_in;
    return how;
}

}  // namespace

plan read_plan(input& in, abilities can, growth_host& host, std::size_t object_bytes,
               std::size_t object_alignment) {
    constexpr std::size_t blocks[] = {0, 1, 2, 7, 100, 5000};
    constexpr std::size_t largest[] = {0, 1, 8, 100, 512, 5000, 65'536, 1'000'000};
    plan made;
    made.how = read_form(in, can);
    made.may_grow = can.grows;
    if (made.how == form::drop_in) {
        made.options = {in.one_of(blocks), in.one_of(largest)};
        return made;
    }
    const std::size_t bits = in.byte();
    std::optional<larger_requests> larger;
    if (bits % 4 == 0) larger = larger_requests::refuse;
    if (bits % 4 == 1) larger = larger_requests::to_upstream;
    made.larger_to_upstream =
        larger.value_or(can.grows ? larger_requests::to_upstream : larger_requests::refuse) ==
        larger_requests::to_upstream;
    const std::size_t count = made.how == form::classes ? 1 + bits / 16 % 8 : 1;
    for (std::size_t i = 0; i != count; ++i) made.classes.push_back(read_class(in, can.grows));
    put_in_order(made.classes);
    bool sizes_are_given = true;
    if (made.how == form::owned_by_pool) {
        sizes_are_given = fit_to_objects(made.classes[0], object_bytes, object_alignment);
    }
    for (std::size_t i = 0; i != made.classes.size(); ++i) {
        made.configs.push_back(
            config_of(made.classes[i], i, host, larger, bits / 8 % 2 != 0, sizes_are_given));
    }
    // Resources put them in order themselves.
    if (bits >= 128) std::swap(made.configs.front(), made.configs.back());
    return made;
}

}  // namespace fastalloc::fuzz
