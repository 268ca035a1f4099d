// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/detail/export.hpp>
#include <fastalloc/statistics.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace fastalloc {

/// A number for each state: of slots, or of their bytes.
struct state_counts {
    std::size_t live = 0;
    std::size_t cached = 0;
    std::size_t free = 0;

    std::size_t total() const noexcept { return live + cached + free; }

    state_counts& operator+=(const state_counts& other) noexcept {
        live += other.live;
        cached += other.cached;
        free += other.free;
        return *this;
    }

    bool operator==(const state_counts&) const = default;
};

/// Slabs together: those of one slot size, or all.
struct occupancy_figures {
    std::size_t slabs = 0;
    state_counts slots;
    state_counts bytes;
    std::size_t held_slabs = 0;  ///< slabs that cannot go back to upstream: a slot of each is live
    std::size_t held_bytes = 0;  ///< of all their slots

    /// The share of the memory in held slabs that is not live, from 0 to 1; 0 if none is held.
    /// Among slabs of one slot size, that is the share of their slots.
    double fragmentation() const noexcept {
        return held_bytes == 0
                   ? 0
                   : static_cast<double>(held_bytes - bytes.live) / static_cast<double>(held_bytes);
    }

    bool operator==(const occupancy_figures&) const = default;
};

/// The slabs of one slot size.
struct size_occupancy : occupancy_figures {
    std::size_t slot_size = 0;  ///< bytes

    bool operator==(const size_occupancy&) const = default;
};

/// One slab, and the state of each of its slots. A plain value of two bits a slot.
class FASTALLOC_EXPORT slab_occupancy {
public:
    /// The first slot. What is there is not read.
    const void* address() const noexcept { return address_; }

    /// Bytes of a slot.
    std::size_t slot_size() const noexcept { return slot_size_; }

    const state_counts& slots() const noexcept { return slots_; }

    /// Preconditions: `slot < slots().total()`.
    slot_state state(std::size_t slot) const noexcept {
        return static_cast<slot_state>(states_[slot / slots_a_word] >> shift_of(slot) & 3);
    }

    /// Returns: how many slots from `first` up to, and without, `last` are in each state.
    /// Preconditions: `first <= last && last <= slots().total()`.
    /// Complexity: linear in `last - first`, 32 slots at a time.
    state_counts count(std::size_t first, std::size_t last) const noexcept;

private:
    friend class occupancy;

    static constexpr std::size_t slots_a_word = 32;

    explicit slab_occupancy(const visited_slot& first);

    static std::size_t shift_of(std::size_t slot) noexcept { return slot % slots_a_word * 2; }

    void push(slot_state state) noexcept;

    const void* address_;
    std::size_t slot_size_;
    state_counts slots_;
    std::vector<std::uint64_t> states_;  // as numbers of two bits; zeros beyond the last slot
};

/// What is where: every slab of a resource, and the state of every slot. A plain value, which does
/// not change with the resource: 2.5 MB for ten million slots. `write_picture_text` and
/// `write_picture_svg` draw it.
class FASTALLOC_EXPORT occupancy {
public:
    /// Returns: the occupancy of a resource, or of anything that has its `visit_slots`; slabs are
    /// in the order of slot sizes, then of addresses, whichever thread or class they belong to.
    /// Throws: `std::bad_alloc`; it allocates by `operator new`. What `visit_slots` throws.
    /// Complexity: that of `visit_slots`, and n log n in the number of slabs. Thread safety: that of
    /// `visit_slots`.
    template <class Resource>
    static occupancy of(Resource& resource) {
        occupancy made;
        resource.visit_slots([&made](const visited_slot& slot) { made.add(slot); });
        made.sort();
        return made;
    }

    /// Preconditions: slots come in the order of `visit_slots`: those of a slab one after another,
    /// each where the one before ends; slabs of one slot size one after another.
    /// Effects: adds a slot, and with its first slot a slab.
    /// Throws: `std::bad_alloc`. No effects then.
    /// Complexity: constant, except for the first slot of a slab.
    void add(const visited_slot& slot);

    /// Slabs in the order in which they came, or in that of `of`.
    std::span<const slab_occupancy> slabs() const noexcept { return slabs_; }

    /// Complexity: linear in the number of slabs.
    occupancy_figures total() const noexcept;

    /// Returns: the figures of each slot size, in the order in which they came.
    /// Throws: `std::bad_alloc`. Complexity: linear in the number of slabs.
    std::vector<size_occupancy> sizes() const;

private:
    void sort() noexcept;

    std::vector<slab_occupancy> slabs_;
};

}  // namespace fastalloc
