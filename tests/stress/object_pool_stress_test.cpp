// SPDX-License-Identifier: MIT
#include "object/pool_kinds.hpp"
#include "stress/team.hpp"
#include "support/catch.hpp"
#include "support/shared_upstream.hpp"

#include <fastalloc/fastalloc.hpp>

#include <array>
#include <atomic>
#include <barrier>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <random>
#include <thread>
#include <utility>
#include <vector>

namespace fastalloc::testing {

namespace {

/// Says whether it is alive, and is not atomic, so that a race is one.
struct witness {
    static constexpr std::uint64_t alive = 0x600d'600d'600d'600d;

    std::uint64_t state = alive;
    std::uint64_t number;

    explicit witness(std::uint64_t n) : number(n) {}
    witness(const witness&) = delete;
    witness& operator=(const witness&) = delete;
    ~witness() { state = 0; }
};

}  // namespace

TEMPLATE_TEST_CASE("lock() races with the last drop", "", synchronized, lock_free) {
    shared_upstream upstream;
    {
        typename TestType::template pool<witness> pool(up_to(64), initialization<witness>::lazy(),
                                                       &upstream);
        constexpr int rounds = 2'000;
        std::array<shared_handle<witness>, 2> owners;
        weak_handle<witness> weak;
        std::barrier both(2);
        std::size_t wrong = 0, locked = 0;
        in_threads(2, [&](std::size_t me) {
            for (int i = 0; i != rounds; ++i) {
                if (me == 0) {
                    owners[0] = pool.make_shared(static_cast<std::uint64_t>(i));
                    weak = owners[0];
                }
                both.arrive_and_wait();
                const weak_handle<witness> seen = weak;
                if (me == 0) {
                    owners[0].reset();
                    // The slot may hold another object by now.
                    const auto next = pool.make_shared(~std::uint64_t{0});
                    if (seen.lock() && seen.lock()->number != static_cast<std::uint64_t>(i)) {
                        ++wrong;
                    }
                } else if (const auto object = seen.lock()) {
                    ++locked;
                    wrong += object->state != witness::alive ||
                             object->number != static_cast<std::uint64_t>(i);
                    const auto again = object;
                    wrong += seen.expired();
                }
                both.arrive_and_wait();
                if (me == 0) wrong += !seen.expired();
            }
        });
        CHECK(wrong == 0);
        INFO("locked " << locked << " of " << rounds);
        CHECK(pool.in_use() == 0);
        CHECK(pool.invariants_hold());
    }
    CHECK(upstream.bytes_out() == 0);
    CHECK(upstream.errors().empty());
}

TEMPLATE_TEST_CASE("threads share, observe and find objects", "", synchronized, lock_free) {
    shared_upstream upstream;
    {
        using pool_type = typename TestType::template pool<witness>;
        pool_type pool(pool_config::builder().capacity(256).build(),
                       initialization<witness>::lazy(), &upstream);
        struct place {
            std::mutex lock;
            shared_handle<witness> object;
            weak_handle<witness> weak;
            object_key key;
        };
        std::array<place, 8> places;
        std::atomic<std::size_t> wrong = 0;
        in_threads(4, [&](std::size_t me) {
            std::mt19937 random(static_cast<unsigned>(me));
            for (std::uint64_t i = 0; i != 5'000; ++i) {
                place& p = places[random() % places.size()];
                shared_handle<witness> mine;
                weak_handle<witness> weak;
                object_key key;
                {
                    const std::lock_guard guard(p.lock);
                    if (random() % 4 == 0) {
                        p.object = pool.make_shared(i);
                        p.weak = p.object;
                        p.key = pool.key_of(p.object);
                    }
                    if (random() % 2 == 0) mine = p.object;
                    weak = p.weak;
                    key = p.key;
                }
                if (mine) {
                    wrong += mine->state != witness::alive;
                    wrong += pool.find(pool.key_of(mine)) != mine.get();
                }
                if (const auto locked = weak.lock()) {
                    wrong += locked->state != witness::alive;
                    wrong += pool.find(key) != locked.get();
                } else if (key) {
                    wrong += pool.find(key) != nullptr;
                }
            }
        });
        CHECK(wrong == 0);
        for (place& p : places) p.object.reset();
        CHECK(pool.in_use() == 0);
        CHECK(pool.invariants_hold());
    }
    CHECK(upstream.bytes_out() == 0);
    CHECK(upstream.errors().empty());
}

TEMPLATE_TEST_CASE("threads keep objects for each other", "", synchronized, lock_free) {
    const auto how = GENERATE(0, 1, 2);
    shared_upstream upstream;
    std::atomic<int> alive = 0;
    struct object {
        std::atomic<int>* alive;
        std::uint64_t word = witness::alive;

        explicit object(std::atomic<int>& a) : alive(&a) { ++*alive; }
        object(const object&) = delete;
        object& operator=(const object&) = delete;
        ~object() { --*alive, word = 0; }
        void on_release() { word = 1; }
    };
    {
        using how_type = initialization<object>;
        const auto make = [&alive] { return object(alive); };
        const how_type hows[] = {
            how_type::recycling(make, [](object& o) { o.word = witness::alive; }),
            how_type::eager(make), how_type::deferred()};
        typename TestType::template pool<object> pool(up_to(2'000), hows[how], &upstream);
        std::mutex lock;
        std::vector<owned_handle<object>> common;
        std::atomic<std::size_t> wrong = 0;
        in_threads(4, [&](std::size_t me) {
            std::vector<owned_handle<object>> mine;
            std::mt19937 random(static_cast<unsigned>(me));
            for (int i = 0; i != 3'000; ++i) {
                if (mine.size() < 200 && random() % 2 == 0) {
                    auto made = how == 2 ? pool.try_make(alive) : pool.try_make();
                    if (made) {
                        wrong += made->word != witness::alive;
                        mine.push_back(std::move(made));
                    }
                } else if (!mine.empty()) {
                    mine.pop_back();
                }
                if (i % 64 == 0) {
                    const std::lock_guard guard(lock);
                    common.swap(mine);
                }
                if (how == 2 && i % 16 == 0) pool.drain(10);
            }
        });
        CHECK(wrong == 0);
        CHECK(pool.in_use() == common.size());
        common.clear();
        CHECK(pool.in_use() == 0);
        CHECK(pool.invariants_hold());
        pool.trim();
        CHECK(alive == 0);
        CHECK(pool.resource().in_use() == 0);
    }
    CHECK(upstream.bytes_out() == 0);
    CHECK(upstream.errors().empty());
}

TEMPLATE_TEST_CASE("objects of threads own others of the same pool", "", thread_local_,
                   synchronized, lock_free) {
    shared_upstream upstream;
    {
        struct tree {
            owned_handle<tree> left, right;
        };
        using pool_type = typename TestType::template pool<tree>;
        pool_type pool(pool_config::builder().capacity(64).build(), initialization<tree>::lazy(),
                       &upstream);
        const auto grow = [&pool](auto& self, int depth) -> owned_handle<tree> {
            auto made = pool.make();
            if (depth != 0) {
                made->left = self(self, depth - 1);
                made->right = self(self, depth - 1);
            }
            return made;
        };
        std::atomic<std::size_t> wrong = 0;
        in_threads(4, [&](std::size_t) {
            for (int i = 0; i != 30; ++i) {
                auto made = grow(grow, 6);
                made->left.reset();
                shared_handle<tree> shared = std::move(made);
                const weak_handle<tree> weak = shared;
                shared.reset();
                wrong += !weak.expired();
            }
        });
        CHECK(wrong == 0);
        CHECK(pool.in_use() == 0);
        CHECK(pool.invariants_hold());
    }
    CHECK(upstream.bytes_out() == 0);
    CHECK(upstream.errors().empty());
}

TEMPLATE_TEST_CASE("pools of several threads share a resource with containers", "", thread_local_,
                   synchronized, lock_free) {
    using resource_type = typename TestType::template pool<witness>::resource_type;
    shared_upstream upstream;
    {
        resource_type resource(&upstream);
        typename TestType::template pool<witness> pool(resource);
        in_threads(4, [&](std::size_t) {
            std::pmr::vector<owned_handle<witness>> held(&resource);
            for (std::uint64_t i = 0; i != 2'000; ++i) {
                held.push_back(pool.make(i));
                if (i % 3 == 0) held.erase(held.begin() + static_cast<int>(i % held.size()));
            }
        });
        CHECK(pool.in_use() == 0);
        CHECK(pool.invariants_hold());
        // The pool finds nothing alive when it goes.
    }
    CHECK(upstream.bytes_out() == 0);
    CHECK(upstream.errors().empty());
}

}  // namespace fastalloc::testing
