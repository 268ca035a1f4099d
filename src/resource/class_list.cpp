// SPDX-License-Identifier: MIT
#include <fastalloc/error.hpp>
#include <fastalloc/resource/class_list.hpp>

#include <algorithm>
#include <tuple>

namespace fastalloc::detail {

namespace {

auto routing_order(const pool_config& c) { return std::tuple(c.slot_size(), c.alignment()); }

}  // namespace

void require_slot_size(const pool_config& config) {
    if (config.slot_size() == 0) {
        throw_invalid("slot_size", "not given", "a resource must know it");
    }
}

void require_fixed(const pool_config& config) {
    require_slot_size(config);
    if (config.growth() && !config.growth()->is_none()) {
        throw_invalid("growth", "not none", "a fixed pool does not grow");
    }
    if (config.max_capacity().value_or(config.capacity()) != config.capacity()) {
        throw_invalid("max_capacity", *config.max_capacity(),
                      "a fixed pool does not grow beyond its capacity");
    }
}

std::vector<pool_config> in_routing_order(std::span<const pool_config> classes) {
    if (classes.empty()) throw_invalid("classes", std::size_t{0}, "must be at least 1");
    for (const pool_config& c : classes) require_slot_size(c);
    std::vector<pool_config> ordered(classes.begin(), classes.end());
    std::ranges::sort(ordered, {}, routing_order);
    const auto twin = std::ranges::adjacent_find(ordered, {}, routing_order);
    if (twin != ordered.end()) {
        throw_invalid("slot_size", twin->slot_size(), "two classes have this size and alignment");
    }
    return ordered;
}

larger_requests agreed_larger_requests(std::span<const pool_config> classes,
                                       larger_requests otherwise) {
    std::optional<larger_requests> agreed;
    for (const pool_config& c : classes) {
        if (agreed && c.larger_requests() && *agreed != *c.larger_requests()) {
            throw_invalid("larger_requests", "refuse and to_upstream",
                          "the classes of one resource must agree");
        }
        if (c.larger_requests()) agreed = c.larger_requests();
    }
    return agreed.value_or(otherwise);
}

}  // namespace fastalloc::detail
