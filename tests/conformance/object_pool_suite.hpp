// SPDX-License-Identifier: MIT
#pragma once

// What every typed pool has to do, written once. `Kind::pool<T>` is the pool.

#include "object/pool_kinds.hpp"
#include "support/catch.hpp"
#include "support/check_refused.hpp"
#include "support/checking_resource.hpp"
#include "support/counting_new.hpp"

#include <fastalloc/fastalloc.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory_resource>
#include <optional>
#include <string>
#include <type_traits>
#include <unordered_set>
#include <utility>
#include <vector>

namespace fastalloc::testing {

template <class Kind>
void objects_come_and_go() {
    checking_resource upstream;
    life all;
    {
        typename Kind::template pool<counted> pool(up_to(100), initialization<counted>::lazy(),
                                                   &upstream);
        CHECK(pool.empty());
        auto one = pool.make(all, 7);
        auto two = pool.make(all, 8);
        CHECK(one->value == 7);
        CHECK((*two).value == 8);
        CHECK(pool.in_use() == 2);
        CHECK(pool.capacity() == 100);
        CHECK(pool.available() == 98);
        CHECK_FALSE(pool.empty());
        CHECK(pool.resource().owns(one.get()));
        one.reset();
        CHECK(all.destroyed == 1);
        CHECK(one == nullptr);
        CHECK(pool.invariants_hold());
        two = nullptr;
        CHECK(pool.empty());
        CHECK(pool.in_use() == 0);
        CHECK(pool.available() == 100);
    }
    CHECK(all.alive() == 0);
    CHECK(upstream.bytes_out() == 0);
    CHECK(upstream.errors().empty());
}

template <class Kind>
void a_full_pool_says_so() {
    life all;
    typename Kind::template pool<counted> pool(up_to(100));
    auto some = pool.make_batch(100, std::ref(all));
    CHECK(pool.full());
    CHECK_THROWS_AS(pool.make(all), pool_exhausted);
    CHECK_THROWS_AS(pool.make_shared(all), pool_exhausted);
    CHECK_FALSE(pool.try_make(all));
    CHECK(all.constructed == 100);
    some.pop_back();
    CHECK_FALSE(pool.full());
    auto last = pool.try_make(all, 3);
    REQUIRE(last);
    CHECK(last->value == 3);
}

struct aggregate {
    int a;
    std::string b;
};

template <class Kind>
void parentheses_come_before_braces() {
    typename Kind::template pool<std::vector<int>> vectors(up_to(100));
    CHECK(*vectors.make(3u, 7) == std::vector<int>{7, 7, 7});
    CHECK(vectors.make()->empty());
    typename Kind::template pool<aggregate> aggregates(up_to(100));
    const auto made = aggregates.make(1, "b");
    CHECK(made->a == 1);
    CHECK(made->b == "b");
    CHECK(aggregates.make()->a == 0);
}

template <class Kind>
void objects_that_need_arguments_are_not_made_without() {
    typename Kind::template pool<counted> pool(up_to(100));
    check_refused([&] { (void)pool.make(); }, "initialization", "lazy");
    CHECK(pool.in_use() == 0);
}

template <class Kind>
void a_throwing_constructor_leaves_the_slot_free() {
    life all;
    typename Kind::template pool<counted> pool(up_to(1));
    CHECK_THROWS_AS(pool.make(all, -1), int);
    CHECK_THROWS_AS(pool.try_make(all, -1), int);
    CHECK_THROWS_AS(pool.make_shared(all, -1), int);
    CHECK(pool.in_use() == 0);
    CHECK(pool.invariants_hold());
    CHECK(pool.make(all, 1)->value == 1);
}

template <class Kind>
void a_batch_is_all_or_nothing() {
    struct refusing {
        explicit refusing(int& left) {
            if (left-- == 0) throw 1;
        }
        ~refusing() { ++destroyed(); }
        static int& destroyed() {
            static int count;
            return count;
        }
    };
    typename Kind::template pool<refusing> pool(up_to(100));
    int left = 10;
    refusing::destroyed() = 0;
    // make_batch passes its arguments as constants.
    CHECK_THROWS_AS(pool.make_batch(20, std::ref(left)), int);
    CHECK(refusing::destroyed() == 10);
    CHECK(pool.in_use() == 0);
    left = -1;
    CHECK_THROWS_AS(pool.make_batch(101, std::ref(left)), pool_exhausted);
    CHECK(pool.in_use() == 0);
    CHECK(pool.invariants_hold());
    const auto made = pool.make_batch(100, std::ref(left));
    CHECK(made.size() == 100);
    CHECK(pool.make_batch(0, std::ref(left)).empty());
}

/// Writes down what happens to it.
struct hooked {
    std::string* log;
    bool refuses = false;

