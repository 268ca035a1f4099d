// SPDX-License-Identifier: MIT
// An exception of the user's passes through every frame of ours that it can come from, and leaves
// everything usable and nothing lost.
#include "limits/every_resource.hpp"
#include "support/catch.hpp"
#include "support/shared_upstream.hpp"

#include <cstddef>
#include <memory_resource>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace fastalloc::testing {

namespace {

/// Not derived from anything that we might expect.
struct private_error {
    int number;
};

/// Counts down to a throw; 0: nothing throws.
int calls_to_throw = 0;

void may_throw() {
    if (calls_to_throw != 0 && --calls_to_throw == 0) throw private_error{7};
}

/// An upstream that throws what it wants.
class throwing_upstream final : public std::pmr::memory_resource {
public:
    const shared_upstream& checked() const { return checked_; }

private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        may_throw();
        return checked_.allocate(bytes, alignment);
    }

    void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) override {
        checked_.deallocate(p, bytes, alignment);
    }

    bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
        return this == &other;
    }

    shared_upstream checked_;
};

struct guarded {
    std::string text = std::string(100, 'g');

    guarded() { may_throw(); }
    explicit guarded(int) : guarded() { may_throw(); }
    guarded(const guarded& other) : text(other.text) { may_throw(); }
    guarded& operator=(const guarded&) = delete;

    void on_acquire() { may_throw(); }
};

// Effects: calls `f()` with each throw of the user's in turn, and once with none. Returns: how many
// exceptions came out of it. We make do without what is refused, where we can: then none does.
template <class F>
int with_each_throw(F f) {
    int came_out = 0;
    for (int n = 1;; ++n) {
        calls_to_throw = n;
        try {
            f();
        } catch (const private_error& e) {
            CHECK(e.number == 7);
            CHECK(calls_to_throw == 0);
            ++came_out;
        } catch (const std::bad_alloc&) {
            // There was no room to keep an object, whatever upstream called it.
            CHECK(calls_to_throw == 0);
            ++came_out;
        }
        if (std::exchange(calls_to_throw, 0) != 0) return came_out;
    }
}

void check_returned(const throwing_upstream& upstream) {
    CHECK(upstream.checked().errors().empty());
    CHECK(upstream.checked().bytes_out() == 0);
}

template <class Pool>
void use(Pool& pool) {
    const auto a = pool.make();
    const auto b = pool.make();
    const shared_handle<guarded> c = pool.make_shared();
    const weak_handle<guarded> d = c;
    CHECK(d.lock()->text.size() == 100);
}

template <class Pool>
void check_objects(const initialization<guarded>& how) {
    throwing_upstream upstream;
    int thrown = 0;
    {
        std::optional<Pool> pool;
        const auto config = pool_config::builder().capacity(4).build();
        thrown += with_each_throw([&] { pool.emplace(config, how, &upstream); });
        thrown += with_each_throw([&] { use(*pool); });
        CHECK(pool->in_use() == 0);
        thrown += with_each_throw([&] { (void)pool->make_batch(4); });
        CHECK(pool->in_use() == 0);
        use(*pool);
    }
    CHECK(thrown > 3);
    check_returned(upstream);
}

}  // namespace

TEMPLATE_TEST_CASE("what upstream and growth functions throw passes through resources", "",
                   FASTALLOC_RESOURCES_THAT_GROW) {
    throwing_upstream upstream;
    const auto config = slots_of(40, 3)
                            .growth(growth_strategy::custom([](std::size_t) {
                                may_throw();
                                return std::size_t{2};
                            }))
                            .build();
    int thrown = 0;
    {
        TestType resource(config, &upstream);
        std::vector<void*> held(12);
        thrown += with_each_throw([&] {
            resource.allocate_batch(held, 40, 8);
            resource.deallocate_batch(held, 40, 8);
        });
        CHECK(resource.in_use() == 0);
        resource.release();
        CHECK(upstream.checked().bytes_out() == 0);
        const auto allocate_again = [&](void*& p, std::size_t bytes) {
            if (void* const before = std::exchange(p, nullptr))
                resource.deallocate(before, bytes, 8);
            p = resource.allocate(bytes, 8);
        };
        held.assign(held.size(), nullptr);
        for (void*& p : held) thrown += with_each_throw([&] { allocate_again(p, 40); });
        void* larger = nullptr;
        thrown += with_each_throw([&] { allocate_again(larger, 5'000); });
        CHECK(resource.in_use() == held.size());
        resource.deallocate(larger, 5'000, 8);
        resource.deallocate_batch(held, 40, 8);
    }
    CHECK(thrown >= 5);
    check_returned(upstream);
}

TEMPLATE_TEST_CASE("try_allocate lets nothing pass", "", FASTALLOC_RESOURCES_THAT_GROW) {
    throwing_upstream upstream;
    {
        TestType resource(slots_of(40, 3).build(), &upstream);
        const int thrown = with_each_throw([&] {
            if (void* const p = resource.try_allocate(40, 8)) resource.deallocate(p, 40, 8);
        });
        CHECK(thrown == 0);
        CHECK(resource.in_use() == 0);
    }
    check_returned(upstream);
}

TEMPLATE_TEST_CASE("what constructors, hooks and upstream throw passes through typed pools", "",
                   fixed_pool<guarded>, growing_pool<guarded>, thread_local_pool<guarded>,
                   synchronized_pool<guarded>, lock_free_pool<guarded>) {
    const auto make = [] {
        may_throw();
        return guarded();
    };
    SECTION("lazy") { check_objects<TestType>(initialization<guarded>::lazy()); }
    SECTION("eager") { check_objects<TestType>(initialization<guarded>::eager(make)); }
    SECTION("recycling") {
        check_objects<TestType>(
            initialization<guarded>::recycling(make, [](guarded&) { may_throw(); }));
    }
    SECTION("deferred") { check_objects<TestType>(initialization<guarded>::deferred()); }
}

TEST_CASE("arguments are taken, and constructors that delegate are undone") {
    throwing_upstream upstream;
    {
        growing_pool<guarded> pool(pool_config::builder().capacity(2).build(),
                                   initialization<guarded>::lazy(), &upstream);
        const guarded model;
        CHECK(with_each_throw([&] { (void)pool.make(1); }) >= 3);
        CHECK(with_each_throw([&] { (void)pool.make_batch(5, model); }) >= 10);
        CHECK(with_each_throw([&] { (void)pool.try_make(model); }) >= 2);
        CHECK(pool.in_use() == 0);
    }
    check_returned(upstream);
}

TEMPLATE_TEST_CASE("containers are left as they were", "", growing_pool_resource,
                   synchronized_pool_resource, lock_free_pool_resource,
                   thread_local_pool_resource) {
    throwing_upstream upstream;
    {
        TestType resource(&upstream);
        {
            std::pmr::vector<std::pmr::string> texts(&resource);
            for (std::size_t size = 0; size != 200; ++size) {
                for (int n = 1; texts.size() == size; ++n) {
                    calls_to_throw = n;
                    try {
                        texts.emplace_back(100, 'x');
                    } catch (const private_error&) {
                        CHECK(texts.size() == size);
                    }
                }
            }
            calls_to_throw = 0;
        }
        CHECK(resource.in_use() == 0);
    }
    check_returned(upstream);
}

}  // namespace fastalloc::testing
