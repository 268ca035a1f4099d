// SPDX-License-Identifier: MIT
#pragma once

namespace fastalloc::testing::faults {

class tally;

/// Effects: every operation, in worlds that `seed` varies, with every fault.
void inject_into_resources(unsigned seed, tally& t);
void inject_into_object_pools(unsigned seed, tally& t);

/// Returns: whether each violation that is planted in a world is noticed.
bool planted_violations_are_noticed();

}  // namespace fastalloc::testing::faults
