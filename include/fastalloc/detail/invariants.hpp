// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

/// What the functions `invariants_hold()` have in common, each of which says whether the books of a
/// structure are as the invariants beside its fields say. They are for tests, and for builds that check
/// everything: they allocate nothing, and need not be fast.

namespace fastalloc::detail {

/// A test defines it, and breaks things with it.
struct invariants_test_access;

/// Whether `for_each(f)` calls `f` with no number twice. Complexity: linear in how many they are, once
/// for each thousand of them.
template <class ForEach>
bool are_distinct(ForEach for_each) noexcept {
    std::array<std::uintptr_t, 1024> lowest;  // of those that are not below `from`, a heap
    for (std::uintptr_t from = 0;;) {
        std::size_t count = 0;
        bool are_all = true;
        for_each([&](std::uintptr_t n) noexcept {
            if (n < from) return;
            if (count == lowest.size()) {
                are_all = false;
                if (n >= lowest.front()) return;
                std::pop_heap(lowest.begin(), lowest.end());
                --count;
            }
            lowest[count++] = n;
            std::push_heap(lowest.begin(), lowest.begin() + count);
        });
        const auto end = lowest.begin() + count;
        std::sort_heap(lowest.begin(), end);
        if (std::adjacent_find(lowest.begin(), end) != end) return false;
        if (are_all) return true;
        // The highest once more, for its equal may have been left out.
        from = *(end - 1);
    }
}

}  // namespace fastalloc::detail
