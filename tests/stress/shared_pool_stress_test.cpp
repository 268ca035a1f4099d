// SPDX-License-Identifier: MIT
#include "stress/team.hpp"
#include "support/catch.hpp"
#include "support/shared_upstream.hpp"

#include <fastalloc/fastalloc.hpp>

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <cstddef>
#include <cstdint>
#include <latch>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <new>
#include <numeric>
#include <optional>
#include <set>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace fastalloc::testing {

namespace {

// How often a thread asks for the destructors of its keys to be called again. The thread sanitizer's own
// part of a thread is gone in the last of the 4 rounds.
#ifdef __SANITIZE_THREAD__
constexpr std::uintptr_t key_rounds = 2;
#else
constexpr std::uintptr_t key_rounds = 4;
#endif

constexpr std::size_t team_sizes[] = {1, 2, 3, 8, 16};

pool_config config_of(std::size_t slot_size, std::size_t capacity, std::size_t cap) {
    return pool_config::builder().slot_size(slot_size).capacity(capacity).max_capacity(cap).build();
}

/// Blocks on their way from one thread to another.
class mailbox {
public:
    void put(std::vector<signed_block> blocks) {
        const std::lock_guard guard(lock_);
        blocks_.insert(blocks_.end(), blocks.begin(), blocks.end());
    }

    std::vector<signed_block> take() {
        const std::lock_guard guard(lock_);
        return std::exchange(blocks_, {});
    }

private:
    std::mutex lock_;
    std::vector<signed_block> blocks_;
};

/// Notices two threads inside at once. What is below it is for one thread only.
class lonely_upstream final : public std::pmr::memory_resource {
public:
    std::atomic<int> meetings = 0;
    checking_resource checked;

private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        const visit v{this};
        return checked.allocate(bytes, alignment);
    }

    void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) override {
        const visit v{this};
        checked.deallocate(p, bytes, alignment);
    }

    bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
        return this == &other;
    }

    struct visit {
        lonely_upstream* upstream;
        explicit visit(lonely_upstream* u) : upstream(u) { u->meetings += u->inside++ != 0; }
        ~visit() { --upstream->inside; }
    };

    std::atomic<int> inside = 0;
};

}  // namespace

#define SHARED_POOLS synchronized_pool_resource, lock_free_pool_resource

