// SPDX-License-Identifier: MIT
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FASTALLOC_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define FASTALLOC_TEST_SANITIZED 1
#endif
#endif

namespace fastalloc::testing {

/// Sanitizers do nothing when memory is to be locked, and have memory of their own for all that is
/// used.
#ifdef FASTALLOC_TEST_SANITIZED
inline constexpr bool is_sanitized = true;
#else
inline constexpr bool is_sanitized = false;
#endif

inline constexpr std::size_t kib = 1'024;
inline constexpr std::size_t mib = 1'024 * kib;

inline std::size_t page_bytes() { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

/// Returns: the bytes that a file of /proc says of this process in a line "key: ... kB".
inline std::size_t bytes_in(const std::string& file, const std::string& key) {
    std::ifstream in("/proc/self/" + file);
    for (std::string line; std::getline(in, line);) {
        if (line.starts_with(key + ":")) {
            std::istringstream rest(line.substr(key.size() + 1));
            std::size_t kibibytes = 0;
            rest >> kibibytes;
            return kibibytes * kib;
        }
    }
    return 0;
}

inline bool is_mapped(const void* p) {
    const std::size_t page = page_bytes();
    const std::uintptr_t begin = reinterpret_cast<std::uintptr_t>(p) / page * page;
    unsigned char in_memory = 0;
    return ::mincore(reinterpret_cast<void*>(begin), page, &in_memory) == 0;
}

/// Whether the system gives out huge pages of 2 MiB, found out by taking one.
inline bool has_huge_pages() {
    const std::size_t wide = 4 * mib;
    void* const start =
        ::mmap(nullptr, wide, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED) return false;
    const std::size_t before = bytes_in("smaps_rollup", "AnonHugePages");
    ::madvise(start, wide, MADV_HUGEPAGE);
    auto* const bytes = static_cast<volatile char*>(start);
    for (std::size_t i = 0; i < wide; i += page_bytes()) bytes[i] = 1;
    const bool found = bytes_in("smaps_rollup", "AnonHugePages") > before;
    ::munmap(start, wide);
    return found;
}

/// In a child process: says what is wrong, and ends it.
inline void require_here(bool condition, const char* what) {
    if (condition) return;
    std::fprintf(stderr, "%s\n", what);
    ::_exit(1);
}

}  // namespace fastalloc::testing
