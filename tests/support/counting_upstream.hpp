// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <memory_resource>

namespace fastalloc::testing {

/// Counts what is out, and allocates nothing itself. Any thread may use it, if upstream is for that.
class counting_upstream final : public std::pmr::memory_resource {
public:
    explicit counting_upstream(
        std::pmr::memory_resource* upstream = std::pmr::new_delete_resource())
        : upstream_(upstream) {}

    std::size_t bytes_out() const { return bytes_out_; }

private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        void* const p = upstream_->allocate(bytes, alignment);
        bytes_out_ += bytes;
        return p;
    }

    void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) override {
        bytes_out_ -= bytes;
        upstream_->deallocate(p, bytes, alignment);
    }

    bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
        return this == &other;
    }

    std::pmr::memory_resource* upstream_;
    std::atomic<std::size_t> bytes_out_ = 0;
};

}  // namespace fastalloc::testing
