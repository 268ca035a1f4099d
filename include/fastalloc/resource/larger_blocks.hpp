// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/detail/export.hpp>

#include <cstddef>
#include <memory_resource>

namespace fastalloc::detail {

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

private:
    struct footer {
        footer* previous;
        footer* next;
        void* start;
        std::size_t block_bytes;
        std::size_t alignment;
    };

    static footer* footer_of(void* p, std::size_t bytes) noexcept;
    void unlink(const footer* f) noexcept;

    footer* first_ = nullptr;
};

}  // namespace fastalloc::detail
