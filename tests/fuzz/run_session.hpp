// SPDX-License-Identifier: MIT
#pragma once

#include "fuzz/session.hpp"

#include <fastalloc/object/object_pool.hpp>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace fastalloc::fuzz {

/// Effects: keeps `broken` for good. What went wrong once is neither to be destroyed nor to be
/// reported as leaked.
void abandon(std::shared_ptr<void> broken);

/// Effects: does to a `Resource` what the input says. Throws: `violation`.
template <class Resource, template <class, class> class PoolOf = object_pool>
void run_session(std::span<const std::uint8_t> bytes, tally& counts) {
    ++counts.inputs;
    const auto w = std::make_shared<world>(bytes, counts);
    const auto s = std::make_shared<session<Resource, PoolOf>>(*w);
    s->run();
    if (!w->found.any()) return;
    abandon(w);
    abandon(s);
    throw violation(w->found.first());
}

}  // namespace fastalloc::fuzz