    explicit hooked(std::string& l, bool r = false) : log(&l), refuses(r) { *log += 'c'; }
    hooked(const hooked&) = delete;
    hooked& operator=(const hooked&) = delete;
    ~hooked() { *log += 'd'; }

    void on_acquire() {
        *log += 'a';
        if (refuses) throw 1;
    }
    void on_release() { *log += 'r'; }
};

template <class Kind>
void hooks_are_called_in_order() {
    std::string log;
    const auto make = [&log] { return hooked(log); };
    const auto in = [&](initialization<hooked> how) {
        log.clear();
        typename Kind::template pool<hooked> pool(up_to(1), std::move(how));
        for (int i = 0; i != 2; ++i) {
            log += '<';
            (void)pool.make();
            log += '>';
        }
    };
    SECTION("lazy") {
        typename Kind::template pool<hooked> pool(up_to(1));
        (void)pool.make(log);
        CHECK(log == "card");
        log.clear();
        CHECK_THROWS_AS(pool.make(log, true), int);
        CHECK(log == "cad");
        CHECK(pool.in_use() == 0);
        log.clear();
        (void)pool.make_shared(log);
        CHECK(log == "card");
    }
    SECTION("recycling") {
        in(initialization<hooked>::recycling(make, [&log](hooked&) { log += 's'; }));
        CHECK(log == "<cars><ars>d");
    }
    SECTION("eager") {
        in(initialization<hooked>::eager(make));
        const std::string expected = "<ardc><ardc>d";
        CHECK((log == "c" + expected || log == "<c" + expected.substr(1)));
    }
    SECTION("deferred") {
        typename Kind::template pool<hooked> pool(up_to(2), initialization<hooked>::deferred());
        (void)pool.make(log);
        CHECK(log == "car");
        CHECK(pool.drain() == 1);
        CHECK(log == "card");
    }
}

template <class Kind>
void containers_draw_on_the_same_resource() {
    using resource_type = typename Kind::template pool<counted>::resource_type;
    checking_resource upstream;
    life all;
    {
        // Large enough for list nodes as well.
        resource_type resource(pool_config::builder().slot_size(64).capacity(100).build(),
                               &upstream);
        typename Kind::template pool<counted> pool(resource);
        {
            auto object = pool.make(all, 1);
            std::pmr::list<int> list({1, 2, 3}, &resource);
            CHECK(pool.in_use() == 4);
            CHECK(resource.in_use() == 4);
            CHECK(&pool.resource() == &resource);
            CHECK_FALSE(pool.empty());
            auto shared = pool.make_shared(all, 2);
            auto other = pool.try_make(all, 3);
            CHECK(pool.in_use() == 6);
            CHECK_THROWS_AS(pool.make(all, -1), int);
            CHECK(pool.in_use() == 6);
            CHECK(pool.invariants_hold());
            CHECK(pool.available() == resource.available());
            check_refused([&] { pool.for_each_live([](counted&) {}); }, "resource", "own");
        }
        CHECK(pool.in_use() == 0);
    }
    CHECK(all.alive() == 0);
    CHECK(upstream.bytes_out() == 0);
    resource_type small(pool_config::builder().slot_size(8).capacity(100).build());
    check_refused([&] { typename Kind::template pool<counted> pool(small); }, "resource",
                  std::to_string(sizeof(counted)));
}

template <class Kind>
void slots_are_as_configured() {
    struct alignas(64) aligned {
        char c = 'x';
    };
    typename Kind::template pool<aligned> pool(up_to(100));
    for (const auto& object : pool.make_batch(10)) {
        CHECK(reinterpret_cast<std::uintptr_t>(object.get()) % 64 == 0);
    }
    // What is given is kept to.
    typename Kind::template pool<std::uint32_t> wide(
        pool_config::builder().slot_size(100).alignment(128).capacity(100).build());
    const auto numbers = wide.make_batch(2, 5u);
    for (const auto& n : numbers) CHECK(reinterpret_cast<std::uintptr_t>(n.get()) % 128 == 0);
    typename Kind::template pool<std::uint32_t> moderate(
        pool_config::builder().alignment(32).capacity(100).build());
    CHECK(reinterpret_cast<std::uintptr_t>(moderate.make().get()) % 32 == 0);
    const auto refuse = [](pool_config config, const char* field, const char* value) {
        check_refused([&] { typename Kind::template pool<aligned> p(config); }, field, value);
    };
    refuse(pool_config::builder().slot_size(64).alignment(16).capacity(1).build(), "alignment",
           "16");
    typename Kind::template pool<aligned> large(
        pool_config::builder().slot_size(160).capacity(100).build());
    const auto two = large.make_batch(2);
    for (const auto& object : two) {
        CHECK(reinterpret_cast<std::uintptr_t>(object.get()) % 64 == 0);
    }
    check_refused(
        [] {
            typename Kind::template pool<std::array<char, 16>> p(
                pool_config::builder().slot_size(8).capacity(1).build());
        },
        "slot_size", "8");
}

struct left {
    int l = 1;
};

struct right {
    int r = 2;
};

struct both : left, right {
    explicit both(life& all) : life_(&all) { ++all.constructed; }
    both(const both&) = delete;
    both& operator=(const both&) = delete;
    ~both() { ++life_->destroyed; }
    void on_release() { released = true; }

