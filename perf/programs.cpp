// SPDX-License-Identifier: MIT
/// What is left of all this in programs that are about something else: other people's libraries,
/// which take an allocator, at work.

#include "rows.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <random>
#include <string>
#include <utility>
#include <vector>

#ifdef FASTALLOC_PERF_BOOST
#include <boost/container/list.hpp>
#include <boost/container/map.hpp>
#include <boost/container/stable_vector.hpp>
#endif
#if __has_include(<boost/multi_index_container.hpp>)
#define FASTALLOC_PERF_MULTI_INDEX
#include <boost/multi_index/hashed_index.hpp>
#include <boost/multi_index/member.hpp>
#include <boost/multi_index/ordered_index.hpp>
#include <boost/multi_index_container.hpp>
#endif
#ifdef FASTALLOC_PERF_JSON
#include <nlohmann/json.hpp>
#endif
#if __has_include(<ext/mt_allocator.h>)
#define FASTALLOC_PERF_MT_ALLOC
#include <ext/mt_allocator.h>
#endif

namespace perf {

namespace {

#ifdef FASTALLOC_PERF_MULTI_INDEX
struct order {
    std::uint64_t id;
    std::uint32_t customer;
    std::uint32_t price;
    std::uint64_t quantity;
};

namespace mi = boost::multi_index;

/// Orders are found by number, by customer, and by price.
using order_indices =
    mi::indexed_by<mi::hashed_unique<mi::member<order, std::uint64_t, &order::id>>,
                   mi::hashed_non_unique<mi::member<order, std::uint32_t, &order::customer>>,
                   mi::ordered_non_unique<mi::member<order, std::uint32_t, &order::price>>>;

/// A Boost.MultiIndex of 10,000 orders. An operation fills an order, chosen at random, and enters
/// the next; every tenth has its price changed before, and for every hundredth all of a customer's
/// are looked through.
constexpr auto multi_index_orders = [](benchmark::State& state, auto& door) {
    constexpr std::uint32_t count = 10'000;
    const numbers places = shuffled(count);
    const numbers prices = random_below(1'000, count);
    auto allocator = door.template allocator<order>();
    using table = mi::multi_index_container<order, order_indices, decltype(allocator)>;
    table orders(typename table::ctor_args_list(), allocator);
    orders.reserve(count);
    orders.template get<1>().reserve(count);
    std::vector<std::uint64_t> ids(count);
    std::uint64_t next = 0;
    const auto enter = [&](std::uint32_t place) {
        ids[place] = next;
        orders.insert({next, static_cast<std::uint32_t>(next % 500), prices[place], 1});
        ++next;
    };
    for (std::uint32_t i = 0; i != count; ++i) enter(i);
    std::uint64_t quantity = 0;
    const auto round = [&] {
        for (const std::uint32_t place : places) {
            const auto found = orders.find(ids[place]);
            if (place % 10 == 0) orders.modify(found, [](order& o) { o.price ^= 1; });
            if (place % 100 == 0) {
                const auto [first, last] = orders.template get<1>().equal_range(found->customer);
                for (auto i = first; i != last; ++i) quantity += i->quantity;
            }
            orders.erase(found);
            enter(place);
        }
    };
    round();
    for (auto _ : state) round();
    benchmark::DoNotOptimize(quantity);
    count_operations(state, count);
};
#endif

#ifdef FASTALLOC_PERF_BOOST
/// A search index in Boost.Container's map, list and stable_vector: 1,000 documents of 64 words out
/// of 2,000. An operation is one word of a document that is replaced, chosen at random.
constexpr auto container_index = [](benchmark::State& state, auto& door) {
    constexpr std::uint32_t documents = 1'000, words = 2'000, length = 64;
    const numbers text = random_below(words, 4 * documents * length);
    const numbers changed = shuffled(documents);
    auto allocator = door.template allocator<std::uint32_t>();
    using allocator_type = decltype(allocator);
    using entry_allocator =
        typename std::allocator_traits<allocator_type>::template rebind_alloc<std::byte>;
    using postings = boost::container::list<std::uint32_t, allocator_type>;
    using place = std::pair<std::uint32_t, typename postings::iterator>;
    using content = boost::container::stable_vector<
        place, typename std::allocator_traits<entry_allocator>::template rebind_alloc<place>>;
    using entry = std::pair<const std::uint32_t, postings>;
    using index = boost::container::map<
        std::uint32_t, postings, std::less<std::uint32_t>,
        typename std::allocator_traits<entry_allocator>::template rebind_alloc<entry>>;

    index by_word{std::less<std::uint32_t>(), allocator};
    std::vector<content> by_document;
    for (std::uint32_t i = 0; i != documents; ++i) by_document.emplace_back(allocator);
    std::size_t next = 0;
    const auto write = [&](std::uint32_t document) {
        for (std::uint32_t i = 0; i != length; ++i) {
            const std::uint32_t word = text[next++ % text.size()];
            auto found = by_word.lower_bound(word);
            if (found == by_word.end() || found->first != word) {
                found = by_word.emplace_hint(found, word, postings(allocator));
            }
            found->second.push_back(document);
            by_document[document].push_back(place(word, std::prev(found->second.end())));
        }
    };
    const auto erase = [&](std::uint32_t document) {
        for (const place& p : by_document[document]) {
            const auto found = by_word.find(p.first);
            found->second.erase(p.second);
            if (found->second.empty()) by_word.erase(found);
        }
        by_document[document].clear();
    };
    for (std::uint32_t i = 0; i != documents; ++i) write(i);
    const auto round = [&] {
        for (const std::uint32_t document : changed) {
            erase(document);
            write(document);
        }
    };
    round();
    for (auto _ : state) round();
    count_operations(state, std::size_t{documents} * length);
};
#endif

#ifdef FASTALLOC_PERF_JSON
/// nlohmann's JSON, with all its memory from one allocator.
template <class Allocator>
struct json_over {
    template <class T>
    using allocator = typename std::allocator_traits<Allocator>::template rebind_alloc<T>;
    using string = std::basic_string<char, std::char_traits<char>, allocator<char>>;
    using type = nlohmann::basic_json<std::map, std::vector, string, bool, std::int64_t,
                                      std::uint64_t, double, allocator>;
};

/// 100 KB of text: so many records, of ten values each.
std::string json_text(std::uint32_t records) {
    std::mt19937 random;
    const auto number = [&random](std::uint32_t limit) { return std::to_string(random() % limit); };
    std::string text = "[";
    for (std::uint32_t i = 0; i != records; ++i) {
        text += i == 0 ? "" : ",";
        text += "{\"identifier\":" + std::to_string(i) + ",\"description\":\"the record number " +
                number(1'000'000'000) + " of its kind\",\"position\":{\"latitude\":" + number(90) +
                "." + number(1'000) + ",\"longitude\":" + number(180) + "." + number(1'000) +
                "},\"tags\":[\"tag" + number(100) + "\",\"a longer tag with text " + number(100) +
                "\"],\"active\":true}";
    }
    return text + "]";
}

/// A document is parsed, a quarter of its records, chosen at random, gets other tags and another
/// name, a quarter is removed, and all is dropped. An operation is one record.
constexpr auto json_document = [](benchmark::State& state, auto& door) {
    constexpr std::uint32_t records = 600;
    const std::string text = json_text(records);
    const numbers places = shuffled(records);
    using json = typename json_over<decltype(door.template allocator<char>())>::type;
    const auto round = [&] {
        json document = json::parse(text);
        for (std::size_t i = 0; i != records / 4; ++i) {
            json& record = document[places[i]];
            record["tags"].push_back("one more tag, as long as the others");
            record["description"] = "a description that took the place of the one before";
        }
        for (std::size_t i = records / 4; i != records / 2; ++i) document[places[i]] = nullptr;
        benchmark::DoNotOptimize(document.size());
    };
    round();
    for (auto _ : state) round();
    count_operations(state, records);
};

/// A stateless allocator over what has `malloc` and `free`.
template <class Source>
struct malloc_of {
    template <class T>
    struct allocator {
        using value_type = T;

        allocator() = default;

        template <class U>
        allocator(const allocator<U>&) noexcept {}

        T* allocate(std::size_t n) {
            static_assert(alignof(T) <= alignof(std::max_align_t));
            void* const p = Source::malloc(n * sizeof(T));
            if (p == nullptr) [[unlikely]]
                throw std::bad_alloc();
            return static_cast<T*>(p);
        }

        void deallocate(T* p, std::size_t) noexcept { Source::free(p); }

        friend bool operator==(const allocator&, const allocator&) { return true; }
    };
};

struct process_source {
    static void* malloc(std::size_t bytes) { return std::malloc(bytes); }
    static void free(void* p) { std::free(p); }
};

template <const malloc_library& Library>
struct library_source {
    static void* malloc(std::size_t bytes) { return Library.allocate(bytes); }
    static void free(void* p) { Library.free(p); }
};

/// By way of an allocator that is the same in the whole process, and whose memory comes from where
/// that of a resource does.
template <label Name, template <class> class Allocator, class Resource = void>
struct process_wide : through_process<Name, Allocator> {
    using resource_type = Resource;
};

template <class T>
using mimalloc_allocator =
    malloc_of<library_source<malloc_library::mimalloc>>::template allocator<T>;
template <class T>
using tbb_allocator = malloc_of<library_source<malloc_library::tbb>>::template allocator<T>;
#ifdef FASTALLOC_PERF_MT_ALLOC
template <class T>
using mt_allocator = __gnu_cxx::__mt_alloc<T>;
#endif

using process_wide_contenders =
    contender_list<process_wide<"new_delete", std::allocator, new_delete>,
                   process_wide<"malloc", malloc_of<process_source>::allocator, process_malloc>,
#ifdef FASTALLOC_PERF_MT_ALLOC
                   process_wide<"libstdc++_mt_alloc", mt_allocator>,
#endif
                   process_wide<"mimalloc", mimalloc_allocator, mimalloc>,
                   process_wide<"tbb", tbb_allocator, tbb_malloc>,
                   process_wide<"fastalloc_allocator", fastalloc::allocator>>;
#endif

}  // namespace

void add_rows() {
#ifdef FASTALLOC_PERF_MULTI_INDEX
    add_row("multi_index_orders", multi_index_orders, contenders{});
#endif
#ifdef FASTALLOC_PERF_BOOST
    add_row("container_index", container_index, contenders{});
#endif
#ifdef FASTALLOC_PERF_JSON
    add_row("json_document", json_document, process_wide_contenders{});
#endif
}

}  // namespace perf
