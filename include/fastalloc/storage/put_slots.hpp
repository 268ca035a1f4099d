// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/detail/align.hpp>
#include <fastalloc/detail/build.hpp>
#include <fastalloc/error.hpp>
#include <fastalloc/index/index_strategy.hpp>
#include <fastalloc/storage/checked_free.hpp>
#include <fastalloc/storage/slot_geometry.hpp>

#include <cstddef>

namespace fastalloc::detail {

/// Effects: gives the slots `[begin, end)` back, the first ones together where several that follow each
/// other are of one slab. Returns: the first that is left; that one is alone, or of no slab.
/// `find` and `put_into` as below.
template <class Find, class PutInto>
[[gnu::always_inline]] inline void* const* put_runs(void* const* begin, void* const* end,
                                                    slot_geometry geometry, Find find,
                                                    PutInto put_into) noexcept {
    while (begin != end) {
        auto* const s = find(*begin);
        if (s == nullptr) return begin;
        const auto number_of = [&](const void* slot) {
            return geometry.number_at(address(slot) - address(s->base));
        };
        const slot_run run = geometry.neighbours(begin, static_cast<std::size_t>(end - begin));
        if (run.is_worthwhile() && s->contains(run)) {
            const auto count = static_cast<slot_number>(run.count);
            put_into(*s, count, [&](auto& index) { put_run(index, number_of(run.lowest), count); });
            begin += count;
            continue;
        }
        void* const* next = begin + 1;
        while (next != end && s->contains(*next)) ++next;
        const auto count = static_cast<slot_number>(next - begin);
        if (count == 1) return begin;
        put_into(*s, count, [&](auto& index) {
            put_some(index, count, [&](std::size_t i) { return number_of(begin[i]); });
        });
        begin = next;
    }
    return begin;
}

/// Effects: gives the `count` slots at `in`, which are of `resource`, back to their slabs. Returns: what
/// is wrong with the first that may not go there.
///
/// `find(slot)` is the slab of a slot, null if there is none: then `put_elsewhere(slot)` sees to it, and
/// says what is wrong. `put_into(slab, n, put)` calls `put(slab.index)`, which puts n slots.
template <class Find, class PutInto, class PutElsewhere>
[[gnu::always_inline]] inline bad_free put_slots(void* const* in, std::size_t count,
                                                 slot_geometry geometry,
                                                 [[maybe_unused]] const void* resource, Find find,
                                                 PutInto put_into,
                                                 PutElsewhere put_elsewhere) noexcept {
    void* const* const end = in + count;
    // Slots that were freed in some order come in runs. The first that is alone ends that: among slots in
    // random order each test would be a coin toss. Checks look at each slot.
    if constexpr (!build::has_checks) in = put_runs(in, end, geometry, find, put_into);
    bad_free first;
    for (; in != end; ++in) {
        void* const slot = *in;
        auto* const s = find(slot);
        if (s == nullptr) [[unlikely]] {
            first.add(put_elsewhere(slot));
            continue;
        }
        if constexpr (build::has_checks) {
            const bad_free bad = fault_of(*s, slot, geometry, resource);
            first.add(bad);
            if (bad.resource != nullptr) continue;
        }
        put_into(*s, 1, [&](auto& index) {
            index.put(geometry.number_at(address(slot) - address(s->base)));
        });
    }
    return first;
}

}  // namespace fastalloc::detail
