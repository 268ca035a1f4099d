// SPDX-License-Identifier: MIT
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory_resource>
#include <new>

namespace fastalloc::testing {

/// Hands out addresses with memory only where somebody writes to it, however much is asked for.
class reserved_addresses final : public std::pmr::memory_resource {
public:
    std::size_t blocks_out() const { return mappings_.size(); }

private:
    struct mapping {
        void* start;
        std::size_t bytes;
    };

    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        const std::size_t all = bytes + alignment;
        void* const start = ::mmap(nullptr, all, PROT_READ | PROT_WRITE,
                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (all < bytes || start == MAP_FAILED) throw std::bad_alloc();
        ::madvise(start, all, MADV_NOHUGEPAGE);
        const std::size_t before = -reinterpret_cast<std::uintptr_t>(start) % alignment;
        std::byte* const p = static_cast<std::byte*>(start) + before;
        mappings_[p] = {start, all};
        return p;
    }

    void do_deallocate(void* p, std::size_t, std::size_t) override {
        const auto at = mappings_.find(p);
        ::munmap(at->second.start, at->second.bytes);
        mappings_.erase(at);
    }

    bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
        return this == &other;
    }

    std::map<void*, mapping> mappings_;
};

}  // namespace fastalloc::testing
