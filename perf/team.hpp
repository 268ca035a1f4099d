// SPDX-License-Identifier: MIT
#pragma once

/// Threads, and how they pass blocks to each other.

#include <fastalloc/detail/machine.hpp>

#include <sched.h>
#include <semaphore.h>

#include <algorithm>
#include <array>
#include <barrier>
#include <chrono>
#include <cstddef>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

namespace perf {

using fastalloc::detail::cache_line;

/// The cores that the process may use.
inline const std::vector<int>& cores() {
    static const std::vector<int> result = [] {
        cpu_set_t allowed;
        CPU_ZERO(&allowed);
        sched_getaffinity(0, sizeof(allowed), &allowed);
        std::vector<int> all;
        for (int i = 0; i != CPU_SETSIZE; ++i) {
            if (CPU_ISSET(i, &allowed)) all.push_back(i);
        }
        return all;
    }();
    return result;
}

/// Effects: keeps this thread on one core, the next `i` the next one, round and round.
///
/// A scheduler that moves threads about is noise; one that packs them, as some virtual machines'
/// do, leaves a core idle.
inline void stay_on_core(std::size_t i) {
    if (cores().empty()) return;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cores()[i % cores().size()], &one);
    sched_setaffinity(0, sizeof(one), &one);
}

/// Threads that live as long as a cell, each on one core, and sleep whenever they have nothing to
/// do.
class team {
public:
    explicit team(std::size_t size)
        : together_(static_cast<std::ptrdiff_t>(size) + 1), stopwatches_(size) {
        for (std::size_t i = 0; i != size; ++i) threads_.emplace_back([this, i] { serve(i); });
    }

    team(const team&) = delete;
    team& operator=(const team&) = delete;

    ~team() {
        work_ = nullptr;
        together_.arrive_and_wait();
    }

    std::size_t size() const { return threads_.size(); }

    /// Effects: `work(i)` on each thread i at once. Returns: seconds from when the first of them
    /// began to when the last was done.
    ///
    /// They look at the clock themselves: the caller wakes up late where there are more threads
    /// than cores.
    double run(std::function<void(std::size_t)> work) {
        work_ = std::move(work);
        together_.arrive_and_wait();
        together_.arrive_and_wait();
        const auto start = std::ranges::min(stopwatches_, {}, &stopwatch::start).start;
        const auto end = std::ranges::max(stopwatches_, {}, &stopwatch::end).end;
        return std::chrono::duration<double>(end - start).count();
    }

private:
    struct alignas(cache_line) stopwatch {
        std::chrono::steady_clock::time_point start, end;
    };

    void serve(std::size_t i) {
        stay_on_core(i);
        for (;;) {
            together_.arrive_and_wait();
            if (!work_) return;
            stopwatches_[i].start = std::chrono::steady_clock::now();
            work_(i);
            stopwatches_[i].end = std::chrono::steady_clock::now();
            together_.arrive_and_wait();
        }
    }

    std::barrier<> together_;
    std::function<void(std::size_t)> work_;  // empty: there will be no more
    std::vector<stopwatch> stopwatches_;
    std::vector<std::jthread> threads_;
};

/// Carries pointers from one thread to another, many at a time, so that what is measured is the
/// blocks: a pointer costs its copy and little else.
///
/// Who finds it full or empty sleeps, so that others can use the core. That is a delay of many
/// blocks, and to be put off if there are no others. To yield would be to wait a whole time slice
/// for whoever else is there.
template <class T>
class ring {
public:
    using batch = std::array<T*, 256>;
    static constexpr std::size_t batches = 4;

    /// For one of `threads` threads that are at work.
    explicit ring(std::size_t threads) : attempts_(threads <= cores().size() ? 10'000 : 0) {
        sem_init(&room_, 0, batches);
        sem_init(&filled_, 0, 0);
    }

    ring(const ring&) = delete;
    ring& operator=(const ring&) = delete;

    ~ring() {
        sem_destroy(&room_);
        sem_destroy(&filled_);
    }

    /// Effects: `fill(batch)` when there is room.
    template <class Fill>
    void push(Fill fill) {
        acquire(room_);
        fill(batches_[pushed_++ % batches]);
        sem_post(&filled_);
    }

    /// Effects: `empty(batch)` when there is one.
    template <class Empty>
    void pop(Empty empty) {
        acquire(filled_);
        empty(batches_[popped_++ % batches]);
        sem_post(&room_);
    }

private:
    void acquire(sem_t& semaphore) const {
        for (int i = attempts_; i != 0; --i) {
            if (sem_trywait(&semaphore) == 0) return;
        }
        while (sem_wait(&semaphore) != 0) {
        }
    }

    const int attempts_;
    alignas(cache_line) sem_t room_;
    alignas(cache_line) sem_t filled_;
    alignas(cache_line) std::size_t pushed_ = 0;  // the producer's
    alignas(cache_line) std::size_t popped_ = 0;  // the consumer's
    alignas(cache_line) std::array<batch, batches> batches_;
};

}  // namespace perf
