// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/detail/align.hpp>
#include <fastalloc/detail/export.hpp>
#include <fastalloc/detail/invariants.hpp>
#include <fastalloc/detail/machine.hpp>
#include <fastalloc/detail/visible_memory.hpp>
#include <fastalloc/error.hpp>
#include <fastalloc/index/index_strategy.hpp>
#include <fastalloc/statistics.hpp>
#include <fastalloc/storage/slot_geometry.hpp>
#include <fastalloc/storage/upstream_block.hpp>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <memory_resource>
#include <new>
#include <vector>

namespace fastalloc::detail {

/// Effects: writes to each page of `[base, base + bytes)`, so that it is there when first used.
FASTALLOC_EXPORT void touch_pages(std::byte* base, std::size_t bytes) noexcept;

/// What is known of a slab without knowing its index.
struct slab_range {
    std::byte* base;    // the first slot
    std::size_t bytes;  // of all its slots
    slab_range* next;   // in the list of the pool's slabs

    bool contains(const void* p) const noexcept { return address(p) - address(base) < bytes; }

    bool contains(const slot_run& run) const noexcept {
        return contains(run.lowest) && contains(run.highest);
    }
};

/// Gives the memory behind a slab's record to the slab's index.
class record_memory final : public std::pmr::memory_resource {
public:
    record_memory(std::byte* begin, std::size_t bytes) noexcept
        : next_(begin), end_(begin + bytes) {}

private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        std::byte* const begin = next_ + (round_up(address(next_), alignment) - address(next_));
        if (begin > end_ || bytes > static_cast<std::size_t>(end_ - begin)) throw_bad_alloc();
        next_ = begin + bytes;
        return begin;
    }

    void do_deallocate(void*, std::size_t, std::size_t) override {}

    bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
        return this == &other;
    }

    std::byte* next_;
    std::byte* end_;
};

/// A run of equal slots and the index that says which of them are free. This record and the
/// index's memory lie behind the slots or wherever the pool keeps its books; never in a slot.
/// `Links` is what the owner of many slabs wants to know of each. While there is a slab, memory checkers
/// know that its slots are nobody's unless they are told otherwise.
template <index_strategy Index, class Links>
struct slab : slab_range {
    Links links{};
    record_memory index_memory;
    Index index;

    /// Preconditions: `record_bytes(slots)` bytes begin at this record.
    slab(std::byte* first_slot, slot_number slots, const slot_geometry& geometry)
        : slab_range{first_slot, geometry.offset_of(slots), nullptr},
          index_memory(reinterpret_cast<std::byte*>(this) + header_bytes(),
                       Index::required_bytes(slots)),
          index(slots, &index_memory) {
        hide_memory(base, bytes);
    }

    ~slab() { show_memory(base, bytes); }

    slab(const slab&) = delete;
    slab& operator=(const slab&) = delete;

    /// Whether it is a slab of such slots, and its index in order.
    bool invariants_hold(const slot_geometry& geometry) const noexcept {
        return address(base) % geometry.alignment() == 0 &&
               bytes == geometry.offset_of(index.capacity()) && fastalloc::invariants_hold(index);
    }

    static constexpr std::size_t record_alignment = alignof(std::max_align_t);
    static_assert(alignof(Index) <= record_alignment);

    /// Bytes of the record of a slab of so many slots, its index's memory included.
    static std::size_t record_bytes(slot_number slots) noexcept {
        return round_up(header_bytes() + Index::required_bytes(slots), record_alignment);
    }

private:
    static constexpr std::size_t header_bytes() noexcept {
        return round_up(sizeof(slab), record_alignment);
    }
};

/// Returns: the start of the slot that `p` points into; null if `s` is.
inline void* slot_of(const slab_range* s, const void* p, const slot_geometry& geometry) noexcept {
    if (s == nullptr) return nullptr;
    return s->base + (address(p) - address(s->base)) / geometry.stride() * geometry.stride();
}

/// The free slots that magazines hold, to tell them from those that users have.
class cached_slots {
public:
    /// Throws: `std::bad_alloc`.
    void add(void* const* slots, std::size_t count) {
        slots_.insert(slots_.end(), slots, slots + count);
    }

    void sort() { std::sort(slots_.begin(), slots_.end(), std::less<>()); }

    /// Preconditions: sorted.
    bool contains(const void* slot) const noexcept {
        return std::binary_search(slots_.begin(), slots_.end(), slot, std::less<>());
    }

private:
    std::vector<const void*> slots_;
};

