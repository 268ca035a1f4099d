// SPDX-License-Identifier: MIT
#pragma once

#include "support/shared_upstream.hpp"

#include <atomic>
#include <cstddef>
#include <memory_resource>
#include <semaphore>

namespace fastalloc::testing {

/// A checking upstream in which one thread stops at one of its calls, until it is told to go on: so
/// whatever it was doing above is half done.
class stopping_upstream final : public std::pmr::memory_resource {
public:
    /// Of the request or the return that it stops at: before it is done, or after.
    enum class moment { before, after };

    /// Effects: the calling thread will stop at its call number `n`, counted from 0.
    void stop_me_at(std::size_t n, moment when) {
        calls_left = n + 1;
        when_ = when;
    }

    /// Effects: the calling thread will not stop any more. If it has not, the others are told.
    void no_more_stops() {
        calls_left = 0;
        if (!has_stopped_) is_there_.release();
    }

    /// Effects: waits until a thread has stopped. Returns: false if it never will.
    bool wait_for_stop() {
        is_there_.acquire();
        return has_stopped_;
    }

    void go_on() { may_go_on_.release(); }

    const shared_upstream& checked() const { return checked_; }

private:
    // Effects: stops before and after `call()`, as it was told.
    template <class Call>
    auto stopping(Call call) {
        const bool stops = calls_left != 0 && --calls_left == 0;
        const struct at_end {
            stopping_upstream* upstream;
            bool stops;
            ~at_end() {
                if (stops) upstream->stop();
            }
        } end{this, stops && when_ == moment::after};
        if (stops && when_ == moment::before) stop();
        return call();
    }

    void stop() {
        has_stopped_ = true;
        is_there_.release();
        may_go_on_.acquire();
    }

    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        return stopping([&] { return checked_.allocate(bytes, alignment); });
    }

    void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) override {
        stopping([&] { checked_.deallocate(p, bytes, alignment); });
    }

    bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
        return this == &other;
    }

    static inline thread_local std::size_t calls_left = 0;  // 0: never stops

    shared_upstream checked_;
    moment when_ = moment::before;
    std::atomic<bool> has_stopped_ = false;
    std::binary_semaphore is_there_{0};
    std::binary_semaphore may_go_on_{0};
};

}  // namespace fastalloc::testing
