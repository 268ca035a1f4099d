// SPDX-License-Identifier: MIT
#pragma once

#include "support/catch.hpp"
#include "support/interleaving.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

namespace fastalloc::testing {

constexpr auto relaxed = std::memory_order_relaxed;
constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;
constexpr auto acq_rel = std::memory_order_acq_rel;
constexpr auto seq_cst = std::memory_order_seq_cst;

inline exploration_options in(memory_model model) {
    exploration_options options;
    options.model = model;
    return options;
}

inline exploration_options with_preemptions(unsigned most,
                                            memory_model model = memory_model::sequential) {
    exploration_options options = in(model);
    options.preemptions = most;
    return options;
}

inline void check_passes(const scenario_factory& make, const exploration_options& options = {}) {
    const outcome result = explore_all(make, options);
    INFO(result.text());
    CHECK(result.exhaustive);
}

/// As above, where there are too many schedules, so that options bound them.
inline void check_does_not_fail(const scenario_factory& make, const exploration_options& options) {
    const outcome result = explore_all(make, options);
    INFO(result.text());
    CHECK_FALSE(result.failed);
}

/// As many schedules at random, where there are too many for bounds. By hand, the environment says how many
/// and with which seed: FASTALLOC_SCHEDULES, FASTALLOC_SEED.
inline void check_does_not_fail_at_random(const scenario_factory& make, std::size_t schedules,
                                          const exploration_options& options) {
    const auto number_of = [](const char* name, std::uint64_t otherwise) {
        const char* const text = std::getenv(name);
        return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
    };
    const outcome result = explore_random(make, number_of("FASTALLOC_SCHEDULES", schedules),
                                          number_of("FASTALLOC_SEED", 1), options);
    INFO(result.text());
    CHECK_FALSE(result.failed);
}

/// Also checks that the failure can be repeated.
inline void check_fails(const scenario_factory& make, const std::string& message,
                        const exploration_options& options = {}) {
    const outcome result = explore_all(make, options);
    INFO(result.text());
    CHECK_FALSE(result.exhaustive);
    REQUIRE(result.failed);
    CHECK(result.failed->message.find(message) != std::string::npos);
    const outcome again = replay(make, result.failed->choices, options);
    REQUIRE(again.failed);
    CHECK(again.failed->message == result.failed->message);
    CHECK(again.failed->choices == result.failed->choices);
    CHECK_FALSE(again.failed->trace.empty());
    CHECK(again.schedules == 1);
}

}  // namespace fastalloc::testing
