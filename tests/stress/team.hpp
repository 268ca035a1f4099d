// SPDX-License-Identifier: MIT
#pragma once

#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <latch>
#include <random>
#include <thread>
#include <vector>

namespace fastalloc::testing {

/// Effects: calls `f(i)` in `threads` threads, which begin together and are spread over the processors.
/// Some systems would otherwise run them all on one.
template <class F>
void in_threads(std::size_t threads, F f) {
    std::latch start(static_cast<std::ptrdiff_t>(threads));
    std::vector<std::thread> running;
    const std::size_t processors = std::thread::hardware_concurrency();
    for (std::size_t i = 0; i != threads; ++i) {
        running.emplace_back([&, i] {
            if (processors != 0) {
                cpu_set_t set;
                CPU_ZERO(&set);
                CPU_SET(i % processors, &set);
                pthread_setaffinity_np(pthread_self(), sizeof set, &set);
            }
            start.arrive_and_wait();
            f(i);
        });
    }
    for (std::thread& t : running) t.join();
}

/// A block that knows who wrote it. Every word of it is checked before it is given back.
struct signed_block {
    void* start = nullptr;
    std::size_t bytes = 0;
    std::size_t alignment = 0;
    std::uint64_t signature = 0;
};

/// Allocates, signs and checks blocks of a resource. One for each thread.
template <class Resource>
class worker {
public:
    worker(Resource& resource, std::size_t thread)
        : random(static_cast<unsigned>(thread) + 1), resource_(&resource), thread_(thread) {}

    std::size_t up_to(std::size_t last) {
        return std::uniform_int_distribution<std::size_t>(0, last)(random);
    }

    signed_block allocate(std::size_t bytes, std::size_t alignment) {
        return sign(resource_->allocate(bytes, alignment), bytes, alignment);
    }

    signed_block try_allocate(std::size_t bytes, std::size_t alignment) {
        return sign(resource_->try_allocate(bytes, alignment), bytes, alignment);
    }

    /// Sizes that cost several cache lines are rare, as they are in programs.
    signed_block allocate_any(std::size_t largest) {
        const std::size_t bytes = up_to(7) == 0 ? up_to(largest) : up_to(largest / 8);
        return allocate(bytes, std::size_t{1} << up_to(5));
    }

    /// Returns: whether the block was as it was signed, by whatever thread.
    bool deallocate(const signed_block& b) {
        const bool intact = is_intact(b);
        resource_->deallocate(b.start, b.bytes, b.alignment);
        return intact;
    }

    static bool is_intact(const signed_block& b) {
        const auto* const p = static_cast<const unsigned char*>(b.start);
        if (reinterpret_cast<std::uintptr_t>(p) % b.alignment != 0) return false;
        for (std::size_t i = 0; i != b.bytes; ++i) {
            if (p[i] != byte_of(b, i)) return false;
        }
        return true;
    }

    std::mt19937 random;

private:
    signed_block sign(void* p, std::size_t bytes, std::size_t alignment) {
        const signed_block b{p, bytes, alignment,
                             (thread_ << 40 | ++sequence_) * 0x9E3779B97F4A7C15u};
        if (p == nullptr) return b;
        for (std::size_t i = 0; i != bytes; ++i) static_cast<unsigned char*>(p)[i] = byte_of(b, i);
        return b;
    }

    static unsigned char byte_of(const signed_block& b, std::size_t i) {
        return static_cast<unsigned char>(b.signature >> (i % 8 * 8));
    }

    Resource* resource_;
    std::size_t thread_;
    std::uint64_t sequence_ = 0;
};

}  // namespace fastalloc::testing
