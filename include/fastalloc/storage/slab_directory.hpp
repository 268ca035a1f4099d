// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/detail/export.hpp>
#include <fastalloc/detail/invariants.hpp>
#include <fastalloc/detail/machine.hpp>
#include <fastalloc/storage/slab.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory_resource>

namespace fastalloc::detail {

/// Granules of an eighth of the mean slab make most look-ups end at the first entry; below a page there
/// is no such gain, and the table would outweigh small slabs. Returns: the binary logarithm of a
/// granule's bytes. Preconditions: `mean_slab_bytes` is not 0.
constexpr std::uint32_t granule_shift_for(std::size_t mean_slab_bytes) noexcept {
    constexpr int page_shift = std::countr_zero(page);
    constexpr int smallest_granule = 6;
    const int mean = static_cast<int>(std::bit_width(mean_slab_bytes)) - 1;
    return static_cast<std::uint32_t>(
        std::max({mean - 3, std::min(mean, page_shift), smallest_granule}));
}

/// Returns: how many granules the slab reaches into.
inline std::size_t granules_of(const slab_range& s, std::uint32_t granule_shift) noexcept {
    const std::uintptr_t first = address(s.base) >> granule_shift;
    const std::uintptr_t last = (address(s.base) + s.bytes - 1) >> granule_shift;
    return last - first + 1;
}

/// Says to which slab an address belongs, whatever addresses upstream returned: a hash table with
/// linear probing from granules of the address space to the slabs that reach into them. A granule is
/// a fraction of the mean slab, so that a table of a few entries per slab does.
///
/// Invariants: at most half of the entries are used, one for each granule of each slab, where a look-up
/// for the granule finds it; no two slabs overlap.
class slab_directory {
public:
    bool empty() const noexcept { return entries_ == nullptr; }

    /// Returns: the slab that contains `p`; null if none does. Preconditions: not empty.
    /// Complexity: constant on average, where slabs are not of wildly different sizes.
    slab_range* find(const void* p) const noexcept {
        const std::uintptr_t granule = address(p) >> granule_shift_;
        for (std::size_t i = home(granule);; i = (i + 1) & mask_) {
            const entry& e = entries_[i];
            if (e.slab == nullptr) return nullptr;
            if (e.granule == granule && e.slab->contains(p)) [[likely]]
                return e.slab;
        }
    }

    /// Whether `insert(s)` is possible.
    FASTALLOC_EXPORT bool has_room_for(const slab_range& s) const noexcept;

    /// Effects: enters `s`. Preconditions: there is room for it.
    FASTALLOC_EXPORT void insert(slab_range* s) noexcept;

    /// Returns: a larger directory, of `added` and the list `others`; the caller has to release it.
    /// Throws: what `upstream` throws.
    FASTALLOC_EXPORT static slab_directory made_of(slab_range* added, slab_range* others,
                                                   std::pmr::memory_resource* upstream);

    /// Effects: holds exactly the slabs of the list `all` from now on.
    /// Preconditions: not empty; all of them have been entered.
    FASTALLOC_EXPORT void keep_only(slab_range* all) noexcept;

    /// Effects: gives the table back; empty from now on.
    FASTALLOC_EXPORT void release(std::pmr::memory_resource* upstream) noexcept;

    /// Whether the books are as the invariants say, and have exactly the slabs of the list `all`. For
    /// tests, and builds that check everything. Preconditions: not empty. Complexity: linear in the
    /// number of entries.
    FASTALLOC_EXPORT bool invariants_hold(const slab_range* all) const noexcept;

private:
    friend struct invariants_test_access;

    struct entry {
        std::uintptr_t granule;
        slab_range* slab;  // null: the entry is not used
    };

    // Fibonacci hashing: the high bits of the product with 2^64 / golden ratio.
    std::size_t home(std::uintptr_t granule) const noexcept {
        return static_cast<std::size_t>((granule * 0x9E3779B97F4A7C15u) >> hash_shift_);
    }

    entry* entries_ = nullptr;
    std::size_t mask_ = 0;  // number of entries - 1
    std::size_t used_ = 0;
    std::uint32_t hash_shift_ = 63;
    std::uint32_t granule_shift_ = 0;
};

}  // namespace fastalloc::detail
