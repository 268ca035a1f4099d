// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/detail/export.hpp>
#include <fastalloc/detail/invariants.hpp>
#include <fastalloc/index/index_strategy.hpp>

#include <cassert>

namespace fastalloc {

/// A linked list of free slots, last in first out. The links are slot numbers in an array of their
/// own, not pointers in the slots. Slots that were never taken follow in ascending order.
///
/// Memory: 4 bytes a slot, of which only the links of freed slots are ever touched.
class free_list_index {
public:
    /// Effects: all `capacity` slots are free. Throws: whatever `memory` throws.
    explicit free_list_index(slot_number capacity,
                             std::pmr::memory_resource* memory = std::pmr::get_default_resource())
        : memory_(memory),
          next_(static_cast<slot_number*>(
              memory->allocate(required_bytes(capacity), alignof(slot_number)))),
          capacity_(capacity),
          available_(capacity) {}

    ~free_list_index() {
        memory_->deallocate(next_, required_bytes(capacity_), alignof(slot_number));
    }

    free_list_index(const free_list_index&) = delete;
    free_list_index& operator=(const free_list_index&) = delete;

    static std::size_t required_bytes(slot_number capacity) noexcept {
        return std::size_t{capacity} * sizeof(slot_number);
    }

    /// Returns: the slot freed last; else the lowest never taken; else `no_slot`.
    slot_number take() noexcept {
        slot_number n = head_;
        if (n != no_slot) {
            head_ = next_[n];
        } else if (fresh_ != capacity_) {
            n = fresh_++;
        } else {
            return no_slot;
        }
        --available_;
        return n;
    }

    /// Preconditions: `n` is taken.
    void put(slot_number n) noexcept {
        assert(n < fresh_ && available_ < capacity_);
        next_[n] = head_;
        head_ = n;
        ++available_;
    }

    slot_number available() const noexcept { return available_; }

    slot_number capacity() const noexcept { return capacity_; }

    /// Effects: calls `f(n)` for each free slot, in the order in which they will be taken.
    template <class F>
    void for_each_free(F f) const noexcept {
        for (slot_number n = head_; n != no_slot; n = next_[n]) f(n);
        for (slot_number n = fresh_; n != capacity_; ++n) f(n);
    }

    /// Whether the books are as the invariants say. For tests, and builds that check everything.
    /// Complexity: linear in the number of free slots.
    FASTALLOC_EXPORT bool invariants_hold() const noexcept;

private:
    friend struct detail::invariants_test_access;

    std::pmr::memory_resource* memory_;
    slot_number* next_;           // next_[n] < fresh_: the free slot after n, for n on the list
    slot_number head_ = no_slot;  // first on the list
    slot_number fresh_ = 0;       // slots from here on were never taken; fresh_ <= capacity_
    slot_number capacity_;
    slot_number available_;  // length of the list + capacity_ - fresh_
};

static_assert(index_strategy<free_list_index>);

}  // namespace fastalloc
