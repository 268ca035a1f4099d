// SPDX-License-Identifier: MIT
#include <fastalloc/detail/visible_memory.hpp>

#include <cstddef>

#ifdef FASTALLOC_VALGRIND
#include <valgrind/memcheck.h>
#endif

// Of the sanitizers' runtime, which is there in a build for it only.
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): these are its names.
extern "C" {
void __asan_poison_memory_region(const volatile void* p, std::size_t bytes);
void __asan_unpoison_memory_region(const volatile void* p, std::size_t bytes);
void __msan_poison(const volatile void* p, std::size_t bytes);
void __msan_allocated_memory(const volatile void* p, std::size_t bytes);
}
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

namespace fastalloc::detail {

void hide_memory_slow(const void* p, std::size_t bytes) noexcept {
    if constexpr (build::has_address_sanitizer) __asan_poison_memory_region(p, bytes);
    if constexpr (build::has_memory_sanitizer) __msan_poison(p, bytes);
#ifdef FASTALLOC_VALGRIND
    VALGRIND_MAKE_MEM_NOACCESS(p, bytes);
#endif
    (void)p;
    (void)bytes;
}

void show_memory_slow(const void* p, std::size_t bytes) noexcept {
    if constexpr (build::has_address_sanitizer) __asan_unpoison_memory_region(p, bytes);
    if constexpr (build::has_memory_sanitizer) __msan_allocated_memory(p, bytes);
#ifdef FASTALLOC_VALGRIND
    VALGRIND_MAKE_MEM_UNDEFINED(p, bytes);
#endif
    (void)p;
    (void)bytes;
}

#ifdef FASTALLOC_VALGRIND

void open_block_list(const void* anchor) noexcept {
    // What is before a slab's first block is somebody else's, and a red zone would be hidden.
    constexpr std::size_t red_zone = 0;
    VALGRIND_CREATE_MEMPOOL(anchor, red_zone, 0);
}

void close_block_list(const void* anchor) noexcept { VALGRIND_DESTROY_MEMPOOL(anchor); }

void enter_block(const void* anchor, const void* p, std::size_t bytes) noexcept {
    VALGRIND_MEMPOOL_ALLOC(anchor, p, bytes);
}

void leave_block(const void* anchor, const void* p, std::size_t bytes) noexcept {
    VALGRIND_MEMPOOL_FREE(anchor, p);
    (void)bytes;
}

#else

void open_block_list(const void*) noexcept {}

void close_block_list(const void*) noexcept {}

void enter_block(const void*, const void* p, std::size_t bytes) noexcept { show_memory(p, bytes); }

void leave_block(const void*, const void* p, std::size_t bytes) noexcept { hide_memory(p, bytes); }

#endif

}  // namespace fastalloc::detail
