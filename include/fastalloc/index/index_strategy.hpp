// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <vector>

namespace fastalloc {

/// The number of a slot within one index: 0 up to, not including, its capacity.
using slot_number = std::uint32_t;

/// What `take()` returns when no slot is free. No index has a capacity above this number.
inline constexpr slot_number no_slot = ~slot_number{0};

/// An index says which slot is next. It knows slots by number only and keeps nothing in them.
///
/// A model `I`, made by `I(capacity, memory)` with every slot free, gives
/// - `i.take()`: a free slot, which is taken from then on, or `no_slot`;
/// - `i.put(n)`: frees slot `n`. Preconditions: `n` is taken;
/// - `i.available()`, `i.capacity()`: free slots, all slots;
/// - `I::required_bytes(capacity)`: the most that the constructor asks of `memory`, alignment to
///   `alignof(std::max_align_t)` included. The constructor throws only what `memory` throws, and
///   the destructor gives everything back.
///
/// Complexity: constant, all but the constructor. Thread safety: none.
template <class I>
concept index_strategy = std::constructible_from<I, slot_number, std::pmr::memory_resource*> &&
    requires(I& index, const I& constant, slot_number n) {
    { I::required_bytes(n) }
    noexcept->std::same_as<std::size_t>;
    { index.take() }
    noexcept->std::same_as<slot_number>;
    { index.put(n) }
    noexcept->std::same_as<void>;
    { constant.available() }
    noexcept->std::same_as<slot_number>;
    { constant.capacity() }
    noexcept->std::same_as<slot_number>;
};

/// Takes up to `most` slots and hands them to `sink` in runs: `sink(n, count)` for the slots n up to
/// n + count - 1. Returns: how many slots.
///
/// An index that can do this faster than one by one has a member of the same name.
template <index_strategy Index, class Sink>
slot_number take_some(Index& index, slot_number most, Sink sink) noexcept {
    if constexpr (requires { index.take_some(most, sink); }) {
        return index.take_some(most, sink);
    } else {
        slot_number taken = 0;
        for (; taken < most; ++taken) {
            const slot_number n = index.take();
            if (n == no_slot) break;
            sink(n, 1);
        }
        return taken;
    }
}

/// Puts the slots `source(0)` up to `source(count - 1)`. Preconditions: as `put` has for each;
/// `count` is not 0.
///
/// An index that can do this faster than one by one has a member of the same name.
template <index_strategy Index, class Source>
void put_some(Index& index, std::size_t count, Source source) noexcept {
    if constexpr (requires { index.put_some(count, source); }) {
        index.put_some(count, source);
    } else {
        for (std::size_t i = 0; i != count; ++i) index.put(source(i));
    }
}

/// Puts the slots `first` up to `first + count - 1`. Preconditions: as `put` has for each; `count` is
/// not 0.
///
/// An index that can do this faster than one by one has a member of the same name.
template <index_strategy Index>
void put_run(Index& index, slot_number first, slot_number count) noexcept {
    if constexpr (requires { index.put_run(first, count); }) {
        index.put_run(first, count);
    } else {
        for (slot_number i = 0; i != count; ++i) index.put(first + i);
    }
}

/// Effects: calls `f(n)` for each free slot, in any order; for none, if the index has no member of the
/// same name.
template <index_strategy Index, class F>
void for_each_free([[maybe_unused]] const Index& index, [[maybe_unused]] F f) noexcept {
    if constexpr (requires { index.for_each_free(f); }) index.for_each_free(f);
}

/// Whether the books of `index` are as its invariants say, as far as it has a member of the same name
/// that knows them.
template <index_strategy Index>
bool invariants_hold(const Index& index) noexcept {
    if constexpr (requires { index.invariants_hold(); }) {
        return index.invariants_hold();
    } else {
        return index.available() <= index.capacity();
    }
}

/// Returns: for each slot whether it is taken. The index is as it was. Throws: `std::bad_alloc`.
/// Complexity: linear in the capacity.
template <index_strategy Index>
std::vector<bool> taken_slots(Index& index) {
    std::vector<bool> taken(index.capacity(), true);
    std::vector<slot_number> free(index.available());
    std::size_t count = 0;
    take_some(index, index.available(), [&](slot_number first, slot_number run) {
        for (slot_number i = 0; i != run; ++i) free[count++] = first + i;
    });
    for (const slot_number n : free) taken[n] = false;
    // The one that was to be next goes back last, and is the next again.
    if (count != 0) put_some(index, count, [&](std::size_t i) { return free[count - 1 - i]; });
    return taken;
}

}  // namespace fastalloc
