// SPDX-License-Identifier: MIT
#include <fastalloc/report/occupancy.hpp>

#include <algorithm>
#include <bit>
#include <cassert>
#include <functional>

namespace fastalloc {

namespace {

// Of each slot in a word, the lower bit says cached and the upper live.
constexpr std::uint64_t cached_bits = 0x5555'5555'5555'5555;
constexpr std::uint64_t live_bits = cached_bits << 1;
static_assert(static_cast<int>(slot_state::free) == 0);
static_assert(static_cast<int>(slot_state::cached) == 1);
static_assert(static_cast<int>(slot_state::live) == 2);

std::size_t ones(std::uint64_t bits) noexcept {
    return static_cast<std::size_t>(std::popcount(bits));
}

void add_slab(occupancy_figures& figures, const slab_occupancy& slab) noexcept {
    const state_counts& slots = slab.slots();
    const std::size_t size = slab.slot_size();
    ++figures.slabs;
    figures.slots += slots;
    figures.bytes += {slots.live * size, slots.cached * size, slots.free * size};
    if (slots.live != 0) {
        ++figures.held_slabs;
        figures.held_bytes += slots.total() * size;
    }
}

}  // namespace

slab_occupancy::slab_occupancy(const visited_slot& first)
    : address_(first.slab),
      slot_size_(first.slot_size),
      states_((first.slab_slots + slots_a_word - 1) / slots_a_word) {}

void slab_occupancy::push(slot_state state) noexcept {
    const std::size_t slot = slots_.total();
    states_[slot / slots_a_word] |= static_cast<std::uint64_t>(state) << shift_of(slot);
    slots_.live += state == slot_state::live;
    slots_.cached += state == slot_state::cached;
    slots_.free += state == slot_state::free;
}

state_counts slab_occupancy::count(std::size_t first, std::size_t last) const noexcept {
    state_counts counts;
    for (std::size_t slot = first; slot < last;) {
        const std::size_t n = std::min(slots_a_word - slot % slots_a_word, last - slot);
        std::uint64_t states = states_[slot / slots_a_word] >> shift_of(slot);
        if (n != slots_a_word) states &= (std::uint64_t{1} << 2 * n) - 1;
        counts.live += ones(states & live_bits);
        counts.cached += ones(states & cached_bits);
        slot += n;
    }
    counts.free = last - first - counts.live - counts.cached;
    return counts;
}

void occupancy::add(const visited_slot& slot) {
    if (slabs_.empty() || slabs_.back().address() != slot.slab ||
        slabs_.back().slot_size() != slot.slot_size) {
        slabs_.push_back(slab_occupancy(slot));
    }
    assert(slabs_.back().slots().total() < slot.slab_slots);
    slabs_.back().push(slot.state);
}

void occupancy::sort() noexcept {
    std::ranges::sort(slabs_, [](const slab_occupancy& a, const slab_occupancy& b) {
        if (a.slot_size() != b.slot_size()) return a.slot_size() < b.slot_size();
        return std::less<>()(a.address(), b.address());
    });
}

occupancy_figures occupancy::total() const noexcept {
    occupancy_figures sum;
    for (const slab_occupancy& slab : slabs_) add_slab(sum, slab);
    return sum;
}

std::vector<size_occupancy> occupancy::sizes() const {
    std::vector<size_occupancy> sizes;
    for (const slab_occupancy& slab : slabs_) {
        if (sizes.empty() || sizes.back().slot_size != slab.slot_size()) {
            sizes.emplace_back().slot_size = slab.slot_size();
        }
        add_slab(sizes.back(), slab);
    }
    return sizes;
}

}  // namespace fastalloc
