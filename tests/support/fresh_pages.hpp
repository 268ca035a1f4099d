// SPDX-License-Identifier: MIT
#pragma once

#include "support/catch.hpp"

#include <sys/mman.h>

#include <cstddef>
#include <iterator>
#include <map>
#include <memory_resource>
#include <new>
#include <utility>
#include <vector>

namespace fastalloc::testing {

/// Each block is a mapping of its own, of small pages that nobody touched yet.
class fresh_pages final : public std::pmr::memory_resource {
public:
    static constexpr std::size_t page = 4'096;

    /// Returns: bytes that are in memory, of a block that a slot lies in; and all its bytes.
    std::pair<std::size_t, std::size_t> resident(void* slot) {
        auto after = mappings_.upper_bound(static_cast<std::byte*>(slot));
        const auto& [start, bytes] = *std::prev(after);
        std::vector<unsigned char> pages(bytes / page);
        REQUIRE(::mincore(start, bytes, pages.data()) == 0);
        std::size_t count = 0;
        for (const unsigned char p : pages) count += p & 1u;
        return {count * page, bytes};
    }

protected:
    void* do_allocate(std::size_t bytes, std::size_t) override {
        const std::size_t whole = (bytes + page - 1) / page * page;
        void* const p =
            ::mmap(nullptr, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED) throw std::bad_alloc();
        ::madvise(p, whole, MADV_NOHUGEPAGE);
        mappings_[static_cast<std::byte*>(p)] = whole;
        return p;
    }

    void do_deallocate(void* p, std::size_t, std::size_t) override {
        const auto mapping = mappings_.find(static_cast<std::byte*>(p));
        ::munmap(mapping->first, mapping->second);
        mappings_.erase(mapping);
    }

    bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
        return this == &other;
    }

private:
    std::map<std::byte*, std::size_t> mappings_;
};

}  // namespace fastalloc::testing
