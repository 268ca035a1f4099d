// SPDX-License-Identifier: MIT
#include <fastalloc/detail/machine.hpp>
#include <fastalloc/resource/class_list.hpp>
#include <fastalloc/resource/class_plan.hpp>

#include <algorithm>

namespace fastalloc::detail {

namespace {

slot_number configured_slab(const pool_config& config, std::size_t capacity) {
    if (capacity == 0) return static_cast<slot_number>(config.capacity());
    const std::size_t cap = config.max_capacity().value_or(size_max);
    if (capacity >= cap) return 0;
    const std::size_t wanted = config.growth()
                                   ? config.growth()->slots_to_add(capacity)
                                   : growth_strategy::exponential(2.0).slots_to_add(capacity);
    return static_cast<slot_number>(
        std::min({wanted, cap - capacity, pool_config::largest_capacity}));
}

// A short-lived resource uses few slots of many classes.
slot_number first_drop_in_slab(std::size_t slot_size, std::size_t most) noexcept {
    constexpr std::size_t usual_block = 1024;
    constexpr std::size_t largest_block = 8192;
    const std::size_t wanted = std::max<std::size_t>(usual_block / slot_size, 4);
    const std::size_t fitting = std::max<std::size_t>(largest_block / slot_size, 2);
    return static_cast<slot_number>(std::min({wanted, fitting, most}));
}

// Slabs of an eighth of what the class holds keep both their number and the unused memory small. Where
// such a slab has many slots already, a 64th does. From there on, whole huge pages.
std::size_t drop_in_slab_bytes(std::size_t slot_size, std::size_t capacity) noexcept {
    constexpr std::size_t many_slots = std::size_t{1} << 14;
    const std::size_t held = capacity * slot_size;
    const std::size_t eighth = std::min(held / 8, many_slots * slot_size);
    const std::size_t bytes = std::max({eighth, held / 64, std::min(held, page)});
    return bytes < huge_page ? bytes : bytes - bytes % huge_page;
}

slot_number drop_in_slab(std::size_t slot_size, std::size_t capacity, std::size_t most,
                         std::size_t (*record_bytes)(slot_number)) noexcept {
    if (capacity == 0) return first_drop_in_slab(slot_size, most);
    const std::size_t bytes = drop_in_slab_bytes(slot_size, capacity);
    const auto estimate = static_cast<slot_number>(std::min(bytes / slot_size, most));
    const std::size_t record = record_bytes(estimate);
    const std::size_t fitting = bytes > record ? (bytes - record) / slot_size : 0;
    return static_cast<slot_number>(std::min(std::max<std::size_t>(fitting, 2), most));
}

}  // namespace

class_plan::class_plan(std::span<const pool_config> classes)
    : configs_(in_routing_order(classes)),
      options_{0, configs_.back().slot_size()},
      larger_requests_(agreed_larger_requests(classes, fastalloc::larger_requests::to_upstream)) {
    for (const pool_config& c : configs_) listed_.push_back({c.slot_size(), c.alignment()});
}

slot_geometry class_plan::geometry_of(std::size_t index) const noexcept {
    const size_class c = map().at(index);
    return {c.slot_size, c.alignment};
}

bool class_plan::pre_initialize(std::size_t index) const noexcept {
    return !is_drop_in() && configs_[index].pre_initialize();
}

std::size_t class_plan::cap_of(std::size_t index) const noexcept {
    if (is_drop_in()) return size_max;
    const pool_config& c = configs_[index];
    return c.growth() && c.growth()->is_none() ? c.capacity() : c.max_capacity().value_or(size_max);
}

allocation_failure class_plan::why_full(std::size_t index, std::size_t capacity) const noexcept {
    const bool grows =
        is_drop_in() || !(configs_[index].growth() && configs_[index].growth()->is_none());
    return grows && capacity >= cap_of(index) ? allocation_failure::at_cap
                                              : allocation_failure::exhausted;
}

slot_number class_plan::next_slab(std::size_t index, std::size_t capacity,
                                  std::size_t (*record_bytes)(slot_number)) const {
    if (!is_drop_in()) return configured_slab(configs_[index], capacity);
    return drop_in_slab(natural_.at(index).slot_size, capacity, options_.max_blocks_per_chunk,
                        record_bytes);
}

}  // namespace fastalloc::detail
