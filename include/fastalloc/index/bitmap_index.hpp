// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/detail/export.hpp>
#include <fastalloc/detail/invariants.hpp>
#include <fastalloc/index/index_strategy.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstring>

namespace fastalloc {

/// One bit a slot, set while the slot is free, under summary levels: a bit of level k + 1 is set
/// while its word of level k is not zero, up to a single word. The lowest free slot comes first,
/// found in one word read per level (two levels up to 4,096 slots, four up to 16 million), so
/// slots freed in any order are taken again in address order.
///
/// Memory: 1 bit a slot, 1/63 of that for the summary.
class bitmap_index {
public:
    /// Effects: all `capacity` slots are free. Throws: whatever `memory` throws.
    explicit bitmap_index(slot_number capacity,
                          std::pmr::memory_resource* memory = std::pmr::get_default_resource())
        : memory_(memory), available_(capacity), capacity_(capacity) {
        const std::size_t total = words_of_all_levels(capacity);
        words_ = static_cast<word*>(memory->allocate(total * sizeof(word), alignof(word)));
        std::uint32_t begin = 0;
        for (std::size_t bits = capacity;; bits = words_for(bits)) {
            const std::size_t count = words_for(bits);
            begin_[levels_++] = begin;
            if (count != 1) std::memset(words_ + begin, 0xff, (count - 1) * sizeof(word));
            begin += static_cast<std::uint32_t>(count);
            // The last word of a level ends where the level below does.
            words_[begin - 1] = bits == 0 ? 0 : ~word{0} >> (-bits % 64);
            if (count == 1) break;
        }
    }

    ~bitmap_index() { memory_->deallocate(words_, required_bytes(capacity_), alignof(word)); }

    bitmap_index(const bitmap_index&) = delete;
    bitmap_index& operator=(const bitmap_index&) = delete;

    static std::size_t required_bytes(slot_number capacity) noexcept {
        return words_of_all_levels(capacity) * sizeof(word);
    }

    /// Returns: the lowest free slot; `no_slot` if there is none.
    slot_number take() noexcept {
        slot_number taken = no_slot;
        take_some(1, [&](slot_number n, slot_number) { taken = n; });
        return taken;
    }

    /// Takes the `most` lowest free slots, or all there are, and hands them to `sink` in ascending
    /// order, in runs `sink(n, count)`. Returns: how many. Complexity: linear in the number of words
    /// left behind.
    template <class Sink>
    slot_number take_some(slot_number most, Sink sink) noexcept {
        const slot_number wanted = most < available_ ? most : available_;
        slot_number missing = wanted;
        while (missing != 0) {
            const slot_number w = lowest_word();
            word bits = words_[w];
            if (bits == ~word{0} && missing >= 64) {
                sink(w * 64, 64);
                missing -= 64;
                bits = 0;
            } else {
                do {
                    sink(w * 64 + static_cast<slot_number>(std::countr_zero(bits)), 1);
                    bits &= bits - 1;
                } while (--missing != 0 && bits != 0);
            }
            words_[w] = bits;
            if (bits == 0) summarize_empty(w);
        }
        available_ -= wanted;
        return wanted;
    }

    /// Preconditions: `n` is taken.
    void put(slot_number n) noexcept {
        assert(n < capacity_ && !is_free(n));
        add_bits(n / 64, word{1} << (n % 64));
        ++available_;
    }

    /// Puts the slots `source(0)` up to `source(count - 1)`. Preconditions: they are taken, and no
    /// two are the same; `count` is not 0.
    template <class Source>
    void put_some(std::size_t count, Source source) noexcept {
        // Neighbours tend to be freed together: their word stays in a register.
        slot_number n = source(0);
        slot_number w = n / 64;
        word bits = 0;
        for (std::size_t i = 0;;) {
            assert(n < capacity_ && ((words_[w] | bits) >> (n % 64) & 1) == 0);
            bits |= word{1} << (n % 64);
            if (++i == count) break;
            n = source(i);
            if (n / 64 == w) continue;
            add_bits(w, bits);
            w = n / 64;
            bits = 0;
        }
        add_bits(w, bits);
        available_ += static_cast<slot_number>(count);
    }

    /// Puts the slots `first` up to `first + count - 1`. Preconditions: they are taken; `count` is not
    /// 0. Complexity: linear in the number of words.
    void put_run(slot_number first, slot_number count) noexcept {
        available_ += count;
        for (slot_number w = first / 64, begin = first % 64; count != 0; ++w, begin = 0) {
            const slot_number here = std::min(count, 64 - begin);
            const word bits = (~word{0} >> (64 - here)) << begin;
            assert(w * 64 + begin + here <= capacity_ && (words_[w] & bits) == 0);
            add_bits(w, bits);
            count -= here;
        }
    }

    bool is_free(slot_number n) const noexcept { return (words_[n / 64] >> (n % 64) & 1) != 0; }

    slot_number available() const noexcept { return available_; }

    slot_number capacity() const noexcept { return capacity_; }

    /// Effects: calls `f(n)` for each free slot, the lowest first.
    template <class F>
    void for_each_free(F f) const noexcept {
        for (slot_number w = 0; w != words_for(capacity_); ++w) {
            for (word bits = words_[w]; bits != 0; bits &= bits - 1) {
                f(w * 64 + static_cast<slot_number>(std::countr_zero(bits)));
            }
        }
    }

    /// Whether the books are as the invariants say. For tests, and builds that check everything.
    /// Complexity: linear in the capacity, 64 slots at a time.
    FASTALLOC_EXPORT bool invariants_hold() const noexcept;

private:
    friend struct detail::invariants_test_access;

    using word = std::uint64_t;
    static constexpr std::size_t most_levels = 6;  // 64^6 > 2^32

    static std::size_t words_for(std::size_t bits) noexcept {
        return bits == 0 ? 1 : (bits + 63) / 64;
    }

    static std::size_t words_of_all_levels(slot_number capacity) noexcept {
        std::size_t total = 0;
        std::size_t count = capacity;
        do {
            count = words_for(count);
            total += count;
        } while (count != 1);
        return total;
    }

    slot_number lowest_word() const noexcept {
        slot_number w = 0;
        for (std::uint32_t level = levels_ - 1; level != 0; --level) {
            const word bits = words_[begin_[level] + w];
            w = w * 64 + static_cast<slot_number>(std::countr_zero(bits));
        }
        return w;
    }

    void add_bits(slot_number w, word bits) noexcept {
        if (words_[w] == 0) summarize_filled(w);
        words_[w] |= bits;
    }

    void summarize_empty(slot_number w) noexcept {
        for (std::uint32_t level = 1; level != levels_; ++level, w /= 64) {
            word& bits = words_[begin_[level] + w / 64];
            bits &= ~(word{1} << (w % 64));
            if (bits != 0) return;
        }
    }

    void summarize_filled(slot_number w) noexcept {
        for (std::uint32_t level = 1; level != levels_; ++level, w /= 64) {
            word& bits = words_[begin_[level] + w / 64];
            const word before = bits;
            bits |= word{1} << (w % 64);
            if (before != 0) return;
        }
    }

    std::pmr::memory_resource* memory_;
    word* words_ = nullptr;  // the levels one after the other, the slots' own first; above the last
                             // bit of a level there are zeros
    slot_number available_;  // bits set in level 0
    slot_number capacity_;
    std::uint32_t levels_ = 0;
    std::array<std::uint32_t, most_levels> begin_{};  // where each level begins in words_
};

static_assert(index_strategy<bitmap_index>);

}  // namespace fastalloc
