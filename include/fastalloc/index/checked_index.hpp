// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/index/bitmap_index.hpp>
#include <fastalloc/index/index_strategy.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <new>

namespace fastalloc {

/// An index that can say which slots are free.
template <class I>
concept index_that_knows = index_strategy<I> && requires(const I& constant, slot_number n) {
    { constant.is_free(n) }
    noexcept->std::same_as<bool>;
};

/// Any index, and a bit for each slot that says whether it is free, for indices that could not tell
/// otherwise. Memory: that of `Index`, and 4 bytes for each 32 slots.
template <index_strategy Index>
class checked_index {
public:
    /// Effects: all `capacity` slots are free. Throws: whatever `memory` throws.
    explicit checked_index(slot_number capacity,
                           std::pmr::memory_resource* memory = std::pmr::get_default_resource())
        : index_(capacity, memory), taken_(capacity, memory) {}

    static std::size_t required_bytes(slot_number capacity) noexcept {
        constexpr std::size_t padding = alignof(std::max_align_t);
        return Index::required_bytes(capacity) + padding + bits::required_bytes(capacity);
    }

    slot_number take() noexcept {
        const slot_number n = index_.take();
        if (n != no_slot) taken_.set(n, true);
        return n;
    }

    /// Preconditions: `n` is taken.
    void put(slot_number n) noexcept {
        taken_.set(n, false);
        index_.put(n);
    }

    bool is_free(slot_number n) const noexcept { return !taken_.at(n); }

    slot_number available() const noexcept { return index_.available(); }

    slot_number capacity() const noexcept { return index_.capacity(); }

private:
    class bits {
    public:
        bits(slot_number count, std::pmr::memory_resource* memory)
            : memory_(memory),
              bytes_(required_bytes(count)),
              words_(::new (memory->allocate(bytes_, alignof(std::uint32_t)))
                         std::uint32_t[bytes_ / sizeof(std::uint32_t)]{}) {}

        ~bits() { memory_->deallocate(words_, bytes_, alignof(std::uint32_t)); }

        bits(const bits&) = delete;
        bits& operator=(const bits&) = delete;

        static std::size_t required_bytes(slot_number count) noexcept {
            return (std::size_t{count} / 32 + 1) * sizeof(std::uint32_t);
        }

        bool at(slot_number n) const noexcept { return (words_[n / 32] >> (n % 32) & 1) != 0; }

        void set(slot_number n, bool value) noexcept {
            const std::uint32_t bit = std::uint32_t{1} << (n % 32);
            words_[n / 32] = value ? words_[n / 32] | bit : words_[n / 32] & ~bit;
        }

    private:
        std::pmr::memory_resource* memory_;
        std::size_t bytes_;
        std::uint32_t* words_;
    };

    Index index_;
    bits taken_;
};

static_assert(index_that_knows<bitmap_index>);
static_assert(index_that_knows<checked_index<bitmap_index>>);

}  // namespace fastalloc
