// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/detail/machine.hpp>
#include <fastalloc/detail/thread_number.hpp>

#include <array>
#include <atomic>
#include <cstddef>

namespace fastalloc::detail {

/// How many objects of a pool are alive.
class live_counter {
public:
    void add() noexcept { ++count_; }
    void remove() noexcept { --count_; }
    std::size_t count() const noexcept { return count_; }

private:
    std::size_t count_ = 0;
};

/// The same for threads, most of which do not disturb each other: the sum of counts that may each
/// be negative, for an object may go in another thread than it came in.
class striped_live_counter {
public:
    void add() noexcept { mine().fetch_add(1, std::memory_order_relaxed); }
    void remove() noexcept { mine().fetch_sub(1, std::memory_order_relaxed); }

    /// Exact while nobody adds or removes.
    std::size_t count() const noexcept {
        std::size_t sum = 0;
        for (const stripe& s : stripes_) sum += s.count.load(std::memory_order_relaxed);
        return sum;
    }

private:
    struct alignas(cache_line) stripe {
        std::atomic<std::size_t> count{0};  // modulo 2^64
    };

    std::atomic<std::size_t>& mine() noexcept {
        return stripes_[thread_number::mine().value() % stripes_.size()].count;
    }

    std::array<stripe, 16> stripes_;
};

}  // namespace fastalloc::detail
