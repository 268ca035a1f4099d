// SPDX-License-Identifier: MIT
// What a child of fork() may rely on when threads of the parent are not there any more.
#include "support/catch.hpp"
#include "support/in_a_child.hpp"

#include <fastalloc/fastalloc.hpp>

#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <optional>
#include <semaphore>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace fastalloc::testing {

namespace {

/// A thread that has done something, and waits.
class waiting_thread {
public:
    template <class F>
    explicit waiting_thread(F f)
        : thread_([this, f] {
              f([this] {
                  is_ready_.release();
                  may_end_.acquire();
              });
          }) {
        is_ready_.acquire();
    }

    waiting_thread(const waiting_thread&) = delete;
    waiting_thread& operator=(const waiting_thread&) = delete;

    ~waiting_thread() {
        may_end_.release();
        thread_.join();
    }

private:
    std::binary_semaphore is_ready_{0};
    std::binary_semaphore may_end_{0};
    std::thread thread_;
};

void expect(bool condition, const char* what) {
    if (condition) return;
    if (write(STDERR_FILENO, what, std::char_traits<char>::length(what)) < 0) _exit(2);
    _exit(1);
}

void check(const ending& ended) {
    CAPTURE(ended.output);
    CHECK(ended.exit_status == 0);
}

struct widget {
    std::array<char, 48> name{};
};

template <class Pool>
void check_pool_with_objects_of_others() {
    std::optional<Pool> pool;
    pool.emplace(pool_config::builder().capacity(100).build(),
                 initialization<widget>::recycling([] { return widget(); }, [](widget&) {}));
    const waiting_thread owner([&](auto wait) {
        const auto held = pool->make_batch(10);
        { const auto kept = pool->make_batch(10); }
        wait();
    });
    check(in_a_child([&] {
        { const auto mine = pool->make_batch(20); }
        std::thread([&] { const auto more = pool->make_batch(20); }).join();
        pool.reset();
    }));
}

}  // namespace

TEST_CASE("the end of a thread is noticed in a child whose parent had a thread at that place") {
    std::optional<thread_local_pool_resource> of_parent(std::in_place);
    const waiting_thread other([&](auto wait) {
        void* const p = of_parent->allocate(64, 8);
        wait();
        of_parent->deallocate(p, 64, 8);
    });
    check(in_a_child([&] {
        alarm(60);
        // Its stack, and what is thread_local in it, may lie where that of the other was.
        thread_local_pool_resource resource;
        void* left = nullptr;
        {
            const waiting_thread mine([&](auto wait) {
                left = resource.allocate(64, 8);
                wait();
            });
            of_parent.reset();
        }
        resource.deallocate(left, 64, 8);  // which aborts unless the thread has ended
        expect(resource.in_use_by_all() == 0, "in use");
    }));
}

TEST_CASE("a child is not told that objects of its parent's threads are alive") {
    check_pool_with_objects_of_others<thread_local_pool<widget>>();
    check_pool_with_objects_of_others<lock_free_pool<widget>>();
    check_pool_with_objects_of_others<synchronized_pool<widget>>();
}

TEST_CASE("objects that are alive are told of in a parent, and in a child that lacks no thread") {
    const ending ended = in_a_child([] {
        alignas(growing_pool<widget>) std::array<std::byte, sizeof(growing_pool<widget>)> place;
        auto* const pool =
            ::new (place.data()) growing_pool<widget>(pool_config::builder().capacity(9).build());
        (void)pool->make().release();
        std::destroy_at(pool);
    });
    CHECK(ended.aborted);
}

TEST_CASE("threads of a child, and of its child, have numbers that no other thread had") {
    std::uint32_t of_other = 0;
    const waiting_thread other([&](auto wait) {
        of_other = detail::thread_number::assign().value();
        wait();
    });
    const auto number_of_a_new_thread = [] {
        std::uint32_t number = 0;
        std::thread([&] { number = detail::thread_number::assign().value(); }).join();
        return number;
    };
    CHECK_FALSE(detail::thread_number::there_are_orphans());
    check(in_a_child([&] {
        expect(detail::thread_number(of_other).is_orphan(), "not an orphan");
        expect(!detail::thread_number::mine().is_orphan(), "an orphan");
        const std::uint32_t first = number_of_a_new_thread();
        expect(first != of_other, "the number of the parent's thread");
        expect(number_of_a_new_thread() == first, "the number was not given back");
        const ending ended = in_a_child([&] {
            expect(detail::thread_number(of_other).is_orphan(),
                   "not an orphan of the child's child");
            expect(number_of_a_new_thread() == first, "not the number of an ended thread");
        });
        expect(ended.exit_status == 0, ended.output.c_str());
    }));
}

TEST_CASE("a synchronized_pool_resource is whole in a child if no thread was inside") {
    std::optional<synchronized_pool_resource> resource(std::in_place);
    const waiting_thread other([&](auto wait) {
        std::vector<void*> all;
        for (int i = 0; i != 1'000; ++i) all.push_back(resource->allocate(64, 8));
        wait();
        for (void* const p : all) resource->deallocate(p, 64, 8);
    });
    check(in_a_child([&] {
        alarm(60);
        void* const p = resource->allocate(64, 8);
        std::thread([&] { resource->deallocate(p, 64, 8); }).join();
        expect(resource->in_use() == 1'000, "in use");
        resource->trim();
        resource->release();
        expect(resource->in_use() == 0, "in use after release");
        resource->deallocate(resource->allocate(64, 8), 64, 8);
        resource.reset();
    }));
}

}  // namespace fastalloc::testing
