// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/detail/build.hpp>
#include <fastalloc/detail/export.hpp>

#include <cstddef>

namespace fastalloc::detail {

/// Effects: none in an ordinary build. In one for a sanitizer or for Valgrind, that is told that nobody
/// may use the bytes from now on.
FASTALLOC_EXPORT void hide_memory_slow(const void* p, std::size_t bytes) noexcept;

/// Effects: as above, but that the bytes may be used from now on, and that nothing is in them.
FASTALLOC_EXPORT void show_memory_slow(const void* p, std::size_t bytes) noexcept;

inline void hide_memory(const void* p, std::size_t bytes) noexcept {
    if constexpr (build::hides_slots) hide_memory_slow(p, bytes);
}

inline void show_memory(const void* p, std::size_t bytes) noexcept {
    if constexpr (build::hides_slots) show_memory_slow(p, bytes);
}

// The blocks that a resource handed out, for Valgrind to name in its reports. `anchor` stands for the
// resource.

FASTALLOC_EXPORT void open_block_list(const void* anchor) noexcept;
FASTALLOC_EXPORT void close_block_list(const void* anchor) noexcept;

/// Effects: shows `p`, a block of that list from now on.
FASTALLOC_EXPORT void enter_block(const void* anchor, const void* p, std::size_t bytes) noexcept;

/// Effects: hides `p`, which was such a block.
FASTALLOC_EXPORT void leave_block(const void* anchor, const void* p, std::size_t bytes) noexcept;

}  // namespace fastalloc::detail
