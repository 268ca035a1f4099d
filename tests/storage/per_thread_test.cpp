// SPDX-License-Identifier: MIT
#include "support/catch.hpp"
#include "support/checking_resource.hpp"

#include <fastalloc/detail/thread_number.hpp>
#include <fastalloc/storage/per_thread.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <latch>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

namespace fastalloc::detail {

namespace {

using testing::checking_resource;

/// Calls `f` in as many threads, when all of them run and have a number.
template <class F>
void in_threads_at_once(std::size_t threads, F f) {
    std::latch all_run(static_cast<std::ptrdiff_t>(threads));
    std::latch all_are_done(static_cast<std::ptrdiff_t>(threads));
    std::vector<std::jthread> running;
    for (std::size_t i = 0; i != threads; ++i) {
        running.emplace_back([&] {
            thread_number::assign();
            all_run.arrive_and_wait();
            f();
            all_are_done.arrive_and_wait();
        });
    }
}

}  // namespace

TEST_CASE("there is room for all threads at once, or for one after the other") {
    const bool at_once = GENERATE(true, false);
    checking_resource memory;
    per_thread<std::uint32_t> values;
    std::vector<std::uint32_t> own(thread_number::count);
    std::atomic<std::size_t> wrong = 0;
    std::mutex upstream;
    // Three segments of numbers are in use.
    in_threads_at_once(200, [&] {
        const thread_number mine = thread_number::mine();
        {
            const std::scoped_lock lock(upstream);
            wrong += at_once ? !values.try_reserve_all(memory) : !values.try_reserve(mine, memory);
            for (std::uint32_t n = 0; at_once && n <= thread_number::highest().value(); ++n) {
                wrong += !values.has_room_for(thread_number(n));
            }
        }
        wrong += !values.has_room_for(mine) || values.mine() != nullptr;
        own[mine.value()] = mine.value();
        values.set_mine(&own[mine.value()]);
        wrong += values.mine() != &own[mine.value()];
    });
    std::set<std::uint32_t> seen;
    values.for_each([&](thread_number n, std::uint32_t value) {
        wrong += value != n.value();
        seen.insert(value);
    });
    CHECK(wrong == 0);
    CHECK(seen.size() == 200);
    values.release(memory);
    CHECK(memory.blocks_out() == 0);
    CHECK(memory.errors().empty());
}

TEST_CASE("room that upstream refuses is asked for again") {
    checking_resource memory;
    per_thread<int> values;
    const thread_number late(1'000);
    memory.fail_after(0);
    CHECK_FALSE(values.try_reserve(late, memory));
    CHECK_FALSE(values.has_room_for(late));
    memory.never_fail();
    CHECK(values.try_reserve(late, memory));
    CHECK(values.has_room_for(late));
    CHECK(memory.blocks_out() == 1);
    CHECK(values.try_reserve(late, memory));
    CHECK(memory.blocks_out() == 1);
    values.release(memory);
    CHECK_FALSE(values.has_room_for(late));
    CHECK(memory.blocks_out() == 0);
}

}  // namespace fastalloc::detail
