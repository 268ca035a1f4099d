// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/detail/align.hpp>
#include <fastalloc/index/bitmap_index.hpp>
#include <fastalloc/index/index_strategy.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <memory_resource>
#include <vector>

namespace fastalloc {

/// An index that can say which slots are free.
template <class I>
concept index_that_knows = index_strategy<I> && requires(const I& constant, slot_number n) {
    { constant.is_free(n) }
    noexcept->std::same_as<bool>;
};

/// Any index, and a bit for each slot that says whether it is free, for indices that could not tell
/// otherwise. Memory: that of `Index`, and 1 bit a slot.
template <index_strategy Index>
class checked_index {
public:
    /// Effects: all `capacity` slots are free. Throws: whatever `memory` throws.
    explicit checked_index(slot_number capacity,
                           std::pmr::memory_resource* memory = std::pmr::get_default_resource())
        : index_(capacity, memory), taken_(capacity, false, memory) {}

    static std::size_t required_bytes(slot_number capacity) noexcept {
        constexpr std::size_t word_bits = 64;
        const std::size_t words = (capacity + word_bits - 1) / word_bits;
        return detail::round_up(Index::required_bytes(capacity), word_bits / 8) +
               words * word_bits / 8;
    }

    slot_number take() noexcept {
        const slot_number n = index_.take();
        if (n != no_slot) taken_[n] = true;
        return n;
    }

    /// Preconditions: `n` is taken.
    void put(slot_number n) noexcept {
        taken_[n] = false;
        index_.put(n);
    }

    bool is_free(slot_number n) const noexcept { return !taken_[n]; }

    slot_number available() const noexcept { return index_.available(); }

    slot_number capacity() const noexcept { return index_.capacity(); }

    /// Effects: as that of `Index`.
    template <class F>
    void for_each_free(F f) const noexcept {
        fastalloc::for_each_free(index_, f);
    }

    /// Whether both say the same of each slot. For tests, and builds that check everything.
    /// Complexity: linear in the capacity.
    bool invariants_hold() const noexcept {
        bool agree = true;
        for_each_free([&](slot_number n) { agree = agree && is_free(n); });
        const auto taken = std::count(taken_.begin(), taken_.end(), true);
        return agree && static_cast<slot_number>(taken) == capacity() - available() &&
               fastalloc::invariants_hold(index_);
    }

private:
    Index index_;
    std::pmr::vector<bool> taken_;
};

static_assert(index_that_knows<bitmap_index>);
static_assert(index_that_knows<checked_index<bitmap_index>>);

}  // namespace fastalloc
