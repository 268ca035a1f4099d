// SPDX-License-Identifier: MIT
// Threads begin and end again and again; destructors of their thread_local objects, and of keys, use
// shared resources and free what other threads allocated. What all that takes does not grow:
// thread_exits [THREADS]
#include "support/counting_upstream.hpp"

#include <fastalloc/fastalloc.hpp>

#include <pthread.h>

#include <array>
#include <barrier>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory_resource>
#include <mutex>
#include <new>
#include <thread>
#include <utility>
#include <vector>

namespace {

struct resources {
    fastalloc::testing::counting_upstream upstream;
    fastalloc::synchronized_pool_resource synchronized{&upstream};
    fastalloc::lock_free_pool_resource lock_free{&upstream};
    fastalloc::thread_local_pool_resource of_threads{&upstream};
};

resources* shared = nullptr;

constexpr std::size_t block_bytes = 72;

// What threads leave, each to the next.
std::mutex lock_of_left;
std::array<void*, 2> left{};

template <class F>
void for_each_resource(F f) {
    f(*static_cast<std::pmr::memory_resource*>(&shared->synchronized));
    f(*static_cast<std::pmr::memory_resource*>(&shared->lock_free));
    f(*static_cast<std::pmr::memory_resource*>(&shared->of_threads));
    f(*fastalloc::default_resource());
}

void allocate_and_free(std::size_t count) {
    for_each_resource([count](std::pmr::memory_resource& r) {
        std::array<void*, 32> held{};
        for (std::size_t i = 0; i != count; ++i) {
            std::memset(held[i] = r.allocate(block_bytes, 8), 1, block_bytes);
        }
        for (std::size_t i = 0; i != count; ++i) r.deallocate(held[i], block_bytes, 8);
    });
}

void leave_one_and_free_the_last() {
    std::array<void*, 2> mine{shared->synchronized.allocate(block_bytes, 8),
                              shared->lock_free.allocate(block_bytes, 8)};
    {
        const std::lock_guard guard(lock_of_left);
        std::swap(mine, left);
    }
    if (mine[0] != nullptr) shared->synchronized.deallocate(mine[0], block_bytes, 8);
    if (mine[1] != nullptr) shared->lock_free.deallocate(mine[1], block_bytes, 8);
}

struct last_words {
    void* blocks[2] = {shared->of_threads.allocate(block_bytes, 8),
                       fastalloc::default_resource()->allocate(block_bytes, 8)};

    last_words() = default;
    last_words(const last_words&) = delete;
    last_words& operator=(const last_words&) = delete;

    ~last_words() {
        allocate_and_free(5);
        leave_one_and_free_the_last();
        shared->of_threads.deallocate(blocks[0], block_bytes, 8);
        fastalloc::default_resource()->deallocate(blocks[1], block_bytes, 8);
    }
};

pthread_key_t key;

// In the round of the destructors of keys that follows those of thread_local objects.
void at_the_end(void*) { allocate_and_free(3); }

void live(std::size_t number) {
    // Before the pools are used, or after: so objects are destroyed after others that used them.
    if (number % 2 == 0) allocate_and_free(20);
    thread_local const last_words words;
    (void)words;
    pthread_setspecific(key, &key);
    if (number % 2 != 0) allocate_and_free(20);
}

constexpr std::size_t at_a_time = 4;

// Effects: so many threads use everything at the same time, and end: there is a row for each.
void run_together() {
    std::barrier all(static_cast<std::ptrdiff_t>(at_a_time));
    std::vector<std::thread> running;
    for (std::size_t n = 0; n != at_a_time; ++n) {
        running.emplace_back([&all, n] {
            live(n);
            all.arrive_and_wait();
        });
    }
    for (std::thread& t : running) t.join();
}

void run_threads(std::size_t count) {
    for (std::size_t i = 0; i < count; i += at_a_time) {
        std::vector<std::thread> running;
        for (std::size_t n = 0; n != at_a_time; ++n) running.emplace_back([=] { live(i + n); });
        for (std::thread& t : running) t.join();
    }
}

}  // namespace

int main(int argc, char** argv) {
    const auto threads = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 4'000ul;
    pthread_key_create(&key, at_the_end);
    shared = new resources;
    for (int i = 0; i != 20; ++i) run_together();
    const std::size_t before = shared->upstream.bytes_out();
    run_threads(threads);
    const std::size_t after = shared->upstream.bytes_out();
    const auto highest = fastalloc::detail::thread_number::highest().value();
    std::printf("%lu threads: %zu bytes before, %zu after, highest number %u\n", threads, before,
                after, highest);
    shared->synchronized.deallocate(left[0], block_bytes, 8);
    shared->lock_free.deallocate(left[1], block_bytes, 8);
    const std::size_t in_use = shared->synchronized.in_use() + shared->lock_free.in_use() +
                               shared->of_threads.in_use_by_all();
    // How many of their magazines grow is chance.
    const bool grows = after > before + before / 4;
    delete shared;
    return grows || highest > 1 || in_use != 0 ? 1 : 0;
}
