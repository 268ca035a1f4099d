// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/config.hpp>
#include <fastalloc/detail/export.hpp>
#include <fastalloc/resource/size_classes.hpp>
#include <fastalloc/statistics.hpp>
#include <fastalloc/storage/slot_geometry.hpp>

#include <algorithm>
#include <cstddef>
#include <memory_resource>
#include <span>
#include <vector>

namespace fastalloc::detail {

/// The classes of a resource that can grow, and how each does: as configured, or as drop-in
/// resources do, which have every natural class up to a limit.
class class_plan {
public:
    /// The plan of a drop-in resource.
    constexpr explicit class_plan(const std::pmr::pool_options& options) noexcept
        : options_(resolved(options)),
          natural_(class_map::of_natural(options_.largest_required_pool_block)),
          larger_requests_(fastalloc::larger_requests::to_upstream) {}

    /// Throws: `invalid_configuration` if there is no class, one has no slot size, two are alike, or
    /// they contradict each other on larger requests.
    FASTALLOC_EXPORT explicit class_plan(std::span<const pool_config> classes);

    /// It refers to this plan.
    class_map map() const noexcept { return is_drop_in() ? natural_ : class_map{listed_}; }

    fastalloc::larger_requests larger_requests() const noexcept { return larger_requests_; }

    /// Returns: of a drop-in resource, the options with each value that was left out, or out of
    /// range, replaced. Otherwise the largest slot size, and 0 blocks per chunk.
    std::pmr::pool_options options() const noexcept { return options_; }

    FASTALLOC_EXPORT slot_geometry geometry_of(std::size_t index) const noexcept;

    FASTALLOC_EXPORT bool pre_initialize(std::size_t index) const noexcept;

    /// Slots that the class never exceeds; `size_max` if there is no limit.
    FASTALLOC_EXPORT std::size_t cap_of(std::size_t index) const noexcept;

    /// Returns: why a class that has `capacity` slots may not grow.
    FASTALLOC_EXPORT allocation_failure why_full(std::size_t index,
                                                 std::size_t capacity) const noexcept;

    /// Returns: slots of the next slab of a class that has `capacity`, no more than its cap leaves
    /// room for and one slab can hold; 0 if the class is exhausted. `record_bytes` says how many
    /// bytes of books a slab of so many slots needs. Throws: what a custom growth function throws.
    FASTALLOC_EXPORT slot_number next_slab(std::size_t index, std::size_t capacity,
                                           std::size_t (*record_bytes)(slot_number)) const;

    bool is_drop_in() const noexcept { return configs_.empty(); }

private:
    static constexpr std::pmr::pool_options resolved(
        const std::pmr::pool_options& options) noexcept {
        constexpr std::size_t default_blocks = std::size_t{1} << 17;
        constexpr std::size_t most_blocks = std::size_t{1} << 19;
        constexpr std::size_t default_size = 4096;
        const std::size_t blocks = options.max_blocks_per_chunk;
        const std::size_t size = options.largest_required_pool_block;
        const std::size_t bounded =
            std::min(size == 0 ? default_size : size, natural::largest_size);
        return {std::min(blocks == 0 ? default_blocks : blocks, most_blocks),
                natural::slot_size(natural::class_of(bounded - 1))};
    }

    std::vector<pool_config> configs_;  // in routing order; empty: a drop-in resource
    std::vector<size_class> listed_;
    std::pmr::pool_options options_;
    class_map natural_;  // none unless this is a drop-in resource
    fastalloc::larger_requests larger_requests_;
};

}  // namespace fastalloc::detail
