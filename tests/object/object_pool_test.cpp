// SPDX-License-Identifier: MIT
#include "object/pool_kinds.hpp"
#include "support/catch.hpp"
#include "support/checking_resource.hpp"
#include "support/fresh_pages.hpp"
#include "support/in_a_child.hpp"
#include "support/shared_upstream.hpp"

#include <fastalloc/fastalloc.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <latch>
#include <limits>
#include <memory_resource>
#include <new>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace fastalloc::testing {

namespace {

const void* expected_pool = nullptr;
std::vector<const void*> expected_addresses;

/// Writes what is true of the report.
void check_report(const misuse_report& report) {
    const bool same = std::equal(report.addresses.begin(), report.addresses.end(),
                                 expected_addresses.begin(), expected_addresses.end());
    std::fprintf(stderr, "%s of %s: %zu, %s", report.fault == misuse::objects_alive ? "alive" : "?",
                 report.pool == expected_pool ? "the pool" : "another", report.count,
                 same ? "the first addresses" : "other addresses");
}

/// Destroys a pool while three objects are alive, of which two are in handles. One more is kept.
template <class Pool, class... Args>
void leave_alive(const Args&... args) {
    std::optional<Pool> pool;
    pool.emplace(args...);
    auto one = pool->make();
    auto gone = pool->make();
    auto two = pool->make_shared();
    auto three = pool->make();
    gone.reset();
    if (!expected_addresses.empty()) {
        expected_addresses = {one.get(), two.get(), three.get()};
        std::sort(expected_addresses.begin(), expected_addresses.end());
    }
    expected_pool = &*pool;
    (void)three.release();
    pool.reset();
}

}  // namespace

TEMPLATE_TEST_CASE("a pool that is destroyed while its objects are alive says so", "", fixed,
                   growing, thread_local_, synchronized, lock_free) {
    using pool_type = typename TestType::template pool<int>;
    using resource_type = typename pool_type::resource_type;
    const auto how = GENERATE(0, 1, 2);
    const auto ended = in_a_child([&] {
        set_misuse_handler(check_report);
        expected_addresses = {nullptr};
        if (how == 0) leave_alive<pool_type>(up_to(100));
        if (how == 1) leave_alive<pool_type>(up_to(100), initialization<int>::deferred());
        if (how == 2) {
            expected_addresses.clear();  // a pool that does not own its resource knows none
            resource_type resource(pool_config::builder().slot_size(64).capacity(100).build());
            std::pmr::vector<int> other(4, &resource);
            leave_alive<typename TestType::template pool<int>>(std::ref(resource));
        }
    });
    CHECK(ended.output == "alive of the pool: 3, the first addresses");
    CHECK(ended.aborted);
}

TEST_CASE("misuse is printed unless a handler is set") {
    const auto ended = in_a_child([] { leave_alive<growing_pool<int>>(up_to(100)); });
    CHECK(ended.output.find("destroyed while 3 of its objects are alive") != std::string::npos);
    CHECK(ended.aborted);
    const auto many = in_a_child([] {
        std::vector<owned_handle<int>> objects;
        growing_pool<int> pool(up_to(100));
        objects = pool.make_batch(100);
        for (auto& o : objects) (void)o.release();
    });
    CHECK(std::count(many.output.begin(), many.output.end(), '\n') == 1 + 8);
    CHECK(set_misuse_handler(check_report) == nullptr);
    CHECK(set_misuse_handler(nullptr) == check_report);
}

