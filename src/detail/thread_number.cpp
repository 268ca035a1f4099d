// SPDX-License-Identifier: MIT
#include <fastalloc/detail/fork_safe_mutex.hpp>
#include <fastalloc/detail/thread_exit_hook.hpp>
#include <fastalloc/detail/thread_number.hpp>

#include <pthread.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <mutex>
#include <utility>

namespace fastalloc::detail {

constinit thread_local thread_number this_thread_number;

struct thread_exit {
    static void run_hooks(thread_number number) noexcept;
};

namespace {

// One bit a number, set while a thread has it. Whoever clears a bit releases all that was done under
// the number, and whoever sets it acquires that. Nobody's is never cleared.
using word = std::uint64_t;
constinit std::array<std::atomic<word>, thread_number::count / 64> taken{1};

std::atomic<word>& word_of(std::uint32_t number) { return taken[number / 64]; }

constexpr word bit_of(std::uint32_t number) { return word{1} << (number % 64); }

// A failed exchange means that another thread got a number: no thread can keep all others from it.
std::uint32_t take_number() noexcept {
    for (std::uint32_t w = 0; w != taken.size(); ++w) {
        word bits = taken[w].load(std::memory_order_relaxed);
        while (~bits != 0) {
            const auto free = static_cast<std::uint32_t>(std::countr_one(bits));
            if (taken[w].compare_exchange_weak(bits, bits | bit_of(free), std::memory_order_acquire,
                                               std::memory_order_relaxed)) {
                return w * 64 + free;
            }
        }
    }
    return 0;
}

void return_number(std::uint32_t number) noexcept {
    word_of(number).fetch_and(~bit_of(number), std::memory_order_release);
}

// The number goes back when the thread ends, as late as that can be arranged: destructors of
// thread_local objects run before those of keys, and those of keys in rounds. Who allocates after the
// last round gets a number that is never returned, which is the price of a correct answer.
constexpr int last_round = 3;
constinit thread_local int round = 0;

constexpr std::uint64_t no_key = ~std::uint64_t{0};
constinit std::atomic<std::uint64_t> exit_key{no_key};

extern "C" void fastalloc_thread_ends(void* self) {
    if (++round < last_round) {
        const std::uint64_t key = exit_key.load(std::memory_order_acquire);
        if (key != no_key) pthread_setspecific(static_cast<pthread_key_t>(key), self);
        return;
    }
    thread_exit::run_hooks(this_thread_number);
    const thread_number number = std::exchange(this_thread_number, thread_number());
    if (!number.is_nobodys()) return_number(number.value());
}

// Threads that come at the same time make a key each, and keep one. Nobody waits.
bool notice_the_end_of_this_thread() noexcept {
    std::uint64_t key = exit_key.load(std::memory_order_acquire);
    if (key == no_key) {
        pthread_key_t made{};
        if (pthread_key_create(&made, fastalloc_thread_ends) != 0) return false;
        if (exit_key.compare_exchange_strong(key, made)) {
            key = made;
        } else {
            pthread_key_delete(made);
        }
    }
    return pthread_setspecific(static_cast<pthread_key_t>(key), &round) == 0;
}

// Code that is unloaded must not be called any more. Numbers of threads that end later stay taken.
[[gnu::destructor]] void forget_the_ends_of_threads() {
    const std::uint64_t key = exit_key.exchange(no_key);
    if (key != no_key) pthread_key_delete(static_cast<pthread_key_t>(key));
}

// The numbers of threads that stayed in the parent when this process was forked. They are taken, and
// nobody gives them back.
constinit std::array<std::atomic<word>, taken.size()> orphans{};

extern "C" void fastalloc_is_forked() {
    const std::uint32_t mine = this_thread_number.value();
    for (std::uint32_t w = 0; w != taken.size(); ++w) {
        word bits = taken[w].load(std::memory_order_relaxed);
        for (const std::uint32_t other : {std::uint32_t{0}, mine}) {
            if (other / 64 == w) bits &= ~bit_of(other);
        }
        orphans[w].store(bits, std::memory_order_relaxed);
    }
}

[[gnu::constructor(101)]] void notice_forks() {
    pthread_atfork(nullptr, nullptr, fastalloc_is_forked);
}

// The first hook of each thread, by its number: not in memory of the thread, which may be gone before
// the hook is. Hooks are armed, disarmed and run one at a time.
constinit std::array<thread_exit_hook*, thread_number::count> hooks_by_number{};

std::unique_lock<std::mutex> lock_hooks() noexcept {
    return std::unique_lock(fork_safe_mutex(fork_safe_kind::thread_ends, nullptr));
}

}  // namespace

void thread_exit::run_hooks(thread_number number) noexcept {
    bad_free bad;
    {
        const auto guard = lock_hooks();
        thread_exit_hook*& hooks = hooks_by_number[number.value()];
        while (hooks != nullptr) {
            thread_exit_hook* const hook = hooks;
            hooks = hook->next_;
            if (hooks != nullptr) hooks->link_ = &hooks;
            hook->link_ = nullptr;
            bad.add(hook->thread_ends());
        }
    }
    bad.report();
}

void thread_exit_hook::arm() noexcept {
    const auto guard = lock_hooks();
    thread_exit_hook*& hooks = hooks_by_number[thread_number::mine().value()];
    next_ = hooks;
    link_ = &hooks;
    if (next_ != nullptr) next_->link_ = &next_;
    hooks = this;
}

void thread_exit_hook::disarm() noexcept {
    const auto guard = lock_hooks();
    if (link_ == nullptr) return;
    *link_ = next_;
    if (next_ != nullptr) next_->link_ = link_;
    link_ = nullptr;
}

thread_number thread_number::assign() noexcept {
    if (!this_thread_number.is_nobodys()) return this_thread_number;
    if (!notice_the_end_of_this_thread()) return {};
    return this_thread_number = thread_number(take_number());
}

thread_number thread_number::highest() noexcept {
    for (auto w = static_cast<std::uint32_t>(taken.size()); w-- != 0;) {
        const word bits = taken[w].load(std::memory_order_relaxed);
        if (bits != 0)
            return thread_number(w * 64 + static_cast<std::uint32_t>(std::bit_width(bits)) - 1);
    }
    return {};
}

bool thread_number::is_orphan() const noexcept {
    return (orphans[value() / 64].load(std::memory_order_relaxed) & bit_of(value())) != 0;
}

bool thread_number::there_are_orphans() noexcept {
    return std::any_of(orphans.begin(), orphans.end(), [](const std::atomic<word>& bits) {
        return bits.load(std::memory_order_relaxed) != 0;
    });
}

bool thread_number::try_claim() const noexcept {
    const std::uint32_t number = value();
    const word before = word_of(number).fetch_or(bit_of(number), std::memory_order_acquire);
    return (before & bit_of(number)) == 0;
}

void thread_number::give_up() const noexcept { return_number(value()); }

}  // namespace fastalloc::detail
