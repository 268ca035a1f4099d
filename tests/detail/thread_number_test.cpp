// SPDX-License-Identifier: MIT
#include "support/catch.hpp"

#include <fastalloc/detail/doubling_place.hpp>
#include <fastalloc/detail/thread_exit_hook.hpp>
#include <fastalloc/detail/thread_number.hpp>

#include <pthread.h>

#include <array>
#include <atomic>
#include <barrier>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <set>
#include <thread>
#include <vector>

namespace fastalloc::testing {

namespace {

using detail::doubling_place;
using detail::thread_number;

std::uint32_t number_of_a_new_thread() {
    std::uint32_t number = 0;
    std::thread([&] { number = thread_number::assign().value(); }).join();
    return number;
}

struct counting_hook final : detail::thread_exit_hook {
    std::atomic<int> calls = 0;
    std::uint32_t number = 0;

    detail::bad_free thread_ends() noexcept override {
        ++calls;
        number = thread_number::mine().value();
        return {};
    }
};

}  // namespace

TEST_CASE("a place in a doubling table is found both ways") {
    std::uint32_t expected_segment = 0;
    for (std::uint32_t n = 0; n != 100'000; ++n) {
        const doubling_place<32> place(n);
        if (n != 0 && std::has_single_bit(n + 32)) ++expected_segment;
        REQUIRE(place.segment == expected_segment);
        REQUIRE(place.number() == n);
        REQUIRE(place.offset < doubling_place<32>::size_of(place.segment));
    }
}

TEST_CASE("a thread keeps its number, and nobody has it meanwhile") {
    const std::uint32_t mine = thread_number::assign().value();
    CHECK(mine != 0);
    CHECK(thread_number::assign().value() == mine);
    CHECK(thread_number::mine().value() == mine);
    constexpr std::size_t threads = 200;
    std::barrier all(threads);
    std::vector<std::uint32_t> numbers(threads);
    std::vector<std::uint32_t> before(threads);
    std::vector<std::thread> running;
    for (std::size_t i = 0; i != threads; ++i) {
        running.emplace_back([&, i] {
            before[i] = thread_number::mine().value();
            numbers[i] = thread_number::assign().value();
            all.arrive_and_wait();
            if (thread_number::highest().value() < numbers[i]) numbers[i] = mine;
        });
    }
    for (std::thread& t : running) t.join();
    CHECK(std::set<std::uint32_t>(before.begin(), before.end()) == std::set<std::uint32_t>{0});
    std::set<std::uint32_t> distinct(numbers.begin(), numbers.end());
    CHECK(distinct.size() == threads);
    CHECK(distinct.count(0) == 0);
    CHECK(distinct.count(mine) == 0);
}

TEST_CASE("the next thread has the number of one that ended") {
    const std::uint32_t first = number_of_a_new_thread();
    for (int i = 0; i != 1'000; ++i) REQUIRE(number_of_a_new_thread() == first);
}

TEST_CASE("a claimed number goes to no new thread") {
    CHECK_FALSE(thread_number::assign().try_claim());
    const thread_number ended(number_of_a_new_thread());
    REQUIRE(ended.try_claim());
    CHECK_FALSE(ended.try_claim());
    CHECK(number_of_a_new_thread() != ended.value());
    ended.give_up();
    CHECK(number_of_a_new_thread() == ended.value());
}

TEST_CASE("hooks are called when their thread ends, after its thread_local objects") {
    counting_hook hook;
    counting_hook disarmed;
    counting_hook second;
    static std::atomic<int> calls_in_destructor;
    struct last_words {
        counting_hook* hook;
        ~last_words() { calls_in_destructor = hook->calls.load(); }
    };
    calls_in_destructor = -1;
    std::uint32_t number = 0;
    std::thread([&] {
        number = thread_number::assign().value();
        thread_local last_words words{&hook};
        hook.arm();
        disarmed.arm();
        second.arm();
        disarmed.disarm();
        disarmed.disarm();
    }).join();
    CHECK(hook.calls == 1);
    CHECK(second.calls == 1);
    CHECK(disarmed.calls == 0);
    CHECK(calls_in_destructor == 0);
    CHECK(hook.number == number);
    hook.disarm();
    std::thread([&] {
        thread_number::assign();
        hook.arm();
        pthread_exit(nullptr);
    }).join();
    CHECK(hook.calls == 2);
}

// Before the last round the thread sanitizer has ended the thread, and nothing it instruments may run.
#ifndef __SANITIZE_THREAD__
TEST_CASE("a number can be had in the destructors of keys, in every round") {
    static pthread_key_t key;
    static std::array<std::uint32_t, 4> numbers;  // PTHREAD_DESTRUCTOR_ITERATIONS
    static std::size_t rounds;
    numbers = {};
    rounds = 0;
    REQUIRE(pthread_key_create(&key, [](void* self) {
                numbers[rounds] = thread_number::assign().value();
                if (++rounds != numbers.size()) pthread_setspecific(key, self);
            }) == 0);
    std::thread([&] {
        thread_number::assign();
        pthread_setspecific(key, &key);
    }).join();
    pthread_key_delete(key);
    CHECK(rounds == numbers.size());
    for (const std::uint32_t n : numbers) CHECK(n != 0);
}
#endif

}  // namespace fastalloc::testing
