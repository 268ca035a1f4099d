// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory_resource>

namespace fastalloc::detail {

/// One block of upstream, given back when this ends unless it was disowned before.
class upstream_block {
public:
    upstream_block() = default;

    /// Throws: what upstream throws.
    upstream_block(std::pmr::memory_resource* upstream, std::size_t bytes, std::size_t alignment) {
        allocate(upstream, bytes, alignment);
    }

    upstream_block(const upstream_block&) = delete;
    upstream_block& operator=(const upstream_block&) = delete;

    ~upstream_block() {
        if (start_ != nullptr) upstream_->deallocate(start_, bytes_, alignment_);
    }

    /// Preconditions: there is no block yet. Throws: what upstream throws.
    void allocate(std::pmr::memory_resource* upstream, std::size_t bytes, std::size_t alignment) {
        start_ = static_cast<std::byte*>(upstream->allocate(bytes, alignment));
        upstream_ = upstream;
        bytes_ = bytes;
        alignment_ = alignment;
    }

    std::byte* start() const noexcept { return start_; }

    void disown() noexcept { start_ = nullptr; }

private:
    std::pmr::memory_resource* upstream_ = nullptr;
    std::byte* start_ = nullptr;
    std::size_t bytes_ = 0;
    std::size_t alignment_ = 0;
};

}  // namespace fastalloc::detail
