// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/detail/align.hpp>
#include <fastalloc/detail/build.hpp>
#include <fastalloc/index/index_strategy.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace fastalloc::detail {

/// Slots that lie one beside the other.
struct slot_run {
    const void* lowest;
    const void* highest;
    std::size_t count;

    /// Whether they are better freed together than looked at one by one.
    bool is_worthwhile() const noexcept { return count >= 8; }
};

/// Bytes that nobody uses, behind each slot of such an alignment: in a build that looks for writes
/// beyond a block's end.
constexpr std::size_t red_zone(std::size_t alignment) noexcept {
    return build::level == checks::full ? std::max<std::size_t>(alignment, 16) : 0;
}

/// Size and alignment of the slots of one pool, and the arithmetic between a slot's number and its
/// place in a slab, both ways without a division.
class slot_geometry {
public:
    /// Preconditions: `slot_size` is not 0 and a multiple of `alignment`, a power of two.
    constexpr slot_geometry(std::size_t slot_size, std::size_t alignment) noexcept
        : stride_(saturating_add(slot_size, red_zone(alignment))),
          alignment_(alignment),
          shift_(static_cast<std::uint32_t>(std::countr_zero(stride_))),
          inverse_(inverse_of_odd(stride_ >> shift_)) {}

    constexpr std::size_t slot_size() const noexcept { return stride_ - red_zone(alignment_); }

    /// Bytes from one slot to the next.
    constexpr std::size_t stride() const noexcept { return stride_; }

    constexpr std::size_t alignment() const noexcept { return alignment_; }

    constexpr std::size_t offset_of(slot_number n) const noexcept { return n * stride_; }

    /// Preconditions: `offset` is a multiple of the stride.
    constexpr slot_number number_at(std::size_t offset) const noexcept {
        return static_cast<slot_number>(offset >> shift_) * inverse_;
    }

    /// Effects: writes where the slots `first` up to `first + count - 1` of a slab at `base` are, the
    /// highest first.
    void list_descending(void** out, std::byte* base, slot_number first,
                         slot_number count) const noexcept {
        std::byte* slot = base + offset_of(first);
        for (slot_number i = count; i != 0; slot += stride_) out[--i] = slot;
    }

    /// Returns: those of `slots` from the first on that are neighbours in ascending, or in descending,
    /// order. Preconditions: `count` is not 0.
    slot_run neighbours(void* const* slots, std::size_t count) const noexcept {
        const std::size_t step = count == 1 ? 0 : address(slots[1]) - address(slots[0]);
        if (step != stride_ && step != -stride_) return {slots[0], slots[0], 1};
        std::size_t n = 2;
        while (n != count && address(slots[n]) - address(slots[n - 1]) == step) ++n;
        const void* const last = slots[n - 1];
        return step == stride_ ? slot_run{slots[0], last, n} : slot_run{last, slots[0], n};
    }

private:
    // Dividing by 2^k * odd, where the remainder is known to be 0 and the result to fit 32 bits, is a
    // shift by k and a multiplication by the inverse of the odd part modulo 2^32. Each Newton step
    // doubles the number of valid bits, and an odd number is its own inverse modulo 8. (Hacker's
    // Delight, 10-16.)
    static constexpr slot_number inverse_of_odd(std::size_t odd) noexcept {
        const auto factor = static_cast<slot_number>(odd);
        slot_number inverse = factor;
        for (int valid_bits = 3; valid_bits < 32; valid_bits *= 2) inverse *= 2 - factor * inverse;
        return inverse;
    }

    std::size_t stride_;
    std::size_t alignment_;
    std::uint32_t shift_;
    slot_number inverse_;
};

}  // namespace fastalloc::detail
