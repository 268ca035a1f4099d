// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/detail/export.hpp>
#include <fastalloc/detail/invariants.hpp>
#include <fastalloc/index/index_strategy.hpp>

#include <cassert>

namespace fastalloc {

/// An array of free slot numbers, last in first out. Slots that were never taken are not in the
/// array: they follow in ascending order once it is empty, so nothing is set up per slot.
///
/// Memory: 4 bytes a slot.
class stack_index {
public:
    /// Effects: all `capacity` slots are free. Throws: whatever `memory` throws.
    explicit stack_index(slot_number capacity,
                         std::pmr::memory_resource* memory = std::pmr::get_default_resource())
        : memory_(memory),
          numbers_(static_cast<slot_number*>(
              memory->allocate(required_bytes(capacity), alignof(slot_number)))),
          capacity_(capacity) {}

    ~stack_index() {
        memory_->deallocate(numbers_, required_bytes(capacity_), alignof(slot_number));
    }

    stack_index(const stack_index&) = delete;
    stack_index& operator=(const stack_index&) = delete;

    static std::size_t required_bytes(slot_number capacity) noexcept {
        return std::size_t{capacity} * sizeof(slot_number);
    }

    /// Returns: the slot freed last; else the lowest never taken; else `no_slot`.
    slot_number take() noexcept {
        if (count_ != 0) return numbers_[--count_];
        if (fresh_ != capacity_) return fresh_++;
        return no_slot;
    }

    /// Preconditions: `n` is taken.
    void put(slot_number n) noexcept {
        assert(n < fresh_ && count_ < fresh_);
        numbers_[count_++] = n;
    }

    slot_number available() const noexcept { return count_ + (capacity_ - fresh_); }

    slot_number capacity() const noexcept { return capacity_; }

    /// Effects: calls `f(n)` for each free slot, in any order.
    template <class F>
    void for_each_free(F f) const noexcept {
        for (slot_number i = 0; i != count_; ++i) f(numbers_[i]);
        for (slot_number n = fresh_; n != capacity_; ++n) f(n);
    }

    /// Whether the books are as the invariants say. For tests, and builds that check everything.
    /// Complexity: linear in the number of free slots, once for each thousand of them.
    FASTALLOC_EXPORT bool invariants_hold() const noexcept;

private:
    friend struct detail::invariants_test_access;

    std::pmr::memory_resource* memory_;
    slot_number* numbers_;  // [0, count_) are free, < fresh_ and distinct; capacity_ elements
    slot_number count_ = 0;
    slot_number fresh_ = 0;  // slots from here on were never taken; count_ <= fresh_ <= capacity_
    slot_number capacity_;
};

static_assert(index_strategy<stack_index>);

}  // namespace fastalloc
