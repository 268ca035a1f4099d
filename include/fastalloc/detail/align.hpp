// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

namespace fastalloc::detail {

/// The largest number of bytes that can be asked for; also what stands for a sum or product that
/// does not fit, so that a request built from it can only be refused.
inline constexpr std::size_t size_max = std::numeric_limits<std::size_t>::max();

/// No request to upstream is larger: nobody has more, and rounding one up to its alignment, as some
/// upstreams do without looking, cannot wrap.
inline constexpr std::size_t largest_request = size_max / 2;

/// The largest power of two that divides `n`. Preconditions: `n` is not 0.
constexpr std::size_t natural_alignment(std::size_t n) noexcept { return n & (~n + 1); }

/// `n` rounded up to a multiple of `alignment`. Preconditions: `alignment` is a power of two and
/// the result can be represented.
constexpr std::size_t round_up(std::size_t n, std::size_t alignment) noexcept {
    return (n + alignment - 1) & ~(alignment - 1);
}

/// `a + b`, or `size_max` when that does not fit.
constexpr std::size_t saturating_add(std::size_t a, std::size_t b) noexcept {
    std::size_t sum = 0;
    return __builtin_add_overflow(a, b, &sum) ? size_max : sum;
}

/// `a * b`, or `size_max` when that does not fit.
constexpr std::size_t saturating_multiply(std::size_t a, std::size_t b) noexcept {
    std::size_t product = 0;
    return __builtin_mul_overflow(a, b, &product) ? size_max : product;
}

/// The address of `p` as a number.
inline std::uintptr_t address(const void* p) noexcept {
    return reinterpret_cast<std::uintptr_t>(p);
}

}  // namespace fastalloc::detail
