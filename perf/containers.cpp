// SPDX-License-Identifier: MIT
/// What a container costs that gets its memory here, its own work included.

#include "rows.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

namespace perf {

namespace {

using key = std::uint64_t;
using entry = std::pair<const key, std::uint64_t>;

/// A queue of `length` elements. An operation is one push and one pop.
auto list_fifo(std::size_t length) {
    return [length](benchmark::State& state, auto& contender) {
        auto allocator = contender.template allocator<std::uint64_t>();
        std::list<std::uint64_t, decltype(allocator)> list(length, 0, allocator);
        for (auto _ : state) {
            list.pop_front();
            list.push_back(1);
        }
        count_operations(state, 1);
    };
}

/// A map of `size` random keys, the oldest of which are replaced by others, `run` at a time. An
/// operation erases one key and inserts another.
auto map_churn(std::uint32_t size, std::uint32_t run) {
    const numbers keys = shuffled(2 * size);
    return [=](benchmark::State& state, auto& contender) {
        auto allocator = contender.template allocator<entry>();
        std::map<key, std::uint64_t, std::less<key>, decltype(allocator)> map(allocator);
        // Each of the keys leaves and comes back once; then the map is as it was.
        const auto round = [&] {
            for (std::size_t start = 0; start != keys.size(); start += run) {
                const std::size_t next = (start + size) % keys.size();
                for (std::size_t i = 0; i != run; ++i) map.erase(keys[start + i]);
                for (std::size_t i = 0; i != run; ++i) map.emplace(keys[next + i], i);
            }
        };
        for (std::size_t i = 0; i != size; ++i) map.emplace(keys[i], i);
        round();
        for (auto _ : state) round();
        count_operations(state, keys.size());
    };
}

/// Fills a hash table that was not told how many will come, and destroys it. An operation is one
/// element.
auto unordered_map_build(std::uint32_t size) {
    const numbers keys = shuffled(size);
    return [keys](benchmark::State& state, auto& contender) {
        auto allocator = contender.template allocator<entry>();
        using map = std::unordered_map<key, std::uint64_t, std::hash<key>, std::equal_to<key>,
                                       decltype(allocator)>;
        const auto round = [&] {
            map m(allocator);
            for (const key k : keys) m.emplace(k, k);
            benchmark::DoNotOptimize(m.size());
        };
        round();
        for (auto _ : state) round();
        count_operations(state, keys.size());
    };
}

/// Strings of 16 to 512 characters. An operation replaces one of them, chosen at random.
auto strings_mixed(std::uint32_t count) {
    constexpr std::size_t steps = 8'192;
    const numbers lengths = random_sizes(16, 512, steps);
    const numbers places = random_below(count, steps);
    return [=](benchmark::State& state, auto& contender) {
        const std::string text(512, 'x');
        auto allocator = contender.template allocator<char>();
        using string = std::basic_string<char, std::char_traits<char>, decltype(allocator)>;
        std::vector<string> strings(count, string(allocator));
        const auto round = [&] {
            for (std::size_t i = 0; i != steps; ++i) {
                strings[places[i]] = string(text.data(), lengths[i], allocator);
            }
        };
        round();
        for (auto _ : state) round();
        count_operations(state, steps);
    };
}

/// A resource that is made for one request: 300 blocks of 8 to 2,048 bytes, at most 100 at a time,
/// each freed before the resource is destroyed. An operation is one block, with its share of
/// making and destroying the resource.
constexpr auto request = [](benchmark::State& state, auto& contender) {
    constexpr std::uint32_t most = 100;
    constexpr std::size_t steps = 300;
    const numbers words = random_sizes(1, 256, steps);
    const numbers places = random_below(most, steps);
    struct piece {
        std::uint64_t* start = nullptr;
        std::size_t words = 0;
    };
    for (auto _ : state) {
        std::remove_reference_t<decltype(contender)> fresh;
        auto allocator = fresh.template allocator<std::uint64_t>();
        piece pieces[most];
        const auto drop = [&](piece& p) {
            if (p.start != nullptr) give(allocator, p.start, p.words);
        };
        for (std::size_t i = 0; i != steps; ++i) {
            piece& p = pieces[places[i]];
            drop(p);
            p = {take(allocator, words[i]), words[i]};
        }
        for (piece& p : pieces) drop(p);
    }
    count_operations(state, steps);
};

}  // namespace

void add_rows() {
    add_row("list_fifo", list_fifo(1'000), contenders{});
    add_row("map_churn_1000", map_churn(1'000, 1), contenders{});
    add_row("map_churn_100000", map_churn(100'000, 1), contenders{});
    add_row("map_turnover_100000", map_churn(100'000, 50'000), contenders{});
    add_row("unordered_map_build", unordered_map_build(10'000), contenders{});
    add_row("strings_mixed", strings_mixed(1'000), contenders{});
    add_row("request", request, contenders{});
}

}  // namespace perf