    static inline bool released = false;

private:
    life* life_;
};

template <class Kind>
void a_base_takes_the_whole_object_home() {
    life all;
    typename Kind::template pool<both> pool(up_to(100));
    auto filler = pool.make_batch(50, std::ref(all));
    const auto in_use = pool.in_use();
    const auto expect_gone = [&] {
        CHECK(both::released);
        CHECK(all.alive() == 50);
        CHECK(pool.in_use() == in_use);
        both::released = false;
    };
    both::released = false;
    {
        owned_handle<left> base = pool.make(all);
        CHECK(base->l == 1);
    }
    expect_gone();
    {
        owned_handle<right> base = pool.make(all);
        CHECK(base->r == 2);
        owned_handle<const right> twice = std::move(base);
        CHECK(twice->r == 2);
    }
    expect_gone();
    {
        shared_handle<right> base = owned_handle<right>(pool.make(all));
        const shared_handle<left> none;
        const shared_handle<both> whole = pool.make_shared(all);
        const shared_handle<right> part = whole;
        CHECK(part->r == 2);
        CHECK(whole.use_count() == 2);
        weak_handle<right> weak = weak_handle<both>(whole);
        CHECK(weak.lock() == part);
    }
    CHECK(all.alive() == 50);
    CHECK(pool.in_use() == in_use);
    both::released = false;
    // The slot that is free again is the object's, not its part's.
    auto next = pool.make(all);
    CHECK(pool.resource().slot_of(next.get()) == next.get());
}

template <class Kind>
void released_objects_are_adopted() {
    life all;
    typename Kind::template pool<counted> pool(up_to(100));
    auto handle = pool.make(all, 1);
    counted* const object = handle.release();
    CHECK_FALSE(handle);
    CHECK(pool.in_use() == 1);
    handle = pool.adopt(object);
    CHECK(handle.get() == object);
    handle.reset();
    CHECK(all.alive() == 0);
    CHECK_FALSE(pool.adopt(nullptr));
    // A key outlasts the time without a handle.
    auto keyed = pool.make(all, 2);
    auto other = pool.make(all, 3);
    const object_key key = pool.key_of(keyed);
    const object_key other_key = pool.key_of(other);
    counted* const free = keyed.release();
    CHECK(pool.find(key) == free);
    auto unkeyed = pool.make(all, 4);
    unkeyed = pool.adopt(unkeyed.release());
    keyed = pool.adopt(free);
    CHECK(pool.find(key) == free);
    CHECK(pool.key_of(keyed) == key);
    keyed.reset();
    CHECK(pool.find(key) == nullptr);
    CHECK(pool.find(other_key) == other.get());
    CHECK(all.alive() == 2);
    CHECK(pool.invariants_hold());
}

template <class Kind>
void the_last_owner_ends_a_shared_object() {
    checking_resource upstream;
    life all;
    {
        typename Kind::template pool<counted> pool(up_to(100), initialization<counted>::lazy(),
                                                   &upstream);
        shared_handle<counted> one = pool.make_shared(all, 1);
        CHECK(one.use_count() == 1);
        shared_handle<counted> two = one;
        CHECK(one.use_count() == 2);
        CHECK(one == two);
        shared_handle<counted> three = std::move(two);
        CHECK(two == nullptr);
        CHECK(two.use_count() == 0);
        CHECK(one.use_count() == 2);
        one.reset();
        CHECK(all.alive() == 1);
        const auto& same = three;
        three = same;
        CHECK(all.alive() == 1);
        three = pool.make(all, 2);
        CHECK(all.alive() == 1);
        CHECK(three->value == 2);
        three = nullptr;
        CHECK(all.alive() == 0);
        CHECK(pool.in_use() == 0);
        CHECK(pool.invariants_hold());
    }
    CHECK(upstream.bytes_out() == 0);
    CHECK(upstream.errors().empty());
}

template <class Kind>
void a_weak_handle_keeps_nothing() {
    life all;
    typename Kind::template pool<counted> pool(up_to(1));
    weak_handle<counted> none;
    CHECK(none.expired());
    CHECK_FALSE(none.lock());
    auto shared = pool.make_shared(all, 1);
    weak_handle<counted> weak = shared;
    CHECK_FALSE(weak.expired());
    CHECK(weak.lock()->value == 1);
    CHECK(shared.use_count() == 1);
    shared.reset();
    CHECK(weak.expired());
    CHECK_FALSE(weak.lock());
    // The same slot, another object, and the same once more.
    for (int i = 0; i != 3; ++i) {
        auto next = pool.make_shared(all, 2);
        const weak_handle<counted> of_next = next;
        CHECK(weak.expired());
        CHECK_FALSE(weak.lock());
        CHECK_FALSE(weak == of_next);
        CHECK(of_next.lock() == next);
        weak = of_next;
    }
    // Also where the next one is not observed, nor shared.
    CHECK(pool.invariants_hold());
    auto owned = pool.make(all, 3);
    CHECK_FALSE(weak.lock());
}

template <class Kind>
void a_key_names_one_object() {
    life all;
    typename Kind::template pool<counted> pool(up_to(100));
    CHECK_FALSE(object_key());
    CHECK(pool.find({}) == nullptr);
    auto one = pool.make(all, 1);
    auto two = pool.make_shared(all, 2);
    const object_key key = pool.key_of(one);
    CHECK(key);
    CHECK(pool.key_of(one) == key);
    CHECK(pool.key_of(two) != key);
    CHECK(pool.find(key) == one.get());
    CHECK(pool.find(pool.key_of(two)) == two.get());
    CHECK(object_key::from_value(key.value()) == key);
    CHECK(std::unordered_set<object_key>{key, key, pool.key_of(two)}.size() == 2);
    CHECK(pool.find(object_key::from_value(std::uint64_t{1'000})) == nullptr);
    CHECK(pool.find(object_key::from_value(~std::uint64_t{0})) == nullptr);
    CHECK(all.destroyed == 0);
    one.reset();
    CHECK(pool.find(key) == nullptr);
    for (int i = 0; i != 10; ++i) {
        auto next = pool.make(all, 3);
        const object_key of_next = pool.key_of(next);
        CHECK(of_next != key);
        CHECK(pool.find(key) == nullptr);
        CHECK(pool.find(of_next) == next.get());
    }
    // An object with a key can become shared, and keeps it.
    auto owned = pool.make(all, 4);
    const object_key kept = pool.key_of(owned);
    shared_handle<counted> shared = std::move(owned);
    CHECK(pool.find(kept) == shared.get());
    shared.reset();
    CHECK(pool.find(kept) == nullptr);
    CHECK(all.alive() == 1);
    std::vector<owned_handle<counted>> many = pool.make_batch(90, std::ref(all), 5);
    std::vector<object_key> keys;
    for (auto& h : many) keys.push_back(pool.key_of(h));
    for (std::size_t i = 0; i != many.size(); ++i) CHECK(pool.find(keys[i]) == many[i].get());
    CHECK(pool.invariants_hold());
}

template <class Kind>
void live_objects_are_visited_in_address_order() {
    using pool_type = typename Kind::template pool<std::string>;
    const auto config = pool_config::builder()
                            .capacity(500)
                            .max_capacity(std::is_same_v<Kind, fixed> ? 500 : 10'000)
                            .build();
    std::optional<pool_type> pool;
    bool keeps = false;
    SECTION("lazy") { pool.emplace(config); }
    SECTION("deferred, what is kept is not alive") {
        keeps = true;
        pool.emplace(config, initialization<std::string>::deferred());
    }
    pool->for_each_live([](std::string&) { FAIL("none is alive"); });
    auto all = pool->make_batch(std::is_same_v<Kind, fixed> ? 500 : 5'000, "x");
    std::vector<std::string*> expected;
    for (std::size_t i = 0; i != all.size(); ++i) {
        if (i % 3 == 0) {
            all[i].reset();
        } else {
            expected.push_back(all[i].get());
        }
    }
    if (keeps) CHECK(pool->resource().in_use() == all.size());
    std::sort(expected.begin(), expected.end());
    std::vector<std::string*> seen;
    pool->for_each_live([&](std::string& s) { seen.push_back(&s); });
    CHECK(seen == expected);
}

template <class Kind>
void eager_objects_are_there_before_they_are_asked_for() {
    life all;
    {
        typename Kind::template pool<counted> pool(
            up_to(100), initialization<counted>::eager([&all] { return counted(all, 5); }));
        auto first = pool.make();
        CHECK(first->value == 5);
        CHECK(all.constructed == 100);
        CHECK(pool.in_use() == 1);
        CHECK(pool.available() == 99);
        CHECK(pool.invariants_hold());
        CHECK(pool.resource().in_use() == 100);
        first->value = 6;
        first.reset();
        CHECK(all.destroyed == 1);
        CHECK(all.constructed == 101);
        CHECK(pool.in_use() == 0);
        const auto rest = pool.make_batch(100);
        for (const auto& object : rest) CHECK(object->value == 5);
        CHECK(all.constructed == 101);
        CHECK(pool.full());
        CHECK(pool.invariants_hold());
        CHECK_FALSE(pool.try_make());
        CHECK_THROWS_AS(pool.make(), pool_exhausted);
        check_refused([&] { (void)pool.make(all); }, "initialization", "eager");
    }
    CHECK(all.alive() == 0);
}

template <class Kind>
void recycled_objects_live_on() {
    life all;
    int resets = 0;
    {
        typename Kind::template pool<counted> pool(
            up_to(100), initialization<counted>::recycling([&all] { return counted(all, 5); },
                                                           [&resets](counted& c) {
                                                               ++resets;
                                                               if (c.value == 9) throw 1;
                                                               c.value = 0;
                                                           }));
        auto object = pool.make();
        CHECK(all.constructed == 1);
        CHECK(object->value == 5);
        counted* const address = object.get();
        object.reset();
        CHECK(resets == 1);
        CHECK(all.destroyed == 0);
        CHECK(pool.in_use() == 0);
        CHECK(pool.available() == 100);
        CHECK(pool.resource().in_use() == 1);
        object = pool.make();
        CHECK(object.get() == address);
        CHECK(object->value == 0);
        CHECK(all.constructed == 1);
        // One that cannot be reset is destroyed.
        object->value = 9;
        object.reset();
        CHECK(all.destroyed == 1);
        CHECK(pool.resource().in_use() == 0);
        auto some = pool.make_batch(100);
        CHECK_FALSE(pool.try_make());
        some.resize(40);
        CHECK(pool.in_use() == 40);
        pool.trim();
        CHECK(all.alive() == 40);
        CHECK(pool.in_use() == 40);
        CHECK(pool.invariants_hold());
        CHECK(pool.resource().in_use() == 40);
        some.resize(10);
        const shared_handle<counted> shared = pool.make();
        CHECK(all.alive() == 40);
        check_refused([&] { (void)pool.make(all); }, "initialization", "recycling");
    }
    CHECK(all.alive() == 0);
}

template <class Kind>
void a_recycled_vector_keeps_its_capacity() {
    using vector = std::vector<int>;
    typename Kind::template pool<vector> pool(
        up_to(100),
        initialization<vector>::recycling([] { return vector(); }, [](vector& v) { v.clear(); }));
    pool.make()->resize(1'000);
    const std::size_t before = operator_new_calls();
    auto again = pool.make();
    again->resize(1'000);
    CHECK(operator_new_calls() == before);
    CHECK(again->size() == 1'000);
}

template <class Kind>
void functions_that_fail_lose_nothing() {
    life all;
    int left = 0;
    const auto make = [&] { return counted(all, left-- == 0 ? -1 : 1); };
    {
        typename Kind::template pool<counted> pool(
            up_to(100), initialization<counted>::recycling(make, [](counted&) {}));
        CHECK_THROWS_AS(pool.make(), int);
        left = 0;
        CHECK_THROWS_AS(pool.try_make(), int);
        CHECK(pool.in_use() == 0);
        CHECK(pool.resource().in_use() == 0);
        left = -1;
        CHECK(pool.make_batch(100).size() == 100);
    }
    {
        left = 50;
        std::optional<typename Kind::template pool<counted>> pool;
        const auto use = [&] {
            pool.emplace(up_to(100), initialization<counted>::eager(make));
            (void)pool->make();
        };
        CHECK_THROWS_AS(use(), int);
        pool.reset();
        CHECK(all.alive() == 0);
        left = -1;
        pool.emplace(up_to(100), initialization<counted>::eager(make));
        auto object = pool->make();
        // The object cannot be made anew: its slot is free.
        left = 0;
        object.reset();
        CHECK(all.alive() == 99);
        CHECK(pool->in_use() == 0);
        CHECK(pool->invariants_hold());
        CHECK(pool->resource().in_use() == 99);
        left = -1;
        CHECK(pool->make_batch(100).size() == 100);
    }
    CHECK(all.alive() == 0);
    check_refused([] { initialization<int>::eager(nullptr); }, "init", "empty");
    check_refused([] { initialization<int>::recycling(nullptr, [](int&) {}); }, "init", "empty");
    check_refused([] { initialization<int>::recycling([] { return 1; }, nullptr); }, "reset",
                  "empty");
}

template <class Kind>
void deferred_objects_are_destroyed_by_drain() {
    life all;
    {
        typename Kind::template pool<counted> pool(up_to(100), initialization<counted>::deferred());
        auto some = pool.make_batch(100, std::ref(all));
        some.resize(20);
        CHECK(all.destroyed == 0);
        CHECK(pool.in_use() == 20);
        CHECK(pool.available() == 80);
        CHECK_FALSE(pool.full());
        CHECK(pool.resource().in_use() == 100);
        CHECK(pool.drain(30) == 30);
        CHECK(all.destroyed == 30);
        CHECK(pool.in_use() == 20);
        CHECK(pool.resource().in_use() == 70);
        CHECK(pool.invariants_hold());
        CHECK(pool.drain(0) == 0);
        // Full of deferred objects: one is destroyed for each that is made.
        auto more = pool.make_batch(30, std::ref(all));
        CHECK(all.destroyed == 30);
        more.push_back(pool.make(all, 1));
        CHECK(all.destroyed == 31);
        more.push_back(pool.try_make(all, 1));
        CHECK(more.back());
        CHECK(all.destroyed == 32);
        auto rest = pool.make_batch(48, std::ref(all));
        CHECK(all.destroyed == 80);
        CHECK(pool.full());
        CHECK_THROWS_AS(pool.make(all, 1), pool_exhausted);
        CHECK_FALSE(pool.try_make(all, 1));
        CHECK_THROWS_AS(pool.make(all, -1), pool_exhausted);
        rest.clear();
        CHECK_THROWS_AS(pool.make(all, -1), int);
        CHECK(pool.drain() == 47);
        CHECK(pool.invariants_hold());
        more.clear();
        pool.trim();
        CHECK(all.alive() == 20);
        some.resize(10);
    }
    CHECK(all.alive() == 0);
    typename Kind::template pool<counted> lazy(up_to(100));
    CHECK(lazy.drain() == 0);
}

template <class Kind>
void user_code_may_use_the_pool() {
    struct node {
        typename Kind::template pool<node>* pool = nullptr;
        owned_handle<node> child;
        shared_handle<node> friend_;

        node(typename Kind::template pool<node>* p, int depth) : pool(p) {
            if (depth == 0) return;
            child = p->make(p, depth - 1);
            friend_ = p->make_shared(p, 0);
        }
        node(node&&) = default;
        ~node() {
            if (pool != nullptr && child) (void)pool->try_make(pool, 0);
        }
        void on_acquire() {
            if (child) (void)pool->make(pool, 0);
        }
        void on_release() {
            if (child) (void)pool->try_make(pool, 0);
        }
    };
    using nodes = typename Kind::template pool<node>;
    for (const bool deferred : {false, true}) {
        checking_resource upstream;
        {
            nodes pool(up_to(1'000),
                       deferred ? initialization<node>::deferred() : initialization<node>::lazy(),
                       &upstream);
            {
                auto tree = pool.make(&pool, 100);
                CHECK(pool.in_use() == 201);
                CHECK(pool.invariants_hold());
            }
            // One whose destruction is deferred owns the others meanwhile.
            CHECK(pool.in_use() == (deferred ? 200 : 0));
            auto tree = pool.make_shared(&pool, 100);
            tree.reset();
            if (deferred) CHECK(pool.drain() > 0);
            CHECK(pool.invariants_hold());
            CHECK(pool.resource().in_use() == 0);
            // One more that the pool itself has to destroy.
            tree = pool.make_shared(&pool, 100);
        }
        CHECK(upstream.bytes_out() == 0);
    }
    // A function that makes an object may make another, one that resets it may drop one.
    struct chain {
        owned_handle<chain> next;
    };
    std::optional<typename Kind::template pool<chain>> chains;
    int links = 10;
    chains.emplace(up_to(100), initialization<chain>::recycling(
                                   [&] {
                                       chain made;
                                       if (links-- > 0) made.next = chains->make();
                                       return made;
                                   },
                                   [](chain& c) { c.next.reset(); }));
    auto first = chains->make();
    CHECK(chains->in_use() == 11);
    first.reset();
    CHECK(chains->in_use() == 0);
    chains->trim();
    CHECK(chains->resource().in_use() == 0);
    links = 10;
    first = chains->make();
    first.reset();
    chains.reset();
}

template <class Kind>
void a_failing_upstream_loses_nothing() {
    for (std::size_t grants = 0;; ++grants) {
        checking_resource upstream;
        life all;
        bool done = false;
        {
            std::optional<typename Kind::template pool<counted>> pool;
            upstream.fail_after(grants);
            std::vector<shared_handle<counted>> shared;
            std::vector<object_key> keys;
            try {
                pool.emplace(up_to(300), initialization<counted>::deferred(), &upstream);
                for (int i = 0; i != 100; ++i) {
                    auto owned = pool->make(all, i);
                    keys.push_back(pool->key_of(owned));
                    shared.push_back(std::move(owned));
                    REQUIRE_FALSE(owned);
                }
                done = true;
            } catch (const std::bad_alloc&) {
            }
            if (pool) {
                CHECK(pool->in_use() == shared.size());
                CHECK(pool->invariants_hold());
                for (std::size_t i = 0; i != shared.size(); ++i) {
                    CHECK(pool->find(keys[i]) == shared[i].get());
                }
            }
            upstream.never_fail();
            shared.clear();
            if (pool) CHECK(pool->in_use() == 0);
            if (pool) pool->drain();
            CHECK(all.alive() == 0);
        }
        CHECK(upstream.bytes_out() == 0);
        CHECK(upstream.errors().empty());
        if (done && !upstream.has_failed()) break;
        REQUIRE(grants < 100);
    }
}

template <class Kind>
void object_pool_suite() {
    SECTION("objects_come_and_go") { objects_come_and_go<Kind>(); }
    SECTION("a_full_pool_says_so") { a_full_pool_says_so<Kind>(); }
    SECTION("parentheses_come_before_braces") { parentheses_come_before_braces<Kind>(); }
    SECTION("objects_that_need_arguments_are_not_made_without") {
        objects_that_need_arguments_are_not_made_without<Kind>();
    }
    SECTION("a_throwing_constructor_leaves_the_slot_free") {
        a_throwing_constructor_leaves_the_slot_free<Kind>();
    }
    SECTION("a_batch_is_all_or_nothing") { a_batch_is_all_or_nothing<Kind>(); }
    SECTION("hooks_are_called_in_order") { hooks_are_called_in_order<Kind>(); }
    SECTION("containers_draw_on_the_same_resource") {
        containers_draw_on_the_same_resource<Kind>();
    }
    SECTION("slots_are_as_configured") { slots_are_as_configured<Kind>(); }
    SECTION("a_base_takes_the_whole_object_home") { a_base_takes_the_whole_object_home<Kind>(); }
    SECTION("released_objects_are_adopted") { released_objects_are_adopted<Kind>(); }
    SECTION("the_last_owner_ends_a_shared_object") { the_last_owner_ends_a_shared_object<Kind>(); }
    SECTION("a_weak_handle_keeps_nothing") { a_weak_handle_keeps_nothing<Kind>(); }
    SECTION("a_key_names_one_object") { a_key_names_one_object<Kind>(); }
    SECTION("live_objects_are_visited_in_address_order") {
        live_objects_are_visited_in_address_order<Kind>();
    }
    SECTION("eager_objects_are_there_before_they_are_asked_for") {
        eager_objects_are_there_before_they_are_asked_for<Kind>();
    }
    SECTION("recycled_objects_live_on") { recycled_objects_live_on<Kind>(); }
    SECTION("a_recycled_vector_keeps_its_capacity") {
        a_recycled_vector_keeps_its_capacity<Kind>();
    }
    SECTION("functions_that_fail_lose_nothing") { functions_that_fail_lose_nothing<Kind>(); }
    SECTION("deferred_objects_are_destroyed_by_drain") {
        deferred_objects_are_destroyed_by_drain<Kind>();
    }
    SECTION("user_code_may_use_the_pool") { user_code_may_use_the_pool<Kind>(); }
    SECTION("a_failing_upstream_loses_nothing") { a_failing_upstream_loses_nothing<Kind>(); }
}

}  // namespace fastalloc::testing
