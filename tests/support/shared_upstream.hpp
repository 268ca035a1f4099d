// SPDX-License-Identifier: MIT
#pragma once

#include "support/checking_resource.hpp"

#include <cstddef>
#include <memory_resource>
#include <mutex>
#include <string>
#include <vector>

namespace fastalloc::testing {

/// A checking upstream for several threads.
class shared_upstream final : public std::pmr::memory_resource {
public:
    std::size_t bytes_out() const {
        const std::lock_guard guard(lock_);
        return checked_.bytes_out();
    }

    std::size_t peak_bytes() const {
        const std::lock_guard guard(lock_);
        return checked_.peak_bytes();
    }

    std::size_t blocks_out() const {
        const std::lock_guard guard(lock_);
        return checked_.blocks_out();
    }

    std::string errors() const {
        const std::lock_guard guard(lock_);
        return checked_.errors();
    }

    std::vector<checking_resource::request> requests_out() const {
        const std::lock_guard guard(lock_);
        return checked_.requests_out();
    }

    void fail_after(std::size_t n) {
        const std::lock_guard guard(lock_);
        checked_.fail_after(n);
    }

    void never_fail() {
        const std::lock_guard guard(lock_);
        checked_.never_fail();
    }

private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        const std::lock_guard guard(lock_);
        return checked_.allocate(bytes, alignment);
    }

    void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) override {
        const std::lock_guard guard(lock_);
        checked_.deallocate(p, bytes, alignment);
    }

    bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
        return this == &other;
    }

    mutable std::mutex lock_;
    checking_resource checked_;
};

}  // namespace fastalloc::testing
