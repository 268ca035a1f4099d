// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/detail/export.hpp>
#include <fastalloc/index/bitmap_index.hpp>
#include <fastalloc/storage/slab.hpp>

#include <cstddef>
#include <memory_resource>

namespace fastalloc::detail {

/// Those of a set's slabs that have a free slot, by their numbers; the highest is the next to refill from.
///
/// So slabs take turns in the same order each time, whatever order their slots were freed in, and a
/// container that is filled again finds its elements side by side. (jemalloc takes its slabs by address, to
/// the same end.) The highest number is that of the youngest slab, which is the largest where a pool grows by
/// a share of itself: so few slabs stay in use, and the others can go.
class partial_slabs {
public:
    /// Returns: room for slabs with numbers below `capacity`, none of which is here yet; the caller has to
    /// release it. Throws: what upstream throws; `std::bad_alloc` if the size cannot be represented.
    FASTALLOC_EXPORT static partial_slabs* made_for(std::size_t capacity,
                                                    std::pmr::memory_resource* upstream);

    /// Effects: gives the memory of `slabs` back to `upstream`, where it is from; none if it is null.
    FASTALLOC_EXPORT static void release(partial_slabs* slabs,
                                         std::pmr::memory_resource* upstream) noexcept;

    partial_slabs(const partial_slabs&) = delete;
    partial_slabs& operator=(const partial_slabs&) = delete;

    std::size_t capacity() const noexcept { return positions_.capacity(); }

    std::size_t size() const noexcept { return positions_.available(); }

    /// Whether `s` is here, under `number`.
    bool has(const slab_range* s, std::size_t number) const noexcept {
        return number < capacity() && positions_.is_free(mirrored(number)) && slabs_[number] == s;
    }

    /// Effects: `s` is here. Preconditions: it is not, and `number`, which is below `capacity()`, is its
    /// own. Complexity: constant.
    void put(slab_range* s, std::size_t number) noexcept {
        slabs_[number] = s;
        positions_.put(mirrored(number));
    }

    /// Returns: the slab with the highest number, which is not here any more; null if there is none.
    /// Complexity: logarithmic in `capacity()`, to the base 64.
    slab_range* take() noexcept {
        const slot_number position = positions_.take();
        return position == no_slot ? nullptr : slabs_[mirrored(position)];
    }

    /// Effects: none is here any more.
    void clear() noexcept {
        positions_.take_some(positions_.capacity(), [](slot_number, slot_number) {});
    }

    /// Effects: all that `others` has are here, under their numbers, and no longer there.
    /// Preconditions: there is room for them, and nothing here yet.
    FASTALLOC_EXPORT void take_all(partial_slabs& others) noexcept;

    /// Whether the books are as their invariants say. For tests, and builds that check everything.
    /// Complexity: linear in `capacity()`, 64 slabs at a time.
    bool invariants_hold() const noexcept { return positions_.invariants_hold(); }

private:
    friend struct invariants_test_access;

    partial_slabs(std::byte* memory, slot_number capacity);

    ~partial_slabs() = default;

    // Returns: the position of a number in the index, which has the lowest first; the number of a position.
    slot_number mirrored(std::size_t n) const noexcept {
        return static_cast<slot_number>(capacity() - 1 - n);
    }

    record_memory words_memory_;
    bitmap_index positions_;
    slab_range** slabs_;  // by number
};

}  // namespace fastalloc::detail
