// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/detail/align.hpp>
#include <fastalloc/index/index_strategy.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>

namespace fastalloc::detail {

/// Size and alignment of the slots of one pool, and the arithmetic between a slot's number and its
/// place in a slab, both ways without a division.
class slot_geometry {
public:
    /// Preconditions: `slot_size` is not 0 and a multiple of `alignment`, a power of two.
    constexpr slot_geometry(std::size_t slot_size, std::size_t alignment) noexcept
        : slot_size_(slot_size),
          alignment_(alignment),
          shift_(static_cast<std::uint32_t>(std::countr_zero(slot_size))),
          inverse_(inverse_of_odd(slot_size >> shift_)) {}

    constexpr std::size_t slot_size() const noexcept { return slot_size_; }

    constexpr std::size_t alignment() const noexcept { return alignment_; }

    constexpr std::size_t offset_of(slot_number n) const noexcept { return n * slot_size_; }

    /// Preconditions: `offset` is a multiple of the slot size.
    constexpr slot_number number_at(std::size_t offset) const noexcept {
        return static_cast<slot_number>((offset >> shift_) * inverse_);
    }

private:
    // Dividing by 2^k * odd, where the remainder is known to be 0, is a shift by k and a
    // multiplication by the inverse of the odd part modulo 2^64. Each Newton step doubles the
    // number of valid bits, and an odd number is its own inverse modulo 8. (Hacker's Delight,
    // 10-16.)
    static constexpr std::uint64_t inverse_of_odd(std::uint64_t odd) noexcept {
        std::uint64_t inverse = odd;
        for (int valid_bits = 3; valid_bits < 64; valid_bits *= 2) inverse *= 2 - odd * inverse;
        return inverse;
    }

    std::size_t slot_size_;
    std::size_t alignment_;
    std::uint32_t shift_;
    std::uint64_t inverse_;
};

}  // namespace fastalloc::detail
