// SPDX-License-Identifier: MIT
#include "support/blocks.hpp"
#include "support/catch.hpp"
#include "support/counting_new.hpp"
#include "support/in_a_child.hpp"

#include <fastalloc/fastalloc.hpp>

#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <memory_resource>
#include <new>
#include <string>
#include <thread>
#include <type_traits>
#include <unordered_map>
#include <vector>

namespace fastalloc::testing {

namespace {

using string = std::basic_string<char, std::char_traits<char>, allocator<char>>;
using map = std::map<int, string, std::less<int>, allocator<std::pair<const int, string>>>;

using traits = std::allocator_traits<allocator<int>>;
static_assert(std::is_same_v<traits::value_type, int>);
static_assert(std::is_same_v<traits::pointer, int*>);
static_assert(traits::is_always_equal::value);
static_assert(traits::propagate_on_container_move_assignment::value);
static_assert(std::is_same_v<traits::rebind_alloc<char>, allocator<char>>);
static_assert(std::is_empty_v<allocator<int>>);
static_assert(std::is_nothrow_default_constructible_v<allocator<int>>);
static_assert(std::is_trivially_copyable_v<allocator<int>>);
static_assert(allocator<int>() == allocator<char>());
static_assert(std::is_nothrow_move_assignable_v<std::vector<int, allocator<int>>>);

// While constants are evaluated it is std::allocator.
constexpr int sum_of_squares(int n) {
    allocator<int> a;
    int* const squares = a.allocate(static_cast<std::size_t>(n));
    int sum = 0;
    for (int i = 0; i != n; ++i) std::construct_at(squares + i, i * i);
    for (int i = 0; i != n; ++i) sum += squares[i];
    a.deallocate(squares, static_cast<std::size_t>(n));
    return sum;
}
static_assert(sum_of_squares(4) == 14);

auto& process_pool() { return static_cast<lock_free_pool_resource&>(*default_resource()); }

const string long_text(100, 'x');

/// In use from before main to after it, by a thread_local and a static object.
struct registry {
    registry() {
        for (int i = 0; i != 500; ++i) entries.emplace(i, long_text);
    }

    ~registry() {
        entries.erase(entries.begin(), entries.find(250));
        entries.emplace(-1, long_text);
        if (entries.size() != 251) std::abort();
    }

    map entries;
};

const registry made_before_main;

}  // namespace

TEST_CASE("allocator draws on default_resource") {
    const std::size_t in_use = process_pool().in_use();
    {
        std::list<int, allocator<int>> numbers{1, 2, 3};
        CHECK(process_pool().in_use() == in_use + 3);
        CHECK(process_pool().owns(&numbers.front()));
        std::pmr::list<int> by_pointer({1, 2}, default_resource());
        CHECK(process_pool().in_use() == in_use + 5);
    }
    CHECK(process_pool().in_use() == in_use);
    CHECK(default_resource()->is_equal(*default_resource()));
}

TEST_CASE("allocator asks operator new for nothing") {
    const std::size_t calls = operator_new_calls();
    map m;
    for (int i = 0; i != 2'000; ++i) m[i] = string(static_cast<std::size_t>(i), 'y');
    std::vector<std::array<char, 1'000>, allocator<std::array<char, 1'000>>> large(1'000);
    CHECK(operator_new_calls() == calls);
}

TEST_CASE("allocator serves every size and alignment") {
    struct alignas(256) wide {
        std::array<char, 256> bytes;
    };
    std::vector<wide, allocator<wide>> few(3);
    std::vector<wide, allocator<wide>> many(1'000);
    CHECK(is_aligned(few.data(), 256));
    CHECK(is_aligned(many.data(), 256));
    allocator<std::size_t> a;
    CHECK_THROWS_AS(a.allocate(std::numeric_limits<std::size_t>::max() / 4),
                    std::bad_array_new_length);
    // That many bytes can be represented.
    try {
        static_cast<void>(a.allocate(std::numeric_limits<std::size_t>::max() / 8));
        FAIL("nobody has that many");
    } catch (const std::bad_array_new_length&) {
        FAIL("refused for its number");
    } catch (const std::bad_alloc&) {
        SUCCEED();
    }
    CHECK_THROWS_AS(default_resource()->allocate(std::numeric_limits<std::size_t>::max() - 9, 64),
                    std::bad_alloc);
    a.deallocate(a.allocate(0), 0);
}

TEST_CASE("containers work over allocator in any thread") {
    std::vector<std::thread> threads;
    std::array<map, 4> maps;
    for (map& m : maps) {
        threads.emplace_back([&m] {
            thread_local registry of_thread;
            for (int i = 0; i != 1'000; ++i) m.emplace(i, long_text);
            of_thread.entries.erase(7);
            of_thread.entries.emplace(7, long_text);
        });
    }
    for (std::thread& t : threads) t.join();
    std::unordered_map<std::size_t, int, std::hash<std::size_t>, std::equal_to<std::size_t>,
                       allocator<std::pair<const std::size_t, int>>>
        lengths;
    for (map& m : maps) {
        for (const auto& [key, text] : m) ++lengths[text.size()];
        map taken = std::move(m);
        CHECK(taken.size() == 1'000);
    }
    CHECK(lengths[long_text.size()] == 4'000);
}

TEST_CASE("the default resource can be the program's") {
    std::pmr::memory_resource* const before = std::pmr::set_default_resource(default_resource());
    {
        std::pmr::vector<std::pmr::string> texts;
        for (int i = 0; i != 100; ++i) texts.emplace_back(100, 'z');
        CHECK(process_pool().owns(texts.front().data()));
    }
    std::pmr::set_default_resource(before);
}

TEST_CASE("a child of fork goes on with the process pool") {
    map m;
    for (int i = 0; i != 100; ++i) m.emplace(i, long_text);
    const ending ended = in_a_child([&] {
        m.clear();
        for (int i = 0; i != 1'000; ++i) m.emplace(i, long_text);
        bool found = false;
        std::thread([&] { found = m.count(7) == 1 && !map(m).empty(); }).join();
        if (!found) _exit(1);
    });
    CHECK(ended.exit_status == 0);
    CHECK(made_before_main.entries.size() == 500);
}

}  // namespace fastalloc::testing
