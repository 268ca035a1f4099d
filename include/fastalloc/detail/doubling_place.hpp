// SPDX-License-Identifier: MIT
#pragma once

#include <bit>
#include <cstdint>

namespace fastalloc::detail {

/// Where entry `n` is in a table of segments of which each is as large as all before it, so that a
/// table grows without being moved.
template <std::uint32_t FirstSegment>
struct doubling_place {
    std::uint32_t segment = 0;
    std::uint32_t offset = 0;

    constexpr doubling_place() = default;

    constexpr explicit doubling_place(std::uint32_t n) noexcept
        : segment(static_cast<std::uint32_t>(std::bit_width(n / FirstSegment))),
          offset(n - first_of(segment)) {}

    constexpr std::uint32_t number() const noexcept { return first_of(segment) + offset; }

    static constexpr std::uint32_t first_of(std::uint32_t s) noexcept {
        return s == 0 ? 0 : FirstSegment << (s - 1);
    }

    static constexpr std::uint32_t size_of(std::uint32_t s) noexcept {
        return s == 0 ? FirstSegment : FirstSegment << (s - 1);
    }
};

}  // namespace fastalloc::detail
