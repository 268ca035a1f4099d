// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/detail/align.hpp>
#include <fastalloc/detail/export.hpp>
#include <fastalloc/detail/invariants.hpp>

#include <cstddef>
#include <cstdint>
#include <memory_resource>

namespace fastalloc::detail {

/// What lies behind a larger block, in the same block of upstream.
struct block_footer {
    void* start;
    std::size_t block_bytes;
    std::size_t alignment;

    /// Whether `footer`, which is this, lies where it may, in a block that is aligned as it should be.
    template <class Footer>
    bool is_within(const Footer* footer) const noexcept {
        const std::uintptr_t end = address(start) + block_bytes;
        if ((address(start) & (alignment - 1)) != 0) return false;
        return address(footer) >= address(start) && address(footer + 1) <= end;
    }
};

/// Returns: where the footer of the block at `p` is.
template <class Footer>
Footer* footer_of(void* p, std::size_t bytes) noexcept {
    const std::size_t end = address(p) + bytes;
    const std::size_t padding = round_up(end, alignof(Footer)) - end;
    return reinterpret_cast<Footer*>(static_cast<std::byte*>(p) + bytes + padding);
}

/// Returns: a block of upstream with room behind it for a footer of so many bytes, and what the footer
/// has to know. Throws: what upstream throws; `std::bad_alloc` if no upstream could represent the size.
FASTALLOC_EXPORT block_footer allocate_larger(std::pmr::memory_resource& upstream,
                                              std::size_t bytes, std::size_t alignment,
                                              std::size_t footer_bytes);

/// Effects: gives a block back, whose footer says all of it.
inline void deallocate_larger(std::pmr::memory_resource& upstream, block_footer block) noexcept {
    upstream.deallocate(block.start, block.block_bytes, block.alignment);
}

/// The blocks that went to upstream because no class holds them. Each is one block of upstream of
/// the same alignment, with a footer that links it, so that it can be given back by either of
/// `deallocate` and `release`.
class larger_blocks {
public:
    /// Throws: what upstream throws; `std::bad_alloc` if no upstream could represent the size.
    FASTALLOC_EXPORT void* allocate(std::pmr::memory_resource& upstream, std::size_t bytes,
                                    std::size_t alignment);

    /// Preconditions: `p` came from `allocate(upstream, bytes, alignment)`.
    FASTALLOC_EXPORT void deallocate(std::pmr::memory_resource& upstream, void* p,
                                     std::size_t bytes, std::size_t alignment) noexcept;

    /// Effects: gives every block back.
    FASTALLOC_EXPORT void release(std::pmr::memory_resource& upstream) noexcept;

    /// Whether the list is one, both ways. For tests, and builds that check everything. Complexity:
    /// linear in the number of blocks.
    FASTALLOC_EXPORT bool invariants_hold() const noexcept;

private:
    friend struct invariants_test_access;

    struct footer {
        block_footer block;
        footer* previous;  // whose next is this; null: this is first_
        footer* next;
    };

    void unlink(const footer* f) noexcept;

    footer* first_ = nullptr;
};

}  // namespace fastalloc::detail
