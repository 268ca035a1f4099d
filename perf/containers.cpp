// SPDX-License-Identifier: MIT
/// What a container costs that gets its memory here, its own work included.

#include "rows.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace perf {

namespace {

using key = std::uint64_t;
using entry = std::pair<const key, std::uint64_t>;

/// A queue of `length` elements. An operation is one push and one pop.
auto list_fifo(std::size_t length) {
    return [length](benchmark::State& state, auto& door) {
        auto allocator = door.template allocator<std::uint64_t>();
        std::list<std::uint64_t, decltype(allocator)> list(length, 0, allocator);
        for (auto _ : state) {
            list.pop_front();
            list.push_back(1);
        }
        count_operations(state, 1);
    };
}

// The two trees: a map and a set of random keys.

struct map {
    template <class Door>
    static auto make(Door& door) {
        auto allocator = door.template allocator<entry>();
        return std::map<key, std::uint64_t, std::less<key>, decltype(allocator)>(allocator);
    }

    static void insert(auto& tree, key k) { tree.emplace(k, k); }
    static key key_of(const entry& e) { return e.first; }
};

struct set {
    template <class Door>
    static auto make(Door& door) {
        auto allocator = door.template allocator<key>();
        return std::set<key, std::less<key>, decltype(allocator)>(allocator);
    }

