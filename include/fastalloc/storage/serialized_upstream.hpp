// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory_resource>
#include <mutex>

namespace fastalloc::detail {

/// Lets one thread at a time into upstream, which need not be made for several.
class serialized_upstream final : public std::pmr::memory_resource {
public:
    constexpr explicit serialized_upstream(std::pmr::memory_resource* upstream) noexcept
        : upstream_(upstream) {}

    /// What to call instead of the original.
    std::pmr::memory_resource* resource() noexcept { return this; }

    std::pmr::memory_resource* original() const noexcept { return upstream_; }

private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        const std::lock_guard guard(lock_);
        return upstream_->allocate(bytes, alignment);
    }

    void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) override {
        const std::lock_guard guard(lock_);
        upstream_->deallocate(p, bytes, alignment);
    }

    bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
        return this == &other;
    }

    std::mutex lock_;
    std::pmr::memory_resource* upstream_;
};

}  // namespace fastalloc::detail
