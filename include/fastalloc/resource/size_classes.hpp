// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/detail/align.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace fastalloc::detail {

/// A request of `bytes` at `alignment` needs a slot of n = max(bytes, 1) rounded up to a multiple
/// of the alignment. Routing works on n - 1, which is the bitwise or below, without overflow; zero
/// bytes give `size_max`, which no hot path accepts.
constexpr std::size_t routing_key(std::size_t bytes, std::size_t alignment) noexcept {
    return (bytes - 1) | (alignment - 1);
}

/// The same, with zero bytes counted as one.
constexpr std::size_t exact_routing_key(std::size_t bytes, std::size_t alignment) noexcept {
    return routing_key(bytes + (bytes == 0), alignment);
}

/// What a class serves.
struct size_class {
    std::size_t slot_size = 0;
    std::size_t alignment = 0;

    constexpr bool serves(std::size_t key, std::size_t request_alignment) const noexcept {
        return key < slot_size && request_alignment <= alignment;
    }
};

/// The classes of the drop-in resources: multiples of 8 up to 64, of 16 up to 128, then four to
/// each doubling. With this spacing the smallest class that holds n is divisible by every power of
/// two that divides n, so slots aligned to what divides their size serve every request of their class.
namespace natural {

inline constexpr std::size_t largest_size = std::size_t{1} << 16;

/// Requests for a larger alignment have pools of their own, so that the slabs of all others need not
/// be aligned to their slot size: a heap finds such blocks slowly and leaves gaps between them.
inline constexpr std::size_t ordinary_alignment = alignof(std::max_align_t);

constexpr std::size_t computed_class(std::size_t key) noexcept {
    if (key < 64) return key / 8;
    if (key < 128) return 8 + (key - 64) / 16;
    const std::size_t exponent = static_cast<std::size_t>(std::bit_width(key)) - 1;
    return 12 + (exponent - 7) * 4 + (key >> (exponent - 2)) % 4;
}

constexpr std::size_t slot_size(std::size_t index) noexcept {
    if (index < 8) return (index + 1) * 8;
    if (index < 12) return 64 + (index - 7) * 16;
    const std::size_t exponent = 7 + (index - 12) / 4;
    return (5 + (index - 12) % 4) << (exponent - 2);
}

inline constexpr std::size_t tabled_keys = 4096;

inline constexpr auto class_table = [] {
    std::array<std::uint8_t, tabled_keys / 8> table{};
    for (std::size_t i = 0; i != table.size(); ++i) {
        table[i] = static_cast<std::uint8_t>(computed_class(i * 8));
    }
    return table;
}();

/// Returns: the class of requests with this key. Preconditions: `key < largest_size`.
constexpr std::size_t class_of(std::size_t key) noexcept {
    return key < tabled_keys ? class_table[key / 8] : computed_class(key);
}

/// All that the table finds: a hot path that uses it compares with no limit.
inline constexpr std::size_t tabled_classes = class_of(tabled_keys - 1) + 1;

/// Returns: how many classes a resource has that serves up to `limit` bytes. Preconditions: `limit` is
/// neither 0 nor above `largest_size`.
constexpr std::size_t classes_up_to(std::size_t limit) noexcept {
    return std::max(class_of(limit - 1) + 1, tabled_classes);
}

// A pool for each of `classes` classes, then one for its requests of larger alignment.

/// Returns: the pool of a request. Preconditions: `class_of(key) < classes`.
constexpr std::size_t pool_of(std::size_t key, std::size_t alignment,
                              std::size_t classes) noexcept {
    return class_of(key) + (alignment > ordinary_alignment ? classes : 0);
}

/// Preconditions: `index < 2 * classes`.
constexpr size_class class_of_pool(std::size_t index, std::size_t classes) noexcept {
    const bool is_ordinary = index < classes;
    const std::size_t size = slot_size(is_ordinary ? index : index - classes);
    const std::size_t alignment = natural_alignment(size);
    return {size, is_ordinary ? std::min(alignment, ordinary_alignment) : alignment};
}

}  // namespace natural

/// Returns: the first of `classes`, in ascending order of slot size, then alignment, that serves the
/// request; `classes.size()` if none does. Complexity: logarithmic, where alignments agree.
constexpr std::size_t listed_class_of(std::span<const size_class> classes, std::size_t key,
                                      std::size_t alignment) noexcept {
    if (classes.empty()) return 0;
    // Binary search without branches for the first class with room, then on to one that is aligned
    // well enough.
    std::size_t index = 0;
    for (std::size_t n = classes.size(); n > 1; n -= n / 2) {
        index += classes[index + n / 2 - 1].slot_size <= key ? n / 2 : 0;
    }
    while (index != classes.size() && !classes[index].serves(key, alignment)) ++index;
    return index;
}

/// From a request to the number of its class, a pure function of the request: the natural classes up
/// to a limit, or listed ones, or none.
struct class_map {
    std::span<const size_class> listed;  // in ascending order of slot size, then alignment
    std::size_t natural_limit = 0;       // bytes
    std::size_t natural_classes = 0;

    static constexpr std::size_t no_class = size_max;

    /// Preconditions: `limit` is neither 0 nor above `natural::largest_size`.
    static constexpr class_map of_natural(std::size_t limit) noexcept {
        return {{}, limit, natural::classes_up_to(limit)};
    }

    constexpr std::size_t count() const noexcept {
        return natural_limit != 0 ? 2 * natural_classes : listed.size();
    }

    /// Preconditions: `index < count()`.
    constexpr size_class at(std::size_t index) const noexcept {
        return natural_limit != 0 ? natural::class_of_pool(index, natural_classes) : listed[index];
    }

    constexpr std::size_t class_of(std::size_t bytes, std::size_t alignment) const noexcept {
        const std::size_t key = exact_routing_key(bytes, alignment);
        if (key < natural_limit) return natural::pool_of(key, alignment, natural_classes);
        const std::size_t index = listed_class_of(listed, key, alignment);
        return index == listed.size() ? no_class : index;
    }
};

}  // namespace fastalloc::detail
