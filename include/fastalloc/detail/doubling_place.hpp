// SPDX-License-Identifier: MIT
#pragma once

#include <bit>
#include <cstdint>

namespace fastalloc::detail {

/// Where entry `n` is in a table of segments of which each is twice as large as the one before it, so
/// that a table grows without being moved. Preconditions: `n + FirstSegment` fits 32 bits.
template <std::uint32_t FirstSegment>
struct doubling_place {
    static_assert(std::has_single_bit(FirstSegment));

    std::uint32_t segment = 0;
    std::uint32_t offset = 0;

    constexpr doubling_place() = default;

    // The highest bit of n + FirstSegment is the segment's, the others are the offset.
    constexpr explicit doubling_place(std::uint32_t n) noexcept
        : segment(static_cast<std::uint32_t>(std::bit_width(n + FirstSegment) -
                                             std::bit_width(FirstSegment))),
          offset(n + FirstSegment - size_of(segment)) {}

    constexpr std::uint32_t number() const noexcept { return first_of(segment) + offset; }

    static constexpr std::uint32_t first_of(std::uint32_t s) noexcept {
        return size_of(s) - FirstSegment;
    }

    static constexpr std::uint32_t size_of(std::uint32_t s) noexcept { return FirstSegment << s; }
};

}  // namespace fastalloc::detail
