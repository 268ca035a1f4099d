// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace fastalloc::fuzz {

/// What an input can tell a session to do.
enum class step : std::uint8_t {
    allocate,
    try_allocate,
    deallocate,
    allocate_run,
    deallocate_run,
    allocate_batch,
    deallocate_batch,
    trim,
    release,
    fail_upstream,
    heal_upstream,
    check_everything,
    on_thread,
    make,
    try_make,
    make_shared,
    make_batch,
    share,
    copy_shared,
    observe,
    lock,
    key,
    find,
    drop,
    release_object,
    adopt_object,
    drain,
    trim_pool,
    replace_pool,
    visit_objects,
    arm_fuse,
    count
};

inline constexpr std::size_t step_count = static_cast<std::size_t>(step::count);

inline constexpr std::array<const char*, step_count> step_names{"allocate",
                                                                "try_allocate",
                                                                "deallocate",
                                                                "allocate_run",
                                                                "deallocate_run",
                                                                "allocate_batch",
                                                                "deallocate_batch",
                                                                "trim",
                                                                "release",
                                                                "fail_upstream",
                                                                "heal_upstream",
                                                                "check_everything",
                                                                "on_thread",
                                                                "make",
                                                                "try_make",
                                                                "make_shared",
                                                                "make_batch",
                                                                "share",
                                                                "copy_shared",
                                                                "observe",
                                                                "lock",
                                                                "key",
                                                                "find",
                                                                "drop",
                                                                "release_object",
                                                                "adopt_object",
                                                                "drain",
                                                                "trim_pool",
                                                                "replace_pool",
                                                                "visit_objects",
                                                                "arm_fuse"};

/// What can come of it.
enum class event : std::uint8_t {
    grew,
    exhausted,
    refused_larger,
    served_larger,
    upstream_failed,
    batch_failed,
    growth_threw,
    growth_gave_back,
    growth_refused,
    user_code_threw,
    returned_slabs,
    block_of_an_ended_thread,
    lock_failed,
    find_failed,
    drained_to_make,
    constructor_failed,
    in_a_buffer,
    with_classes,
    drop_in,
    one_class,
    pool_owns_resource,
    eager,
    recycling,
    deferred,
    lazy,
    count
};

inline constexpr std::size_t event_count = static_cast<std::size_t>(event::count);

inline constexpr std::array<const char*, event_count> event_names{"grew",
                                                                  "exhausted",
                                                                  "refused_larger",
                                                                  "served_larger",
                                                                  "upstream_failed",
                                                                  "batch_failed",
                                                                  "growth_threw",
                                                                  "growth_gave_back",
                                                                  "growth_refused",
                                                                  "user_code_threw",
                                                                  "returned_slabs",
                                                                  "block_of_an_ended_thread",
                                                                  "lock_failed",
                                                                  "find_failed",
                                                                  "drained_to_make",
                                                                  "constructor_failed",
                                                                  "in_a_buffer",
                                                                  "with_classes",
                                                                  "drop_in",
                                                                  "one_class",
                                                                  "pool_owns_resource",
                                                                  "eager",
                                                                  "recycling",
                                                                  "deferred",
                                                                  "lazy"};

/// Counts what was reached while one kind of resource was under test.
struct tally {
    std::uint64_t inputs = 0;
    std::uint64_t operations = 0;  // each block or object that was asked for or went back is one
    std::array<std::uint64_t, step_count> steps{};
    std::array<std::uint64_t, event_count> events{};

    void count(step s) noexcept { ++steps[static_cast<std::size_t>(s)]; }
    void count(event e) noexcept { ++events[static_cast<std::size_t>(e)]; }
};

}  // namespace fastalloc::fuzz
