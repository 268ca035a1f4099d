// SPDX-License-Identifier: MIT
// Where the system hands out mappings that are not aligned to huge pages, as Linux did before 6.7.
#include "support/catch.hpp"

#include <fastalloc/upstream/page_resource.hpp>

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace {

constexpr std::size_t huge_page = std::size_t{1} << 21;
constexpr std::size_t page = 4'096;

std::size_t misaligned = 0;

void* map(void* at, std::size_t bytes, int protection, int flags, int file, off_t offset) {
    return reinterpret_cast<void*>(::syscall(SYS_mmap, at, bytes, protection, flags, file, offset));
}

}  // namespace

// Beside each large mapping nothing is mapped, so that who goes beyond one ends.
extern "C" void* mmap(void* at, std::size_t bytes, int protection, int flags, int file,
                      off_t offset) noexcept {
    const bool is_ours = at == nullptr && (flags & MAP_ANONYMOUS) != 0 &&
                         (flags & MAP_HUGETLB) == 0 && bytes >= huge_page;
    if (!is_ours) return map(at, bytes, protection, flags, file, offset);
    const std::size_t room = bytes + 3 * huge_page;
    void* const wide = map(nullptr, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (wide == MAP_FAILED) return wide;
    const auto start = reinterpret_cast<std::uintptr_t>(wide);
    const std::uintptr_t chosen = (start / huge_page + 1) * huge_page + page;
    ++misaligned;
    return map(reinterpret_cast<void*>(chosen), bytes, protection, flags | MAP_FIXED, -1, 0);
}

namespace fastalloc::testing {

TEST_CASE("extents lie in memory that was mapped for them, however the system aligns that") {
    const auto huge =
        GENERATE(huge_pages::off, huge_pages::transparent, huge_pages::reserved_or_transparent);
    misaligned = 0;
    {
        page_resource pages({.huge = huge});
        struct block {
            void* p;
            std::size_t bytes;
            std::size_t alignment;
        };
        std::vector<block> all;
        for (const std::size_t bytes : {std::size_t{65'536}, huge_page, 3 * huge_page - page}) {
            for (const std::size_t alignment : {page, huge_page, 4 * huge_page}) {
                for (int i = 0; i != 5; ++i) {
                    void* const p = pages.allocate(bytes, alignment);
                    REQUIRE(reinterpret_cast<std::uintptr_t>(p) % alignment == 0);
                    all.push_back({std::memset(p, i + 1, bytes), bytes, alignment});
                }
            }
        }
        for (std::size_t i = 0; i != all.size(); ++i) {
            const std::vector<unsigned char> expected(all[i].bytes,
                                                      static_cast<unsigned char>(i % 5 + 1));
            CHECK(std::memcmp(all[i].p, expected.data(), all[i].bytes) == 0);
            pages.deallocate(all[i].p, all[i].bytes, all[i].alignment);
        }
    }
    CHECK(misaligned != 0);
}

}  // namespace fastalloc::testing