    static void insert(auto& tree, key k) { tree.insert(k); }
    static key key_of(key k) { return k; }
};

/// Effects: fills the tree with the first half of the keys.
template <class Tree>
void fill(auto& tree, const numbers& keys) {
    for (std::size_t i = 0; i != keys.size() / 2; ++i) Tree::insert(tree, keys[i]);
}

/// Effects: replaces the oldest keys by others, `run` at a time, until each of the keys has left and
/// come back once; then the tree holds what it held.
template <class Tree>
void turn_over(auto& tree, const numbers& keys, std::size_t run) {
    for (std::size_t start = 0; start != keys.size(); start += run) {
        const std::size_t next = (start + keys.size() / 2) % keys.size();
        for (std::size_t i = 0; i != run; ++i) tree.erase(keys[start + i]);
        for (std::size_t i = 0; i != run; ++i) Tree::insert(tree, keys[next + i]);
    }
}

/// A tree of `size` keys, `run` of which are replaced at a time. An operation erases one key and
/// inserts another.
template <class Tree>
auto churn(std::uint32_t size, std::uint32_t run) {
    const numbers keys = shuffled(2 * size);
    return [=](benchmark::State& state, auto& door) {
        auto tree = Tree::make(door);
        fill<Tree>(tree, keys);
        turn_over<Tree>(tree, keys, run);
        for (auto _ : state) turn_over<Tree>(tree, keys, run);
        count_operations(state, keys.size());
    };
}

/// A walk through such a tree in the order of its keys, after each has been replaced. An operation
/// is one key reached.
template <class Tree>
auto walk(std::uint32_t size) {
    const numbers keys = shuffled(2 * size);
    return [=](benchmark::State& state, auto& door) {
        auto tree = Tree::make(door);
        fill<Tree>(tree, keys);
        turn_over<Tree>(tree, keys, 1);
        for (auto _ : state) {
            key sum = 0;
            for (const auto& element : tree) sum += Tree::key_of(element);
            benchmark::DoNotOptimize(sum);
        }
        count_operations(state, size);
    };
}

/// The same for a list, half of whose elements have been replaced at random before.
auto list_walk(std::uint32_t size) {
    const numbers order = shuffled(size);
    return [=](benchmark::State& state, auto& door) {
        auto allocator = door.template allocator<std::uint64_t>();
        std::list<std::uint64_t, decltype(allocator)> list(allocator);
        std::vector<typename decltype(list)::iterator> places;
        for (std::uint32_t i = 0; i != size; ++i) places.push_back(list.insert(list.end(), i));
        for (std::uint32_t i = 0; i != size / 2; ++i) list.erase(places[order[i]]);
        for (std::uint32_t i = 0; i != size / 2; ++i) list.push_back(i);
        for (auto _ : state) {
            std::uint64_t sum = 0;
            for (const std::uint64_t element : list) sum += element;
            benchmark::DoNotOptimize(sum);
        }
        count_operations(state, size);
    };
}

template <class Door>
auto make_table(Door& door) {
    auto allocator = door.template allocator<entry>();
    return std::unordered_map<key, std::uint64_t, std::hash<key>, std::equal_to<key>,
                              decltype(allocator)>(allocator);
}

/// Fills a hash table that was not told how many will come, and destroys it. An operation is one
/// element.
auto unordered_map_build(std::uint32_t size) {
    const numbers keys = shuffled(size);
    return [keys](benchmark::State& state, auto& door) {
        measure_rounds(state, door, keys.size(), [&] {
            auto table = make_table(door);
            for (const key k : keys) table.emplace(k, k);
            benchmark::DoNotOptimize(table.size());
        });
    };
}

/// Fills a hash table, erases all in another order, fills it again and destroys it. An operation is
/// one element, in and out.
auto unordered_map_rebuild(std::uint32_t size) {
    const numbers keys = shuffled(size);
    return [=](benchmark::State& state, auto& door) {
        measure_rounds(state, door, 2 * keys.size(), [&] {
            auto table = make_table(door);
            for (const key k : keys) table.emplace(k, k);
            for (key k = 0; k != size; ++k) table.erase(k);
            for (const key k : keys) table.emplace(k, k);
            benchmark::DoNotOptimize(table.size());
        });
    };
}

/// A queue into which 1,000 elements of 64 bytes come at once, and out of which they go one by one;
/// ten times, then it is destroyed. An operation is one element, in and out.
constexpr auto deque_bursts = [](benchmark::State& state, auto& door) {
    constexpr std::size_t bursts = 10;
    constexpr std::size_t size = 1'000;
    measure_rounds(state, door, bursts * size, [&] {
        auto allocator = door.template allocator<item>();
        std::deque<item, decltype(allocator)> deque(allocator);
        for (std::size_t burst = 0; burst != bursts; ++burst) {
            for (std::size_t i = 0; i != size; ++i) deque.push_back({{i}});
            while (!deque.empty()) {
                benchmark::DoNotOptimize(deque.front().words[0]);
                deque.pop_front();
            }
        }
    });
};

/// Strings of 16 to 512 characters. An operation replaces one of them, chosen at random.
auto strings_mixed(std::uint32_t count) {
    constexpr std::size_t steps = 8'192;
    const numbers lengths = random_sizes(16, 512, steps);
    const numbers places = random_below(count, steps);
    return [=](benchmark::State& state, auto& door) {
        const std::string text(512, 'x');
        auto allocator = door.template allocator<char>();
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

/// A hundred vectors that were not told how many elements will come, and take turns to get 1,000
/// each, of 8 bytes; then they are destroyed. An operation is one element.
constexpr auto vector_growth = [](benchmark::State& state, auto& door) {
    constexpr std::size_t count = 100;
    constexpr std::size_t size = 1'000;
    auto allocator = door.template allocator<std::uint64_t>();
    using vector = std::vector<std::uint64_t, decltype(allocator)>;
    measure_rounds(state, door, count * size, [&] {
        std::vector<vector> vectors(count, vector(allocator));
        for (std::size_t i = 0; i != size; ++i) {
            for (vector& v : vectors) v.push_back(i);
        }
        benchmark::ClobberMemory();
    });
};

template <class Tree>
void add_tree_rows(const std::string& name) {
    for (const std::uint32_t n : {1'000u, 100'000u}) {
        const std::string size = std::to_string(n);
        add_row(name + "_churn_" + size, churn<Tree>(n, 1), contenders{});
        add_row(name + "_walk_" + size, walk<Tree>(n), with_monotonic{}, contenders{});
    }
}

}  // namespace

void add_rows() {
    for (const std::uint32_t n : {1'000u, 100'000u}) {
        const std::string size = std::to_string(n);
        add_row("list_fifo_" + size, list_fifo(n), contenders{});
        add_row("list_walk_" + size, list_walk(n), with_monotonic{}, contenders{});
    }
    add_tree_rows<map>("map");
    add_row("map_turnover_100000", churn<map>(100'000, 50'000), contenders{});
    add_tree_rows<set>("set");
    add_row("unordered_map_build", unordered_map_build(10'000), with_monotonic{}, contenders{});
    add_row("unordered_map_rebuild", unordered_map_rebuild(10'000), with_monotonic{}, contenders{});
    add_row("deque_bursts", deque_bursts, with_monotonic{}, contenders{});
    add_row("strings_mixed", strings_mixed(1'000), contenders{});
    add_row("vector_growth", vector_growth, with_monotonic{}, contenders{});
}

}  // namespace perf
