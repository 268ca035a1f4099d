// SPDX-License-Identifier: MIT
#pragma once

#include "support/checking_resource.hpp"

#include <cstddef>
#include <memory_resource>
#include <new>

namespace fastalloc::fuzz {

/// A checking upstream with little memory, that can be told which of its next requests to refuse.
class failing_upstream final : public std::pmr::memory_resource {
public:
    const testing::checking_resource& checked() const noexcept { return checked_; }

    /// Requests that were refused, for whatever reason.
    std::size_t refusals() const noexcept { return refusals_; }

    /// Effects: grants `grants` requests, refuses the `refused` that follow, and grants again.
    void refuse(std::size_t grants, std::size_t refused) noexcept {
        grants_ = grants;
        refused_ = refused;
    }

    void heal() noexcept { refused_ = 0; }

private:
    static constexpr std::size_t largest_request = std::size_t{2} << 20;
    static constexpr std::size_t all_memory = std::size_t{8} << 20;

    bool is_to_refuse(std::size_t bytes) noexcept {
        if (bytes > largest_request || bytes + checked_.bytes_out() > all_memory) return true;
        if (refused_ == 0) return false;
        if (grants_ != 0) {
            --grants_;
            return false;
        }
        --refused_;
        return true;
    }

    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        if (is_to_refuse(bytes)) {
            ++refusals_;
            throw std::bad_alloc();
        }
        return checked_.allocate(bytes, alignment);
    }

    void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) override {
        checked_.deallocate(p, bytes, alignment);
    }

    bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
        return this == &other;
    }

    testing::checking_resource checked_;
    std::size_t grants_ = 0;
    std::size_t refused_ = 0;
    std::size_t refusals_ = 0;
};

}  // namespace fastalloc::fuzz
