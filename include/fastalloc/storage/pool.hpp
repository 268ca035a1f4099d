// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/error.hpp>
#include <fastalloc/storage/magazine.hpp>
#include <fastalloc/storage/slab_set.hpp>

#include <array>
#include <cstddef>
#include <cstring>
#include <memory_resource>

namespace fastalloc::detail {

/// The part of a pool that only its slow paths touch.
template <index_strategy Index>
struct pool_reserve {
    slab_set<Index> slabs;
    bool spilled_since_refill = false;
    bool fixed_magazine = false;           // its memory is somebody else's
    std::array<void*, 16> first_magazine;  // not initialized: a magazine says what is valid

    pool_reserve(const slot_geometry& geometry, std::pmr::memory_resource* upstream,
                 bool pre_initialize) noexcept
        : slabs(geometry, upstream, pre_initialize) {}
};

/// Slots of one size: slabs behind a magazine. Slots travel between the two in halves of a
/// magazine; both ways cost a few nanoseconds a slot and are independent of each other's order.
///
/// A closed pool (no reserve yet) is empty and full at once, so every request leaves the hot path.
template <index_strategy Index>
class alignas(32) pool {  // within one cache line
public:
    using reserve_type = pool_reserve<Index>;
    static constexpr std::size_t largest_magazine = 1024;

    bool is_open() const noexcept { return reserve_ != nullptr; }

    bool empty() const noexcept { return magazine_.empty(); }

    bool full() const noexcept { return magazine_.full(); }

    /// Preconditions: not empty.
    void* take() noexcept { return magazine_.take(); }

    /// Preconditions: not full; `slot` came from this pool.
    void put(void* slot) noexcept { magazine_.put(slot); }

    /// Effects: fills half of the magazine, if the slabs have so many free slots.
    /// Preconditions: open and empty.
    void refill_slow() noexcept {
        if (reserve_->spilled_since_refill) enlarge_magazine();
        reserve_->spilled_since_refill = false;
        const std::size_t half = (magazine_.capacity() + 1) / 2;
        magazine_.top = magazine_.low + slabs().take_some(magazine_.low, half);
    }

    /// Effects: gives the older half of the magazine back to the slabs. Preconditions: open, full.
    void spill_slow() noexcept {
        spill((magazine_.size() + 1) / 2);
        reserve_->spilled_since_refill = true;
    }

    /// Effects: gives the whole magazine back to the slabs.
    void flush() noexcept { spill(magazine_.size()); }

    slab_set<Index>& slabs() noexcept { return reserve_->slabs; }

    const slab_set<Index>& slabs() const noexcept { return reserve_->slabs; }

    std::size_t capacity() const noexcept { return is_open() ? slabs().capacity() : 0; }

    std::size_t available() const noexcept {
        return is_open() ? slabs().available() + magazine_.size() : 0;
    }

    bool owns(const void* p) const noexcept { return is_open() && slabs().owns(p); }

    /// Effects: the pool works on `reserve` and its own magazine. Preconditions: closed.
    void open(reserve_type* reserve) noexcept {
        reserve_ = reserve;
        magazine_.use(reserve->first_magazine.data(), reserve->first_magazine.size());
    }

    /// Effects: as above, with a magazine that is given and never enlarged.
    void open(reserve_type* reserve, void** magazine_memory, std::size_t count) noexcept {
        reserve_ = reserve;
        reserve_->fixed_magazine = true;
        magazine_.use(magazine_memory, count);
    }

    /// Effects: forgets the slots in the magazine. Preconditions: the slabs are about to as well.
    void clear() noexcept { magazine_.top = magazine_.low; }

    /// Effects: forgets the slots in the magazine and gives the memory of an enlarged one back;
    /// the pool is closed. Returns: the reserve.
    reserve_type* close() noexcept {
        reserve_type* const reserve = reserve_;
        if (is_open() && is_enlarged()) free_magazine();
        magazine_ = {};
        reserve_ = nullptr;
        return reserve;
    }

private:
    void spill(std::size_t count) noexcept {
        slabs().put_some(magazine_.low, count);
        const std::size_t kept = magazine_.size() - count;
        std::memmove(magazine_.low, magazine_.low + count, kept * sizeof(void*));
        magazine_.top = magazine_.low + kept;
    }

    bool is_enlarged() const noexcept {
        return !reserve_->fixed_magazine && magazine_.capacity() > reserve_->first_magazine.size();
    }

    void free_magazine() noexcept {
        slabs().upstream()->deallocate(magazine_.low, magazine_.capacity() * sizeof(void*),
                                       alignof(void*));
    }

    // A spill that follows a refill says that requests come in runs longer than the magazine.
    // Upstream may refuse: the smaller magazine still works.
    void enlarge_magazine() noexcept {
        const std::size_t count = magazine_.capacity() * 2;
        if (reserve_->fixed_magazine || count > largest_magazine) return;
        void* const memory =
            try_upstream(*slabs().upstream(), count * sizeof(void*), alignof(void*));
        if (memory == nullptr) return;
        if (is_enlarged()) free_magazine();
        magazine_.use(static_cast<void**>(memory), count);
    }

    magazine magazine_;
    reserve_type* reserve_ = nullptr;
};

}  // namespace fastalloc::detail
