// SPDX-License-Identifier: MIT
#pragma once

#include "fuzz/class_model.hpp"
#include "fuzz/input.hpp"

#include <fastalloc/config.hpp>

#include <cstddef>
#include <memory_resource>
#include <vector>

namespace fastalloc::fuzz {

/// How the resource under test is made.
enum class form : unsigned char { one_class, classes, drop_in, buffer, owned_by_pool };

/// Answers for custom growth functions.
class growth_host {
public:
    virtual std::size_t slots_to_add(std::size_t class_number, std::size_t capacity) = 0;

protected:
    ~growth_host() = default;
};

/// What an input says of the resource, and what the model knows of that.
struct plan {
    form how = form::one_class;
    std::vector<pool_config> configs;
    std::pmr::pool_options options{};
    bool may_grow = true;
    bool larger_to_upstream = true;
    std::vector<class_model> classes;  // of the configs, in routing order
};

/// What a resource can be made from.
struct abilities {
    bool grows;
    bool takes_a_buffer;
};

/// Returns: what `in` says next. `object_bytes` and `object_alignment` are those of a typed pool.
/// Custom growth asks `host`, which outlives the plan.
plan read_plan(input& in, abilities can, growth_host& host, std::size_t object_bytes,
               std::size_t object_alignment);

}  // namespace fastalloc::fuzz
