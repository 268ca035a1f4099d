// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

namespace fastalloc::detail {

/// Bytes of a cache line on the machines we know; a wrong value costs time, not correctness.
inline constexpr std::size_t cache_line = 64;

/// Bytes of the smallest page of any Linux machine.
inline constexpr std::size_t page = 4096;

/// Bytes of a huge page, where there are some.
inline constexpr std::size_t huge_page = std::size_t{2} << 20;

}  // namespace fastalloc::detail
