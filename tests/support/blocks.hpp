// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory_resource>
#include <random>
#include <utility>
#include <vector>

namespace fastalloc::testing {

inline bool is_aligned(const void* p, std::size_t alignment) {
    return reinterpret_cast<std::uintptr_t>(p) % alignment == 0;
}

/// Blocks that are live in a resource, each filled with a pattern of its own: if any two overlap, or
/// a resource writes into a live block, `intact()` is false for one of them.
template <class Resource>
class live_blocks {
public:
    explicit live_blocks(Resource& resource) : resource_(&resource) {}
    live_blocks(const live_blocks&) = delete;
    live_blocks& operator=(const live_blocks&) = delete;
    ~live_blocks() { clear(); }

    std::size_t size() const { return blocks_.size(); }

    /// Effects: so many blocks take no more memory of anybody else.
    void reserve(std::size_t blocks) { blocks_.reserve(blocks); }

    /// Returns: whether the storage is as asked for.
    bool allocate(std::size_t bytes, std::size_t alignment) {
        return add(resource_->allocate(bytes, alignment), bytes, alignment);
    }

    bool add(void* p, std::size_t bytes, std::size_t alignment) {
        const block b{static_cast<unsigned char*>(p), bytes, alignment, next_pattern_++};
        fill(b);
        blocks_.push_back(b);
        return p != nullptr && is_aligned(p, alignment);
    }

    /// Returns: whether the block was intact.
    bool deallocate(std::size_t index) {
        const block b = blocks_[index];
        const bool was_intact = intact(b);
        blocks_[index] = blocks_.back();
        blocks_.pop_back();
        resource_->deallocate(b.p, b.bytes, b.alignment);
        return was_intact;
    }

    bool deallocate_any(std::mt19937& random) {
        return deallocate(std::uniform_int_distribution<std::size_t>(0, size() - 1)(random));
    }

    bool clear() {
        bool all_intact = true;
        while (!blocks_.empty()) all_intact = deallocate(blocks_.size() - 1) && all_intact;
        return all_intact;
    }

    /// Effects: forgets all blocks without giving them back.
    void forget() { blocks_.clear(); }

    bool intact() const {
        for (const block& b : blocks_) {
            if (!intact(b)) return false;
        }
        return true;
    }

    std::vector<void*> pointers() const {
        std::vector<void*> all;
        for (const block& b : blocks_) all.push_back(b.p);
        return all;
    }

private:
    struct block {
        unsigned char* p;
        std::size_t bytes;
        std::size_t alignment;
        std::uint32_t pattern;
    };

    // The pattern's number, then one byte of it throughout: fast to write and to compare.
    static void fill(const block& b) {
        std::memset(b.p, static_cast<int>(b.pattern % 251), b.bytes);
        std::memcpy(b.p, &b.pattern, std::min(b.bytes, sizeof b.pattern));
    }

    static bool intact(const block& b) {
        const std::size_t head = std::min(b.bytes, sizeof b.pattern);
        if (std::memcmp(b.p, &b.pattern, head) != 0) return false;
        const unsigned char* const tail = b.p + head;
        const std::size_t size = b.bytes - head;
        return size == 0 ||
               (tail[0] == b.pattern % 251 && std::memcmp(tail, tail + 1, size - 1) == 0);
    }

    Resource* resource_;
    std::vector<block> blocks_;
    std::uint32_t next_pattern_ = 0x01020304;
};

}  // namespace fastalloc::testing
