// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/config.hpp>
#include <fastalloc/detail/export.hpp>

#include <concepts>
#include <span>
#include <vector>

namespace fastalloc::detail {

/// What a resource takes as a list of classes.
template <class R>
concept class_list = std::convertible_to<R, std::span<const pool_config>>;

/// Returns: the classes in routing order: by slot size, then alignment. Throws:
/// `invalid_configuration` if there is none, one has no slot size, or two are alike.
FASTALLOC_EXPORT std::vector<pool_config> in_routing_order(std::span<const pool_config> classes);

/// Throws: `invalid_configuration` if the slot size was left out.
FASTALLOC_EXPORT void require_slot_size(const pool_config& config);

/// Throws: `invalid_configuration` if the slot size was left out, or growth is asked for.
FASTALLOC_EXPORT void require_fixed(const pool_config& config);

/// Returns: what the classes say of larger requests, `otherwise` where they say nothing. Throws:
/// `invalid_configuration` if they contradict each other.
FASTALLOC_EXPORT larger_requests agreed_larger_requests(std::span<const pool_config> classes,
                                                        larger_requests otherwise);

}  // namespace fastalloc::detail
