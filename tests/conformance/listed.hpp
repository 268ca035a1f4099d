// SPDX-License-Identifier: MIT
#pragma once

// The routing rule in the words of the documentation, for comparison with the resources' own, and
// lists of classes to try it with.

#include <fastalloc/config.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace fastalloc::testing {

/// max(bytes, 1) rounded up to a multiple of the alignment; 0 where that does not fit.
constexpr std::size_t smallest_slot(std::size_t bytes, std::size_t alignment) {
    const std::size_t n = bytes == 0 ? 1 : bytes;
    const std::size_t rounded = (n + alignment - 1) / alignment * alignment;
    return rounded < n ? ~std::size_t{0} : rounded;
}

struct listed_class_spec {
    std::size_t slot_size;
    std::size_t alignment;
    std::size_t capacity;
};

constexpr bool fits_listed(std::span<const listed_class_spec> classes, std::size_t bytes,
                           std::size_t alignment) {
    for (const listed_class_spec& c : classes) {
        if (smallest_slot(bytes, alignment) <= c.slot_size && alignment <= c.alignment) return true;
    }
    return false;
}

/// Sizes that are no powers of two, alignments above and below what the size suggests, out of order.
inline constexpr listed_class_spec odd_classes[] = {
    {1'000, 8, 4'000}, {20, 4, 4'000},    {24, 8, 4'000},  {64, 4, 4'000},
    {64, 64, 4'000},   {512, 512, 4'000}, {600, 8, 4'000}, {56, 8, 4'000}};

inline std::vector<pool_config> configs_of(std::span<const listed_class_spec> classes,
                                           std::optional<larger_requests> larger = {}) {
    std::vector<pool_config> configs;
    for (const listed_class_spec& c : classes) {
        auto builder = pool_config::builder();
        builder.slot_size(c.slot_size).alignment(c.alignment).capacity(c.capacity);
        if (larger) builder.larger_requests(*larger);
        configs.push_back(builder.build());
    }
    return configs;
}

}  // namespace fastalloc::testing
