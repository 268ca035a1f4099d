// SPDX-License-Identifier: MIT
#pragma once

#include "fuzz/findings.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <utility>
#include <vector>

namespace fastalloc::fuzz {

/// Who allocated what is live: the first thread, or another one, by number.
using thread_id = std::uint32_t;
inline constexpr thread_id first_thread = 0;

/// The addresses of everything that is live.
class memory_map {
public:
    explicit memory_map(findings& found) : found_(&found) {}

    std::size_t count() const { return ranges_.size(); }

    bool begins(const void* p) const { return ranges_.contains(address(p)); }

    void occupy(const void* p, std::size_t bytes) {
        const std::uintptr_t begin = address(p);
        const std::uintptr_t end = begin + (bytes == 0 ? 1 : bytes);
        const auto next = ranges_.lower_bound(begin);
        const bool before = next == ranges_.begin() || std::prev(next)->second <= begin;
        const bool behind = next == ranges_.end() || next->first >= end;
        found_->require(before && behind, "overlaps what is live");
        ranges_.emplace_hint(next, begin, end);
    }

    void vacate(const void* p) {
        found_->require(ranges_.erase(address(p)) == 1, "was not live, and is taken back");
    }

private:
    static std::uintptr_t address(const void* p) { return reinterpret_cast<std::uintptr_t>(p); }

    findings* found_;
    std::map<std::uintptr_t, std::uintptr_t> ranges_;  // begin to end
};

struct block {
    unsigned char* p;
    std::size_t bytes;
    std::size_t alignment;
    std::uint32_t id;
    thread_id owner;
    std::size_t class_number;  // no_class: it is a larger one
};

/// The blocks that are live, each filled with a pattern of its own.
class block_model {
public:
    block_model(findings& found, memory_map& map) : found_(&found), map_(&map) {}

    std::size_t count() const { return blocks_.size(); }
    const block& operator[](std::size_t i) const { return blocks_[i]; }
    std::size_t bytes() const { return bytes_; }

    /// Effects: the block is live, and full of its pattern.
    void add(block b) {
        b.id = ++last_id_;
        found_->require(reinterpret_cast<std::uintptr_t>(b.p) % b.alignment == 0, "not aligned");
        map_->occupy(b.p, b.bytes);
        if (found_->any()) return;
        bytes_ += b.bytes;
        std::memset(b.p, pattern_of(b), b.bytes);
        std::memcpy(b.p, &b.id, std::min(b.bytes, sizeof b.id));
        blocks_.push_back(b);
    }

    /// Effects: the block is not live any more. Returns: what it was.
    block remove(std::size_t i) {
        const block b = blocks_[i];
        check(b);
        map_->vacate(b.p);
        bytes_ -= b.bytes;
        blocks_[i] = blocks_.back();
        blocks_.pop_back();
        return b;
    }

    /// Effects: none of them is live, and none is looked at any more.
    void forget() {
        for (const block& b : blocks_) map_->vacate(b.p);
        blocks_.clear();
        bytes_ = 0;
    }

    void check_all() const {
        for (const block& b : blocks_) check(b);
    }

private:
    static unsigned char pattern_of(const block& b) {
        return static_cast<unsigned char>(b.id * 7 + b.id / 256);
    }

    void check(const block& b) const {
        const std::size_t head = std::min(b.bytes, sizeof b.id);
        bool intact = std::memcmp(b.p, &b.id, head) == 0;
        if (b.bytes > head) {
            intact = intact && b.p[head] == pattern_of(b) &&
                     std::memcmp(b.p + head, b.p + head + 1, b.bytes - head - 1) == 0;
        }
        found_->require(intact, "the content of a live block changed");
    }

    findings* found_;
    memory_map* map_;
    std::vector<block> blocks_;
    std::size_t bytes_ = 0;
    std::uint32_t last_id_ = 0;
};

}  // namespace fastalloc::fuzz