/// Effects: calls `f(visited_slot)` for each slot of the slabs of a list, in address order.
/// Throws: `std::bad_alloc`; what `f` throws.
template <class Slab, class F>
void visit_slots(slab_range* list, const slot_geometry& geometry, const cached_slots& cached,
                 F& f) {
    std::vector<Slab*> slabs;
    for (slab_range* s = list; s != nullptr; s = s->next) slabs.push_back(static_cast<Slab*>(s));
    std::ranges::sort(slabs, std::ranges::less(), [](const Slab* s) { return address(s->base); });
    for (Slab* const s : slabs) {
        const std::vector<bool> taken = taken_slots(s->index);
        for (slot_number n = 0; n != taken.size(); ++n) {
            const std::byte* const slot = s->base + geometry.offset_of(n);
            const slot_state state = !taken[n]               ? slot_state::free
                                     : cached.contains(slot) ? slot_state::cached
                                                             : slot_state::live;
            f(visited_slot{slot, state, s->base, taken.size(), geometry.slot_size()});
        }
    }
}

/// Effects: calls `f(slot)` for each slot that is free in its slab, of the slabs of a list.
template <class Slab, class F>
void for_each_free(const slab_range* list, const slot_geometry& geometry, F f) noexcept {
    for (; list != nullptr; list = list->next) {
        fastalloc::for_each_free(static_cast<const Slab*>(list)->index,
                                 [&](slot_number n) { f(list->base + geometry.offset_of(n)); });
    }
}

/// Says of no slot that it is taken.
struct no_known_slots {
    template <class F>
    void operator()(F) const noexcept {}
};

/// Whether no slot is more than one of free in its slab, cached in a magazine, and taken, nor one of
/// them twice, and all that are cached are slots. `for_each_free(f)` and so on call `f(slot)`.
template <class SlotOf, class Free, class Cached, class Taken>
bool are_distinct_slots(SlotOf slot_of, Free for_each_free, Cached for_each_cached,
                        Taken for_each_taken) noexcept {
    bool are_slots = true;
    for_each_cached(
        [&](const void* p) { are_slots = are_slots && p != nullptr && slot_of(p) == p; });
    return are_slots && are_distinct([&](auto f) {
               const auto visit = [&](const void* slot) { f(address(slot)); };
               for_each_free(visit);
               for_each_cached(visit);
               for_each_taken(visit);
           });
}

/// One request to upstream that holds slots, then their slab's record.
struct slab_block {
    std::size_t record_offset;
    std::size_t bytes;
    std::size_t alignment;

    /// `bytes` is `size_max` where the sum does not fit.
    template <class Slab>
    static slab_block of(const slot_geometry& geometry, slot_number slots) noexcept {
        const std::size_t slot_bytes = saturating_multiply(geometry.stride(), slots);
        const std::size_t padded = saturating_add(slot_bytes, Slab::record_alignment - 1);
        const std::size_t offset = padded & ~(Slab::record_alignment - 1);
        const std::size_t bytes =
            padded == size_max ? size_max : saturating_add(offset, Slab::record_bytes(slots));
        // Slots that could fill cache lines exactly do, where that costs little.
        const std::size_t wanted = bytes < 4 * page ? Slab::record_alignment : cache_line;
        return {offset, bytes, std::max(geometry.alignment(), wanted)};
    }
};

/// Returns: a slab of `slots` slots in a block of upstream of its own, whose pages are touched now or
/// when they are used. Throws: what upstream throws; `std::bad_alloc` if the size cannot be represented.
template <class Slab>
Slab* new_slab(const slot_geometry& geometry, slot_number slots, bool pre_initialize,
               std::pmr::memory_resource& upstream) {
    const slab_block block = slab_block::of<Slab>(geometry, slots);
    if (block.bytes > largest_request) throw_bad_alloc();
    upstream_block memory(&upstream, block.bytes, block.alignment);
    if (pre_initialize) touch_pages(memory.start(), block.bytes);
    auto* const s =
        ::new (memory.start() + block.record_offset) Slab(memory.start(), slots, geometry);
    memory.disown();
    return s;
}

/// Effects: gives the block of `s` back.
template <class Slab>
void delete_slab(Slab* s, const slot_geometry& geometry,
                 std::pmr::memory_resource& upstream) noexcept {
    const slab_block block = slab_block::of<Slab>(geometry, s->index.capacity());
    std::byte* const base = s->base;
    std::destroy_at(s);
    upstream.deallocate(base, block.bytes, block.alignment);
}

}  // namespace fastalloc::detail