TEMPLATE_TEST_CASE("a typed pool touches its pages where that is asked for", "", fixed, growing,
                   synchronized, lock_free) {
    using large = std::array<char, 1'000>;
    const bool asked = GENERATE(true, false);
    fresh_pages upstream;
    typename TestType::template pool<large> pool(
        pool_config::builder().capacity(4'000).pre_initialize(asked).build(),
        initialization<large>::lazy(), &upstream);
    const auto object = pool.make();
    const auto [resident, all] = upstream.resident(object.get());
    CHECK(all > 4'000'000);
    if (asked) {
        CHECK(resident >= 4'000'000);
    } else {
        CHECK(resident < 400'000);
    }
}

TEST_CASE("a typed pool refuses a cap of more bytes than there are") {
    CHECK_NOTHROW(growing_pool<std::array<char, 64>>(
        pool_config::builder().capacity(1).max_capacity(1'000'000).build()));
    const auto make = [] {
        growing_pool<std::array<char, 64>> pool(
            pool_config::builder()
                .capacity(1)
                .max_capacity(std::numeric_limits<std::size_t>::max() / 32)
                .build());
    };
    CHECK_THROWS_WITH(make(), Catch::Contains("max_capacity"));
}

TEST_CASE("a pool in a caller's buffer has no memory for books of objects") {
    const auto config = pool_config::builder().slot_size(64).capacity(10).build();
    std::vector<std::byte> buffer(fixed_pool_resource::required_bytes(config));
    fixed_pool_resource resource(buffer, config);
    fixed_pool<int> lazy(resource);
    auto mine = lazy.make(7);
    CHECK(*mine == 7);
    CHECK_THROWS_AS(lazy.make_shared(8), std::bad_alloc);
    CHECK_THROWS_AS(lazy.key_of(mine), std::bad_alloc);
    fixed_pool<int> kept(resource, initialization<int>::deferred());
    CHECK_THROWS_AS(kept.make(9), std::bad_alloc);
    CHECK(resource.in_use() == 1);
}

TEST_CASE("objects that were kept own others, perhaps, when the pool goes") {
    struct parent {
        owned_handle<parent> child;
    };
    std::optional<growing_pool<parent>> pool;
    pool.emplace(up_to(100), initialization<parent>::deferred());
    auto top = pool->make();
    top->child = pool->make();
    top->child->child = pool->make();
    top.reset();
    CHECK(pool->in_use() == 2);
    pool.reset();
    // An eager pool does not make anew what its own destruction drops.
    int made = 0;
    const auto make = [&made] { return ++made, parent{}; };
    pool.emplace(up_to(100), initialization<parent>::eager(make));
    top = pool->make();
    top->child = pool->make();
    CHECK(made == 100);
    top.reset();
    pool.reset();
    CHECK(made == 102);
}

TEMPLATE_TEST_CASE("objects go home in other threads than they came from", "", synchronized,
                   lock_free) {
    shared_upstream upstream;
    {
        typename TestType::template pool<std::string> pool(
            up_to(10'000),
            initialization<std::string>::recycling([] { return std::string(); },
                                                   [](std::string& s) { s.clear(); }),
            &upstream);
        auto some = pool.make_batch(1'000);
        auto shared = pool.make_shared();
        std::thread([some = std::move(some), s = shared]() mutable { some.clear(); }).join();
        CHECK(shared.use_count() == 1);
        CHECK(pool.in_use() == 1);
        CHECK(pool.resource().in_use() == 1'001);
        const auto again = pool.make_batch(1'000);
        CHECK(pool.resource().in_use() == 1'001);
    }
    CHECK(upstream.bytes_out() == 0);
    CHECK(upstream.errors().empty());
}

TEST_CASE("each thread has its own objects in a thread_local_pool") {
    using strings = thread_local_pool<std::string>;
    shared_upstream upstream;
    std::atomic<int> made = 0;
    {
        strings pool(up_to(100),
                     initialization<std::string>::recycling([&] { return ++made, std::string(); },
                                                            [](std::string& s) { s.clear(); }),
                     &upstream);
        auto mine = pool.make_batch(100);
        mine.resize(50);
        std::vector<owned_handle<std::string>> left;
        std::size_t in_use = 1, after = 0;
        std::thread([&] {
            in_use = pool.in_use();
            left = pool.make_batch(100);
            left.resize(40);
            after = pool.in_use();
        }).join();
        CHECK(in_use == 0);
        CHECK(after == 40);
        CHECK(pool.in_use() == 50);
        CHECK(made == 200);
        // The thread has ended, so that its objects may go here; so may what it kept.
        left.clear();
        CHECK(pool.resource().in_use_by_all() >= 100);
        pool.trim();
        mine.clear();
        pool.trim();
        CHECK(pool.resource().in_use_by_all() == 0);
        CHECK(pool.in_use() == 0);
        // Objects that threads keep which have not ended are destroyed with the pool.
        (void)pool.make_batch(10);
    }
    CHECK(upstream.bytes_out() == 0);
    CHECK(upstream.errors().empty());
}

TEST_CASE("a thread_local_pool goes while threads that used it wait") {
    shared_upstream upstream;
    life all;
    std::optional<thread_local_pool<counted>> pool;
    pool.emplace(up_to(100), initialization<counted>::deferred(), &upstream);
    std::atomic<int> stage = 0;
    std::thread thread([&] {
        (void)pool->make_batch(100, std::ref(all));
        stage = 1;
        stage.notify_all();
        stage.wait(1);
    });
    stage.wait(0);
    CHECK(all.alive() == 100);
    pool.reset();
    CHECK(all.alive() == 0);
    CHECK(upstream.bytes_out() == 0);
    stage = 2;
    stage.notify_all();
    thread.join();
    CHECK(upstream.errors().empty());
}

TEST_CASE("what threads left, and others dropped, is not visited") {
    thread_local_pool<int> pool(up_to(100));
    const auto mine = pool.make(1);
    std::vector<owned_handle<int>> left;
    std::thread([&] { left = pool.make_batch(5, 2); }).join();
    left.resize(2);
    int sum = 0;
    pool.for_each_live([&](int n) { sum += n; });
    CHECK(sum == 5);
}

TEST_CASE("threads that come and go leave no room for objects behind") {
    shared_upstream upstream;
    life all;
    thread_local_pool<counted> pool(up_to(100), initialization<counted>::deferred(), &upstream);
    std::size_t after_some = 0;
    for (int round = 0; round != 200; ++round) {
        std::thread([&] { (void)pool.make_batch(50, std::ref(all)); }).join();
        CHECK(pool.drain() == 50);
        if (round == 20) after_some = upstream.bytes_out();
    }
    CHECK(upstream.bytes_out() <= after_some);
    // What the thread itself drops is kept, whatever it destroyed for others.
    (void)pool.make_batch(100, std::ref(all));
    CHECK(all.alive() == 100);
}

TEST_CASE("a thread for which pools need more room has an object once upstream has that") {
    // Every pool has room for some threads from the start.
    constexpr std::ptrdiff_t more = 40;
    std::latch have_numbers(more);
    std::latch done(1);
    std::vector<std::thread> others;
    for (std::ptrdiff_t i = 0; i != more; ++i) {
        others.emplace_back([&] {
            detail::thread_number::assign();
            have_numbers.count_down();
            done.wait();
        });
    }
    have_numbers.wait();
    std::size_t wrong = 0;
    std::size_t grants = 0;
    std::thread([&] {
        for (bool is_made = false; !is_made && grants != 50; ++grants) {
            checking_resource upstream;
            life all;
            try {
                thread_local_pool<counted> pool(up_to(100), initialization<counted>::deferred(),
                                                &upstream);
                upstream.fail_after(grants);
                (void)pool.make(std::ref(all));
                is_made = true;
                // It was kept.
                wrong += all.alive() != 1 || pool.drain() != 1;
            } catch (const std::bad_alloc&) {
                wrong += !upstream.has_failed();
            }
            wrong += all.alive() != 0 || upstream.bytes_out() != 0 || !upstream.errors().empty();
        }
    }).join();
    done.count_down();
    for (std::thread& t : others) t.join();
    CHECK(wrong == 0);
    CHECK(grants > 3);
    CHECK(grants != 50);
}

TEST_CASE("an eager pool constructs no more than it grew by") {
    std::optional<growing_pool_resource> resource;
    const std::array classes{pool_config::builder().slot_size(16).capacity(1'000).build(),
                             pool_config::builder()
                                 .slot_size(64)
                                 .capacity(10)
                                 .growth(growth_strategy::custom([&](std::size_t) -> std::size_t {
                                     // The other class shrinks while this one grows.
                                     resource->trim();
                                     return 10;
                                 }))
                                 .build()};
    resource.emplace(classes);
    using eager_object = std::array<counted*, 4>;
    std::size_t made = 0;
    object_pool<eager_object, growing_pool_resource> pool(
        *resource, initialization<eager_object>::eager([&] { return ++made, eager_object{}; }));
    const auto first = pool.make_batch(10);
    CHECK(made == 10);
    resource->deallocate(resource->allocate(16, 8), 16, 8);
    const auto next = pool.make();
    CHECK(made <= 20);
}

TEST_CASE("an eager pool is whole or not there") {
    for (std::size_t grants = 0;; ++grants) {
        checking_resource upstream;
        upstream.fail_after(grants);
        life all;
        std::optional<fixed_pool<counted>> pool;
        const auto make = [&all] { return counted(all); };
        try {
            pool.emplace(up_to(100), initialization<counted>::eager(make), &upstream);
        } catch (const std::bad_alloc&) {
            CHECK(all.alive() == 0);
            CHECK(upstream.bytes_out() == 0);
            REQUIRE(grants < 20);
            continue;
        }
        CHECK(all.alive() == 100);
        // It needs no more memory.
        upstream.fail_after(0);
        CHECK(pool->make_batch(100).size() == 100);
        break;
    }
}

TEST_CASE("a key that cannot be had costs nothing") {
    checking_resource upstream;
    growing_pool<int> pool(up_to(100), initialization<int>::lazy(), &upstream);
    (void)pool.make_shared(1);
    auto object = pool.make(2);
    const std::size_t bytes = upstream.bytes_out();
    for (int i = 0; i != 1'000; ++i) {
        upstream.fail_after(0);
        CHECK_THROWS_AS(pool.key_of(object), std::bad_alloc);
        upstream.never_fail();
        object = pool.adopt(object.release());
    }
    CHECK(upstream.bytes_out() == bytes);
    const object_key key = pool.key_of(object);
    CHECK(static_cast<std::uint32_t>(key.value()) == 16);
    CHECK(pool.find(key) == object.get());
}

TEST_CASE("a child of fork has the objects of the parent") {
    lock_free_pool<std::string> pool(up_to(1'000));
    auto objects = pool.make_batch(100, "parent");
    auto shared = pool.make_shared("shared");
    const auto ended = in_a_child([&] {
        const weak_handle<std::string> weak = shared;
        objects.resize(50);
        shared.reset();
        std::fprintf(stderr, "%s %zu %d", objects[0]->c_str(), pool.in_use(), weak.expired());
    });
    CHECK(ended.output == "parent 50 1");
    CHECK(pool.in_use() == 101);
}

}  // namespace fastalloc::testing
