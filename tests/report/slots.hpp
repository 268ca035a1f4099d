// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/report/occupancy.hpp>
#include <fastalloc/statistics.hpp>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace fastalloc::testing {

/// A slab as it would be visited: a letter for each slot, `L`ive, `c`ached or `.` for free.
struct drawn_slab {
    std::uintptr_t address;
    std::size_t slot_size;
    std::string slots;

    template <class F>
    void visit_slots(F f) const {
        for (std::size_t i = 0; i != slots.size(); ++i) {
            f(visited_slot{at(address + i * slot_size), state_of(slots[i]), at(address),
                           slots.size(), slot_size});
        }
    }

private:
    static const void* at(std::uintptr_t address) { return reinterpret_cast<const void*>(address); }

    static slot_state state_of(char letter) {
        return letter == 'L'   ? slot_state::live
               : letter == 'c' ? slot_state::cached
                               : slot_state::free;
    }
};

inline occupancy drawn(std::initializer_list<drawn_slab> slabs) {
    occupancy made;
    for (const drawn_slab& slab : slabs) {
        slab.visit_slots([&made](const visited_slot& slot) { made.add(slot); });
    }
    return made;
}

/// `text`, `n` times.
inline std::string times(std::size_t n, std::string_view text) {
    std::string all;
    for (std::size_t i = 0; i != n; ++i) all += text;
    return all;
}

}  // namespace fastalloc::testing
