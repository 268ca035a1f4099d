// SPDX-License-Identifier: MIT
#include <fastalloc/detail/align.hpp>
#include <fastalloc/detail/fork_safe_mutex.hpp>
#include <fastalloc/detail/machine.hpp>

#include <pthread.h>

#include <array>
#include <bit>
#include <cstddef>

namespace fastalloc::detail {

namespace {

struct alignas(cache_line) padded_mutex {
    std::mutex lock;
};

// Who forks holds all of them, and the thread sanitizer knows of 64 that one thread holds.
constexpr std::size_t places = 16;
using mutexes = std::array<padded_mutex, places>;

constinit std::mutex lock_of_thread_ends;
constinit mutexes locks_of_ledgers;
constinit mutexes locks_of_owners;
constinit mutexes locks_of_books;

// A multiplication spreads addresses that differ in few bits over the highest ones.
std::mutex& chosen(mutexes& all, const void* whose) noexcept {
    constexpr int bits = std::countr_zero(places);
    return all[static_cast<std::size_t>((address(whose) * 0x9E3779B97F4A7C15u) >> (64 - bits))]
        .lock;
}

void lock_all() {
    lock_of_thread_ends.lock();
    for (padded_mutex& m : locks_of_ledgers) m.lock.lock();
    for (padded_mutex& m : locks_of_owners) m.lock.lock();
    for (padded_mutex& m : locks_of_books) m.lock.lock();
}

void unlock_all() {
    for (padded_mutex& m : locks_of_books) m.lock.unlock();
    for (padded_mutex& m : locks_of_owners) m.lock.unlock();
    for (padded_mutex& m : locks_of_ledgers) m.lock.unlock();
    lock_of_thread_ends.unlock();
}

// Before any thread can take one, rather than when one is first taken: another may fork meanwhile.
[[gnu::constructor(101)]] void wait_for_locks_at_fork() {
    pthread_atfork(lock_all, unlock_all, unlock_all);
}

}  // namespace

std::mutex& fork_safe_mutex(fork_safe_kind kind, const void* whose) noexcept {
    switch (kind) {
        case fork_safe_kind::thread_ends:
            return lock_of_thread_ends;
        case fork_safe_kind::ledger:
            return chosen(locks_of_ledgers, whose);
        case fork_safe_kind::owner:
            return chosen(locks_of_owners, whose);
        case fork_safe_kind::books:
            return chosen(locks_of_books, whose);
    }
    return lock_of_thread_ends;
}

}  // namespace fastalloc::detail