TEMPLATE_TEST_CASE("threads replace live blocks of any size", "", SHARED_POOLS) {
    for (const std::size_t threads : team_sizes) {
        shared_upstream upstream;
        TestType resource(&upstream);
        std::atomic<std::size_t> damaged = 0;
        in_threads(threads, [&](std::size_t i) {
            worker w(resource, i);
            std::vector<signed_block> live(100);
            for (auto& b : live) b = w.allocate_any(5'000);
            for (std::size_t n = 0; n != 20'000 / threads; ++n) {
                auto& b = live[w.up_to(live.size() - 1)];
                damaged += !w.deallocate(b);
                b = w.allocate_any(5'000);
            }
            for (const auto& b : live) damaged += !w.deallocate(b);
        });
        CHECK(damaged == 0);
        CHECK(resource.in_use() == 0);
        CHECK(resource.invariants_hold());
        CHECK(resource.capacity() == resource.available());
        resource.release();
        CHECK(upstream.blocks_out() == 0);
        CHECK(upstream.errors().empty());
    }
}

TEMPLATE_TEST_CASE("some threads only allocate and others only free", "", SHARED_POOLS) {
    const auto [producers, consumers] =
        GENERATE(std::pair(1u, 1u), std::pair(4u, 1u), std::pair(1u, 4u), std::pair(8u, 8u));
    shared_upstream upstream;
    TestType resource(&upstream);
    mailbox box;
    std::atomic<std::size_t> damaged = 0;
    std::atomic<std::size_t> producing = producers;
    in_threads(producers + consumers, [&, producers = producers](std::size_t i) {
        worker w(resource, i);
        if (i < producers) {
            for (std::size_t n = 0; n != 60'000 / producers / 100; ++n) {
                std::vector<signed_block> batch;
                for (int k = 0; k != 100; ++k) batch.push_back(w.allocate(w.up_to(200), 8));
                box.put(std::move(batch));
            }
            --producing;
        } else {
            for (bool last = false; !last;) {
                last = producing == 0;
                const auto blocks = box.take();
                for (const auto& b : blocks) damaged += !w.deallocate(b);
                if (blocks.empty()) std::this_thread::yield();
            }
        }
    });
    CHECK(damaged == 0);
    CHECK(box.take().empty());
    CHECK(resource.in_use() == 0);
    CHECK(resource.invariants_hold());
    CHECK(upstream.errors().empty());
}

TEMPLATE_TEST_CASE("threads take over each other's blocks, and others come and go", "",
                   SHARED_POOLS) {
    for (const std::size_t threads : team_sizes) {
        shared_upstream upstream;
        TestType resource(&upstream);
        std::vector<mailbox> boxes(threads);
        std::atomic<std::size_t> damaged = 0;
        for (int generation = 0; generation != 20; ++generation) {
            in_threads(threads, [&](std::size_t i) {
                worker w(resource, i);
                for (int round = 0; round != 10; ++round) {
                    auto blocks = boxes[w.up_to(threads - 1)].take();
                    std::shuffle(blocks.begin(), blocks.end(), w.random);
                    while (blocks.size() > 20) {
                        damaged += !w.deallocate(blocks.back());
                        blocks.pop_back();
                    }
                    while (blocks.size() < 50) blocks.push_back(w.allocate_any(1'000));
                    boxes[i].put(std::move(blocks));
                }
            });
        }
        worker w(resource, 99);
        for (mailbox& box : boxes) {
            for (const auto& b : box.take()) damaged += !w.deallocate(b);
        }
        CHECK(damaged == 0);
        CHECK(resource.in_use() == 0);
        CHECK(resource.invariants_hold());
        resource.trim();
        CHECK(resource.capacity() == 0);
        resource.release();
        CHECK(upstream.blocks_out() == 0);
    }
}

TEMPLATE_TEST_CASE("more threads come at once than a resource has room for from the start", "",
                   SHARED_POOLS, thread_local_pool_resource) {
    constexpr std::ptrdiff_t threads = 80;
    for (int round = 0; round != 3; ++round) {
        shared_upstream upstream;
        TestType resource(&upstream);
        std::atomic<std::size_t> damaged = 0;
        std::latch all_are_inside(threads);
        // A thread's first call may be for the block of another, where nothing may be asked of upstream.
        constexpr bool may_give_back = !std::is_same_v<TestType, thread_local_pool_resource>;
        std::vector<signed_block> of_others;
        if constexpr (may_give_back) {
            worker w(resource, threads);
            for (std::ptrdiff_t i = 0; i != threads; ++i) of_others.push_back(w.allocate(64, 8));
        }
        in_threads(threads, [&](std::size_t i) {
            worker w(resource, i);
            if constexpr (may_give_back) damaged += !w.deallocate(of_others[i]);
            const signed_block first = w.allocate_any(1'000);
            all_are_inside.arrive_and_wait();
            const signed_block second = w.allocate_any(1'000);
            damaged += !w.deallocate(first);
            damaged += !w.deallocate(second);
        });
        CHECK(damaged == 0);
        CHECK(resource.invariants_hold());
        resource.release();
        CHECK(upstream.blocks_out() == 0);
        CHECK(upstream.errors().empty());
    }
}

TEMPLATE_TEST_CASE("two thousand short threads leave the memory of a few", "", SHARED_POOLS) {
    shared_upstream upstream;
    TestType resource(&upstream);
    constexpr std::size_t threads = 4;
    const auto use = [&] {
        // Of every four threads all are there at the same time.
        std::barrier all(threads);
        in_threads(threads, [&](std::size_t i) {
            worker w(resource, i);
            std::vector<signed_block> live;
            for (int n = 0; n != 200; ++n) live.push_back(w.allocate_any(500));
            all.arrive_and_wait();
            for (const auto& b : live) w.deallocate(b);
        });
    };
    // Until magazines have grown and every thread has met every other.
    for (int n = 0; n != 100; ++n) use();
    const std::size_t bytes = upstream.bytes_out();
    for (int n = 0; n != 500; ++n) use();
    CHECK(resource.in_use() == 0);
    CHECK(resource.invariants_hold());
    CHECK(upstream.bytes_out() < bytes + bytes / 4);
}

TEMPLATE_TEST_CASE("a cap holds whatever threads do", "", SHARED_POOLS) {
    for (const std::size_t cap : {1u, 63u, 64u, 640u, 10'000u}) {
        TestType resource(config_of(32, std::min<std::size_t>(cap, 100), cap));
        constexpr std::size_t threads = 8;
        const std::size_t kept_by_threads = threads * (cap / 64);
        std::atomic<std::size_t> live = 0;
        std::atomic<std::size_t> most = 0;
        std::atomic<std::size_t> refused_too_early = 0;
        std::atomic<std::size_t> damaged = 0;
        in_threads(threads, [&](std::size_t i) {
            worker w(resource, i);
            std::vector<signed_block> mine;
            for (int n = 0; n != 10'000; ++n) {
                if (w.up_to(99) < 60) {
                    const signed_block b = w.try_allocate(32, 8);
                    if (b.start != nullptr) {
                        mine.push_back(b);
                        const std::size_t now = ++live;
                        for (std::size_t m = most;
                             m < now && !most.compare_exchange_weak(m, now);) {
                        }
                    }
                } else if (!mine.empty()) {
                    // A block counts as live a little shorter than it is.
                    --live;
                    damaged += !w.deallocate(mine.back());
                    mine.pop_back();
                }
            }
            live -= mine.size();
            for (const auto& b : mine) damaged += !w.deallocate(b);
        });
        CHECK(most <= cap);
        CHECK(damaged == 0);
        CHECK(resource.capacity() <= cap);
        CHECK(resource.in_use() == 0);
        CHECK(resource.invariants_hold());
        // Nobody is refused while there is one for everybody, beside what threads may keep.
        const std::size_t share = (cap - std::min(cap, kept_by_threads)) / threads;
        in_threads(threads, [&](std::size_t i) {
            worker w(resource, i);
            for (int n = 0; n != 200; ++n) {
                std::vector<signed_block> mine;
                for (std::size_t k = 0; k != share; ++k) {
                    mine.push_back(w.try_allocate(32, 8));
                    if (mine.back().start != nullptr) continue;
                    ++refused_too_early;
                    mine.pop_back();
                }
                for (const auto& b : mine) damaged += !w.deallocate(b);
            }
        });
        CHECK(refused_too_early == 0);
        // What ended threads kept is found again: the caller can have everything.
        std::vector<void*> all(cap);
        resource.allocate_batch(all, 32, 8);
        CHECK(std::set<void*>(all.begin(), all.end()).size() == cap);
        CHECK_THROWS_AS(resource.allocate(32, 8), pool_exhausted);
        CHECK(resource.try_allocate(32, 8) == nullptr);
        CHECK(resource.in_use() == cap);
        resource.deallocate_batch(all, 32, 8);
    }
}

TEMPLATE_TEST_CASE("upstream may fail in one thread while others go on", "", SHARED_POOLS) {
    shared_upstream upstream;
    TestType resource(&upstream);
    std::atomic<std::size_t> damaged = 0;
    std::atomic<std::size_t> failures = 0;
    in_threads(4, [&](std::size_t i) {
        worker w(resource, i);
        std::vector<signed_block> live;
        for (int n = 0; n != 5'000; ++n) {
            if (i == 0 && n % 50 == 0) upstream.fail_after(w.up_to(5));
            if (i == 0 && n % 50 == 25) upstream.never_fail();
            try {
                live.push_back(w.allocate_any(10'000));
            } catch (const std::bad_alloc&) {
                ++failures;
            }
            std::vector<void*> batch(100);
            try {
                resource.allocate_batch(batch, 48, 8);
                resource.deallocate_batch(batch, 48, 8);
            } catch (const std::bad_alloc&) {
                ++failures;
            }
            if (live.size() > 100) {
                damaged += !w.deallocate(live.back());
                live.pop_back();
                damaged += !w.deallocate(live.front());
                live.erase(live.begin());
            }
        }
        for (const auto& b : live) damaged += !w.deallocate(b);
    });
    upstream.never_fail();
    CHECK(failures != 0);
    CHECK(damaged == 0);
    CHECK(resource.in_use() == 0);
    CHECK(resource.invariants_hold());
    resource.release();
    CHECK(upstream.blocks_out() == 0);
    CHECK(upstream.errors().empty());
}

TEST_CASE("one thread at a time is in upstream below synchronized_pool_resource") {
    lonely_upstream upstream;
    {
        synchronized_pool_resource resource(&upstream);
        in_threads(8, [&](std::size_t i) {
            worker w(resource, i);
            std::vector<signed_block> live;
            for (int n = 0; n != 2'000; ++n) live.push_back(w.allocate_any(10'000));
            for (const auto& b : live) w.deallocate(b);
            resource.trim();
        });
        CHECK(resource.in_use() == 0);
        CHECK(resource.invariants_hold());
    }
    CHECK(upstream.meetings == 0);
    CHECK(upstream.checked.blocks_out() == 0);
    CHECK(upstream.checked.errors().empty());
}

TEST_CASE("what synchronized_pool_resource lends of upstream is itself only") {
    synchronized_pool_resource one;
    synchronized_pool_resource other;
    CHECK(one.shared_upstream()->is_equal(*one.shared_upstream()));
    CHECK_FALSE(one.shared_upstream()->is_equal(*other.shared_upstream()));
}

TEST_CASE("synchronized_pool_resource is trimmed while threads work") {
    shared_upstream upstream;
    synchronized_pool_resource resource(&upstream);
    std::atomic<bool> done = false;
    std::atomic<std::size_t> damaged = 0;
    std::atomic<std::size_t> at_work = 4;
    in_threads(5, [&](std::size_t i) {
        worker w(resource, i);
        if (i == 4) {
            while (!done) {
                w.deallocate(w.allocate_any(500));
                resource.trim();
            }
            return;
        }
        for (int round = 0; round != 20; ++round) {
            std::vector<signed_block> live;
            for (int n = 0; n != 300; ++n) live.push_back(w.allocate_any(2'000));
            std::shuffle(live.begin(), live.end(), w.random);
            for (const auto& b : live) damaged += !w.deallocate(b);
        }
        if (--at_work == 0) done = true;
    });
    CHECK(damaged == 0);
    CHECK(resource.in_use() == 0);
    CHECK(resource.invariants_hold());
    resource.trim();
    CHECK(resource.capacity() == 0);
    CHECK(upstream.errors().empty());
}

TEMPLATE_TEST_CASE("observers may be called while threads work", "", SHARED_POOLS) {
    TestType resource;
    std::atomic<bool> done = false;
    std::atomic<std::size_t> wrong = 0;
    std::atomic<std::size_t> at_work = 3;
    void* const mine = resource.allocate(64, 8);
    in_threads(4, [&](std::size_t i) {
        worker w(resource, i);
        if (i == 3) {
            std::size_t grown = 0;
            while (!done) {
                wrong += resource.in_use() > resource.capacity();
                wrong += resource.available() > (std::size_t{1} << 40);
                wrong += !resource.owns(mine) || resource.owns(&wrong);
                wrong += resource.growth_count() < grown;
                grown = resource.growth_count();
            }
            return;
        }
        for (int round = 0; round != 30; ++round) {
            std::vector<signed_block> live;
            for (int n = 0; n != 500; ++n) live.push_back(w.allocate_any(500));
            std::shuffle(live.begin(), live.end(), w.random);
            for (const auto& b : live) wrong += !w.deallocate(b);
        }
        if (--at_work == 0) done = true;
    });
    CHECK(wrong == 0);
    CHECK(resource.in_use() == 1);
    resource.deallocate(mine, 64, 8);
    CHECK(resource.capacity() == resource.available());
}

TEMPLATE_TEST_CASE("a resource goes while threads that used it live, and another takes its place",
                   "", SHARED_POOLS) {
    shared_upstream upstream;
    std::optional<TestType> resource(&upstream);
    constexpr std::size_t threads = 4;
    std::atomic<std::size_t> damaged = 0;
    std::barrier phase(threads);
    in_threads(threads, [&](std::size_t i) {
        for (int round = 0; round != 50; ++round) {
            worker w(*resource, i);
            std::vector<signed_block> live;
            for (int n = 0; n != 200; ++n) live.push_back(w.allocate_any(500));
            for (const auto& b : live) damaged += !w.deallocate(b);
            phase.arrive_and_wait();
            if (i == static_cast<std::size_t>(round) % threads) {
                if (round % 3 == 0) {
                    resource->release();
                } else {
                    resource.reset();
                }
                damaged += upstream.blocks_out() != 0;
                if (!resource) resource.emplace(&upstream);
            }
            phase.arrive_and_wait();
        }
    });
    CHECK(damaged == 0);
    resource.reset();
    CHECK(upstream.blocks_out() == 0);
    CHECK(upstream.errors().empty());
}

TEMPLATE_TEST_CASE("thousands of resources live, each used by two threads", "", SHARED_POOLS) {
    const pool_config config = config_of(64, 20, 10'000);
    const detail::slot_geometry geometry(config.slot_size(), config.alignment());
    shared_upstream upstream;
    {
        std::vector<std::unique_ptr<TestType>> resources;
        for (int n = 0; n != 2'000; ++n) {
            resources.push_back(std::make_unique<TestType>(config, &upstream));
        }
        in_threads(2, [&](std::size_t i) {
            for (auto& resource : resources) {
                worker w(*resource, i);
                w.deallocate(w.allocate(64, 8));
            }
        });
        // A resource with two threads: 20 slots, a row and a magazine for each, and the depot. Full checks
        // have a little more in each.
        constexpr std::size_t checked = detail::build::level == detail::checks::full ? 100 : 0;
        CHECK(upstream.bytes_out() / resources.size() <
              20 * geometry.stride() + 2 * 1'200 + 1'500 + checked);
    }
    CHECK(upstream.blocks_out() == 0);
}

TEMPLATE_TEST_CASE("threads use a resource until their very end", "", SHARED_POOLS) {
    static TestType* used;
    static std::atomic<std::size_t> uses;
    static pthread_key_t key;
    shared_upstream upstream;
    TestType resource(&upstream);
    used = &resource;
    uses = 0;
    struct late {
        late() = default;
        ~late() {
            used->deallocate(used->allocate(40, 8), 40, 8);
            ++uses;
        }
    };
    REQUIRE(pthread_key_create(&key, [](void* round) {
                used->deallocate(used->allocate(40, 8), 40, 8);
                ++uses;
                const auto n = reinterpret_cast<std::uintptr_t>(round);
                if (n != key_rounds) pthread_setspecific(key, reinterpret_cast<void*>(n + 1));
            }) == 0);
    for (int n = 0; n != 50; ++n) {
        std::thread([&] {
            thread_local late object;
            (void)object;
            used->deallocate(used->allocate(40, 8), 40, 8);
            pthread_setspecific(key, reinterpret_cast<void*>(std::uintptr_t{1}));
            if (n % 2 == 0) pthread_exit(nullptr);
        }).join();
    }
    pthread_key_delete(key);
    CHECK(uses == 50 * (1 + key_rounds));
    CHECK(resource.in_use() == 0);
    CHECK(resource.invariants_hold());
    resource.release();
    CHECK(upstream.blocks_out() == 0);
}

TEMPLATE_TEST_CASE("blocks and books of two threads share no cache line", "", SHARED_POOLS) {
    constexpr std::size_t line = 64;
    const auto config =
        pool_config::builder().slot_size(20).alignment(line).capacity(1'000).build();
    shared_upstream upstream;
    TestType resource(config, &upstream);
    constexpr std::size_t threads = 4;
    std::vector<std::vector<signed_block>> blocks(threads);
    std::barrier all(threads);
    in_threads(threads, [&](std::size_t i) {
        worker w(resource, i);
        for (int n = 0; n != 200; ++n) blocks[i].push_back(w.allocate(20, line));
        all.arrive_and_wait();
    });
    std::set<std::uintptr_t> lines;
    std::size_t shared = 0;
    for (const auto& of_thread : blocks) {
        for (const auto& b : of_thread) {
            const auto address = reinterpret_cast<std::uintptr_t>(b.start);
            shared += !lines.insert(address / line).second || address % line + b.bytes > line;
        }
    }
    CHECK(shared == 0);
    // All but the slabs, which are the largest, and the two tables that no thread writes to twice.
    std::size_t in_whole_lines = 0;
    for (const auto& request : upstream.requests_out()) {
        in_whole_lines += request.alignment == line && request.bytes % line == 0;
    }
    CHECK(in_whole_lines >= 2 * threads);
    for (const auto& of_thread : blocks) {
        for (const auto& b : of_thread) resource.deallocate(b.start, b.bytes, b.alignment);
    }
}

TEMPLATE_TEST_CASE("a growth function may use the resource that it is asked by", "", SHARED_POOLS) {
    TestType* used = nullptr;
    std::atomic<int> calls = 0;
    const auto config = pool_config::builder()
                            .slot_size(64)
                            .capacity(10)
                            .growth(growth_strategy::custom([&](std::size_t capacity) {
                                ++calls;
                                // It would wait for ever if a lock were held.
                                if (used->in_use() > used->capacity()) return std::size_t{0};
                                used->deallocate(used->allocate(1'000, 8), 1'000, 8);
                                return capacity / 2 + 1;
                            }))
                            .build();
    const auto other = config_of(1'000, 100, 100'000);
    TestType resource(std::vector{config, other});
    used = &resource;
    std::atomic<std::size_t> damaged = 0;
    in_threads(4, [&](std::size_t i) {
        worker w(resource, i);
        std::vector<signed_block> live;
        for (int n = 0; n != 2'000; ++n) live.push_back(w.allocate(64, 8));
        for (const auto& b : live) damaged += !w.deallocate(b);
    });
    CHECK(calls != 0);
    CHECK(damaged == 0);
    CHECK(resource.in_use() == 0);
    CHECK(resource.invariants_hold());
}

}  // namespace fastalloc::testing
