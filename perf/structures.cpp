// SPDX-License-Identifier: MIT
/// What a data structure costs that is made of several containers, from its making to its
/// destruction.

#include "rows.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

namespace perf {

namespace {

/// A part of a document: attributes by name, text, and further parts.
template <class Allocator>
struct element {
    template <class T>
    using rebound = typename std::allocator_traits<Allocator>::template rebind_alloc<T>;
    using string = std::basic_string<char, std::char_traits<char>, rebound<char>>;
    using attribute = std::pair<const string, string>;

    explicit element(const Allocator& allocator)
        : text(allocator), attributes(allocator), parts(allocator) {}

    string text;
    std::map<string, string, std::less<string>, rebound<attribute>> attributes;
    std::vector<element, rebound<element>> parts;
};

/// A tree four levels high, each part of which has eight more, up to 400 characters of text, and
/// two attributes of 1 to 64 characters; it is built from the top, and dropped. An operation is one
/// part.
constexpr auto document = [](benchmark::State& state, auto& door) {
    constexpr std::size_t fan_out = 8;
    constexpr std::size_t count = 1 + fan_out * (1 + fan_out * (1 + fan_out));
    constexpr std::size_t attributes = 2;
    const numbers texts = random_sizes(1, 400, count);
    const numbers values = random_sizes(1, 64, count * attributes);
    const std::string characters(400, 'x');
    const char* const names[attributes] = {"identifier", "the name that it is shown by"};

    const auto allocator = door.template allocator<char>();
    using part = element<std::remove_const_t<decltype(allocator)>>;
    using string = typename part::string;
    measure_rounds(state, door, count, [&] {
        std::size_t built = 0;
        const auto build = [&](auto& self, part& p, int levels) -> void {
            p.text.assign(characters.data(), texts[built]);
            for (std::size_t i = 0; i != attributes; ++i) {
                p.attributes.emplace(
                    string(names[i], allocator),
                    string(characters.data(), values[built * attributes + i], allocator));
            }
            ++built;
            if (levels == 0) return;
            for (std::size_t i = 0; i != fan_out; ++i) {
                self(self, p.parts.emplace_back(allocator), levels - 1);
            }
        };
        part top(allocator);
        build(build, top, 3);
        benchmark::DoNotOptimize(built);
    });
};

/// A cache of at most 1,000 entries of 64 bytes, by number, in a list in the order of their last
/// use, and a hash table of places in it. It is asked for 20,000 numbers of 1 to 100,000, a small
/// one likelier than a large one by their ratio, and then destroyed. An operation is one number: in
/// about a third of the cases an entry has to make room for another.
constexpr auto lru_cache = [](benchmark::State& state, auto& door) {
    constexpr std::size_t capacity = 1'000;
    const numbers asked = random_sizes(1, 100'000, 20'000);
    using door_type = std::remove_reference_t<decltype(door)>;
    using list = std::list<item, allocator_of<door_type, item>>;
    using place = typename list::iterator;
    using entry = std::pair<const std::uint64_t, place>;
    using table = std::unordered_map<std::uint64_t, place, std::hash<std::uint64_t>,
                                     std::equal_to<std::uint64_t>, allocator_of<door_type, entry>>;
    measure_rounds(state, door, asked.size(), [&] {
        list recent(door.template allocator<item>());
        table places(door.template allocator<entry>());
        for (const std::uint64_t n : asked) {
            if (const auto found = places.find(n); found != places.end()) {
                recent.splice(recent.begin(), recent, found->second);
                continue;
            }
            if (recent.size() == capacity) {
                places.erase(recent.back().words[0]);
                recent.pop_back();
            }
            recent.push_front({{n}});
            places.emplace(n, recent.begin());
        }
        benchmark::DoNotOptimize(recent.size());
    });
};

/// The orders of buyers by price, and at each price in the order in which they came. There are at
/// most 2,000, each in a place of its own. A step takes any place: the order that is there is
/// cancelled, and another comes. After every fourth step the first order of the highest price is
/// matched, and goes. The book begins empty and is destroyed in the end. An operation is one step.
constexpr auto order_book = [](benchmark::State& state, auto& door) {
    constexpr std::uint32_t most = 2'000;
    constexpr std::size_t steps = 20'000;
    const numbers places = random_below(most, steps);
    const numbers prices = random_below(200, steps, 1);
    struct order {
        std::uint32_t place;
        std::uint32_t price;
        std::uint64_t amount;
    };
    using door_type = std::remove_reference_t<decltype(door)>;
    using queue = std::list<order, allocator_of<door_type, order>>;
    using level = std::pair<const std::uint32_t, queue>;
    using book =
        std::map<std::uint32_t, queue, std::greater<std::uint32_t>, allocator_of<door_type, level>>;
    struct whereabouts {
        typename book::iterator level;
        typename queue::iterator order;
    };
    measure_rounds(state, door, steps, [&] {
        book levels(door.template allocator<level>());
        std::vector<std::optional<whereabouts>> orders(most);
        const auto remove = [&](std::optional<whereabouts>& order) {
            queue& others = order->level->second;
            others.erase(order->order);
            if (others.empty()) levels.erase(order->level);
            order.reset();
        };
        for (std::size_t i = 0; i != steps; ++i) {
            auto& order = orders[places[i]];
            if (order) remove(order);
            auto found = levels.lower_bound(prices[i]);
            if (found == levels.end() || found->first != prices[i]) {
                found = levels.emplace_hint(
                    found, prices[i], queue(door.template allocator<typename queue::value_type>()));
            }
            found->second.push_back({places[i], prices[i], i});
            order = {found, std::prev(found->second.end())};
            if (i % 4 == 3) remove(orders[levels.begin()->second.front().place]);
        }
        benchmark::DoNotOptimize(levels.size());
    });
};

}  // namespace

void add_rows() {
    add_row("document", document, with_monotonic{}, contenders{});
    add_row("lru_cache", lru_cache, with_monotonic{}, contenders{});
    add_row("order_book", order_book, with_monotonic{}, contenders{});
}

}  // namespace perf
