// SPDX-License-Identifier: MIT
#pragma once

#include "fuzz/tally.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace fastalloc::fuzz {

/// The resources that inputs are run on; the first byte of an input says which.
inline constexpr std::array resource_names{
    "fixed bitmap",         "fixed free list",     "fixed stack",
    "growing bitmap",       "growing free list",   "growing stack",
    "growing counted",      "thread local bitmap", "thread local free list",
    "thread local counted", "synchronized bitmap", "synchronized stack",
    "synchronized counted", "lock-free",           "lock-free counted"};

inline constexpr std::size_t resource_count = resource_names.size();

using tallies = std::array<tally, resource_count>;

/// Effects: does what the input says, and counts it. Throws: `violation` if a resource or pool did
/// what the model does not allow. The same input does the same again.
void run_input(std::span<const std::uint8_t> bytes, tallies& counts);

/// Runs the rest of an input on one resource.
using runner = void (*)(std::span<const std::uint8_t> bytes, tally& counts);

// In the order of their names.
extern const std::array<runner, 3> fixed_runners;
extern const std::array<runner, 4> growing_runners;
extern const std::array<runner, 3> thread_local_runners;
extern const std::array<runner, 5> shared_runners;

}  // namespace fastalloc::fuzz
