// SPDX-License-Identifier: MIT
#pragma once

// Standard containers over a resource, by both doors: std::pmr containers, and containers that name
// resource_allocator. Both run the same code, with A<T> as the allocator of T.

#include "support/catch.hpp"
#include "support/checking_resource.hpp"

#include <fastalloc/fastalloc.hpp>

#include <algorithm>
#include <deque>
#include <forward_list>
#include <list>
#include <map>
#include <memory_resource>
#include <numeric>
#include <scoped_allocator>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace fastalloc::testing {

template <template <class> class A, class Source>
void sequences_work(Source source) {
    std::vector<int, A<int>> vector(source);
    std::deque<int, A<int>> deque(source);
    std::list<int, A<int>> list(source);
    std::forward_list<int, A<int>> forward_list(source);
    std::basic_string<char, std::char_traits<char>, A<char>> string(source);
    for (int i = 0; i != 1'000; ++i) {
        vector.push_back(i);
        deque.push_back(i);
        list.push_back(i);
        forward_list.push_front(i);
        string += "ab";
    }
    CHECK(std::accumulate(vector.begin(), vector.end(), 0) == 499'500);
    CHECK(std::equal(vector.begin(), vector.end(), deque.begin(), deque.end()));
    CHECK(std::equal(vector.begin(), vector.end(), list.begin(), list.end()));
    CHECK(std::equal(vector.rbegin(), vector.rend(), forward_list.begin(), forward_list.end()));
    CHECK(string.size() == 2'000);
    list.remove_if([](int i) { return i % 3 == 0; });
    deque.erase(deque.begin() + 100, deque.end() - 100);
    std::list<int, A<int>> copy(list, list.get_allocator());
    auto moved = std::move(list);
    CHECK(copy == moved);
    copy.swap(moved);
    CHECK(copy == moved);
}

template <template <class> class A, class Source>
void associative_containers_work(Source source) {
    using value = std::pair<const int, int>;
    std::map<int, int, std::less<>, A<value>> map(source);
    std::multiset<int, std::less<>, A<int>> multiset(source);
    std::unordered_map<int, int, std::hash<int>, std::equal_to<>, A<value>> hashed(source);
    for (int i = 0; i != 900; ++i) {
        map[i * 37 % 1'009] = i;
        multiset.insert(i % 100);
        hashed[i * 41] = i;
    }
    CHECK(map.size() == 900);
    CHECK(multiset.count(7) == 9);
    CHECK(hashed.at(41 * 411) == 411);
    for (int i = 0; i != 900; i += 2) {
        map.erase(i * 37 % 1'009);
        hashed.erase(i * 41);
    }
    CHECK(map.size() == 450);
    CHECK(hashed.size() == 450);
    hashed.rehash(4'000);
    CHECK(hashed.at(41) == 1);
}

// The elements draw on the same resource as their container.
template <template <class> class A, class Source>
void nested_containers_work(Source source) {
    using string = std::basic_string<char, std::char_traits<char>, A<char>>;
    using value = std::pair<const string, std::vector<string, A<string>>>;
    std::map<string, std::vector<string, A<string>>, std::less<>, A<value>> map(source);
    const std::string text = "a string that is too long for the small buffer ";
    for (int i = 0; i != 40; ++i) {
        string key(source);
        key = text + std::to_string(i);
        auto& words = map[key];
        for (int j = 0; j != 20; ++j) words.emplace_back((text + std::to_string(j)).c_str());
        // Compared by way of one type: clang 14 finds a comparison of two scoped adaptors ambiguous.
        const A<char> of_map(map.get_allocator());
        CHECK(A<char>(words.get_allocator()) == of_map);
        CHECK(words.back().get_allocator() == of_map);
    }
    CHECK(map.size() == 40);
    CHECK(map.begin()->second.size() == 20);
}

template <class T>
using pmr_allocator = std::pmr::polymorphic_allocator<T>;

/// The allocator of a resource's own type; it passes itself on to the elements of a container.
template <class Resource>
struct static_door {
    template <class T>
    using allocator = std::scoped_allocator_adaptor<resource_allocator<T, Resource>>;
};

template <class Fixture>
void container_suite() {
    checking_resource upstream;
    {
        Fixture fixture(&upstream);
        using resource_type = decltype(fixture.resource);
        using door = static_door<resource_type>;
        resource_allocator<std::byte, resource_type> static_source(fixture.resource);
        SECTION("pmr sequences") { sequences_work<pmr_allocator>(&fixture.resource); }
        SECTION("pmr associative") {
            associative_containers_work<pmr_allocator>(&fixture.resource);
        }
        SECTION("pmr nested") { nested_containers_work<pmr_allocator>(&fixture.resource); }
        SECTION("static sequences") { sequences_work<door::template allocator>(static_source); }
        SECTION("static associative") {
            associative_containers_work<door::template allocator>(static_source);
        }
        SECTION("static nested") {
            nested_containers_work<door::template allocator>(static_source);
        }
        CHECK(fixture.resource.in_use() == 0);
    }
    CHECK(upstream.blocks_out() == 0);
    CHECK(upstream.errors().empty());
}

}  // namespace fastalloc::testing
