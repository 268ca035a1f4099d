// SPDX-License-Identifier: MIT
#include "support/blocks.hpp"
#include "support/catch.hpp"
#include "support/check_refused.hpp"
#include "support/checking_resource.hpp"
#include "support/fresh_pages.hpp"

#include <fastalloc/fastalloc.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <limits>
#include <memory_resource>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace fastalloc::testing {

namespace {

constexpr std::size_t size_max = std::numeric_limits<std::size_t>::max();

pool_config::builder_type ten_slots() {
    auto builder = pool_config::builder();
    builder.slot_size(64).capacity(10);
    return builder;
}

pool_config a_class(std::size_t slot_size, std::size_t capacity) {
    return pool_config::builder().slot_size(slot_size).capacity(capacity).build();
}

template <class Resource>
void take_all(Resource& resource, std::size_t bytes, std::vector<void*>& taken) {
    while (void* const p = resource.try_allocate(bytes, 1)) taken.push_back(p);
}

/// Takes slots until there were `count` capacities, and returns these.
std::vector<std::size_t> capacities(growing_pool_resource& resource, std::size_t count) {
    std::vector<std::size_t> seen;
    while (true) {
        (void)resource.allocate(64, 8);
        if (!seen.empty() && seen.back() == resource.capacity()) continue;
        CHECK(resource.growth_count() == seen.size());
        seen.push_back(resource.capacity());
        if (seen.size() == count) return seen;
    }
}

void check_exhausted(growing_pool_resource& resource, std::size_t slot_size, std::size_t capacity) {
    const std::size_t in_use = resource.in_use();
    try {
        (void)resource.allocate(slot_size, 1);
        FAIL("there was another slot");
    } catch (const pool_exhausted& e) {
        CHECK(e.slot_size() == slot_size);
        CHECK(e.capacity() == capacity);
    }
    CHECK(resource.try_allocate(slot_size, 1) == nullptr);
    CHECK(resource.in_use() == in_use);
}

}  // namespace

TEST_CASE("the initial capacity is reserved at first use") {
    checking_resource upstream;
    growing_pool_resource resource(ten_slots().build(), &upstream);
    CHECK(upstream.calls() == 0);
    CHECK(resource.capacity() == 0);
    CHECK(resource.available() == 0);
    CHECK(resource.growth_count() == 0);
    CHECK(resource.options().largest_required_pool_block == 64);
    void* const p = resource.allocate(64, 8);
    CHECK(resource.capacity() == 10);
    CHECK(resource.growth_count() == 0);
    const std::size_t calls = upstream.calls();
    live_blocks live(resource);
    for (int i = 0; i != 9; ++i) live.allocate(64, 8);
    CHECK(upstream.calls() == calls);
    CHECK(resource.available() == 0);
    resource.deallocate(p, 64, 8);
}

TEST_CASE("a pool grows by its strategy") {
    using sizes = std::vector<std::size_t>;
    checking_resource upstream;
    auto builder = ten_slots();
    SECTION("the default doubles") {
        growing_pool_resource resource(builder.build(), &upstream);
        CHECK(capacities(resource, 6) == sizes{10, 20, 40, 80, 160, 320});
    }
    SECTION("linear") {
        builder.growth(growth_strategy::linear(5));
        growing_pool_resource resource(builder.build(), &upstream);
        CHECK(capacities(resource, 5) == sizes{10, 15, 20, 25, 30});
    }
    SECTION("exponential rounds up") {
        builder.growth(growth_strategy::exponential(1.5));
        growing_pool_resource resource(builder.build(), &upstream);
        CHECK(capacities(resource, 5) == sizes{10, 15, 23, 35, 53});
    }
    SECTION("custom sees the capacity") {
        sizes seen;
        builder.growth(growth_strategy::custom([&](std::size_t current) {
            seen.push_back(current);
            return current + 1;
        }));
        growing_pool_resource resource(builder.build(), &upstream);
        CHECK(capacities(resource, 4) == sizes{10, 21, 43, 87});
        CHECK(seen == sizes{10, 21, 43});
    }
    SECTION("one slot at a time") {
        growing_pool_resource resource(
            builder.capacity(1).growth(growth_strategy::linear(1)).build(), &upstream);
        const sizes seen = capacities(resource, 300);
        CHECK(seen.back() == 300);
    }
}

TEST_CASE("the maximum is reached exactly") {
    checking_resource upstream;
    growing_pool_resource resource(ten_slots().max_capacity(37).build(), &upstream);
    CHECK(capacities(resource, 3) == std::vector<std::size_t>{10, 20, 37});
    std::vector<void*> taken;
    take_all(resource, 64, taken);
    CHECK(resource.in_use() == 37);
    check_exhausted(resource, 64, 37);
    CHECK(resource.growth_count() == 2);

    resource.deallocate(taken.back(), 64, 1);
    CHECK(resource.allocate(64, 8) == taken.back());
    check_exhausted(resource, 64, 37);
}

TEST_CASE("the maximum is the capacity") {
    checking_resource upstream;
    growing_pool_resource resource(ten_slots().max_capacity(10).build(), &upstream);
    std::vector<void*> taken;
    take_all(resource, 64, taken);
    CHECK(taken.size() == 10);
    check_exhausted(resource, 64, 10);
}

TEST_CASE("a pool without growth stays as it began") {
    checking_resource upstream;
    growing_pool_resource resource(
        ten_slots().growth(growth_strategy::none()).max_capacity(100).build(), &upstream);
    std::vector<void*> taken;
    take_all(resource, 64, taken);
    CHECK(taken.size() == 10);
    check_exhausted(resource, 64, 10);
    resource.deallocate(taken.front(), 64, 1);
    CHECK(resource.allocate(64, 1) == taken.front());
    check_exhausted(resource, 64, 10);
}

TEST_CASE("a batch beyond the maximum takes nothing") {
    checking_resource upstream;
    growing_pool_resource resource(ten_slots().max_capacity(30).build(), &upstream);
    std::array<void*, 31> batch{};
    CHECK_THROWS_AS(resource.allocate_batch(batch, 64, 8), pool_exhausted);
    CHECK(resource.in_use() == 0);
    resource.allocate_batch(std::span(batch).first(30), 64, 8);
    CHECK(resource.in_use() == 30);
    check_exhausted(resource, 64, 30);
}

TEST_CASE("a custom growth of zero exhausts the pool") {
    checking_resource upstream;
    std::size_t more = 0;
    growing_pool_resource resource(
        ten_slots().growth(growth_strategy::custom([&](std::size_t) { return more; })).build(),
        &upstream);
    std::vector<void*> taken;
    take_all(resource, 64, taken);
    CHECK(taken.size() == 10);
    check_exhausted(resource, 64, 10);
    more = 3;
    for (int i = 0; i != 3; ++i) CHECK(resource.try_allocate(64, 8) != nullptr);
    more = 0;
    check_exhausted(resource, 64, 13);
}

TEST_CASE("a custom growth may throw") {
    checking_resource upstream;
    bool is_failing = true;
    const auto growth = growth_strategy::custom([&](std::size_t) -> std::size_t {
        if (is_failing) throw std::runtime_error("not now");
        return 5;
    });
    growing_pool_resource resource(ten_slots().growth(growth).build(), &upstream);
    live_blocks live(resource);
    for (int i = 0; i != 10; ++i) live.allocate(64, 8);
    CHECK_THROWS_AS(resource.allocate(64, 8), std::runtime_error);
    std::pmr::memory_resource& base = resource;
    CHECK_THROWS_AS(base.allocate(64, 8), std::runtime_error);
    CHECK(resource.try_allocate(64, 8) == nullptr);
    std::array<void*, 2> batch{};
    CHECK_THROWS_AS(resource.allocate_batch(batch, 64, 8), std::runtime_error);
    CHECK(resource.in_use() == 10);
    CHECK(resource.capacity() == 10);
    CHECK(resource.growth_count() == 0);
    CHECK(live.intact());

    live.deallocate(3);
    CHECK(live.allocate(64, 8));
    is_failing = false;
    CHECK(live.allocate(64, 8));
    CHECK(resource.capacity() == 15);
    CHECK(resource.growth_count() == 1);
    CHECK(live.clear());
}

TEMPLATE_TEST_CASE("a growth function that throws is asked once more where others may have slots",
                   "", growing_pool_resource, thread_local_pool_resource,
                   synchronized_pool_resource, lock_free_pool_resource) {
    int asked = 0;
    struct refusal {};
    TestType resource(pool_config::builder()
                          .slot_size(64)
                          .capacity(1)
                          .growth(growth_strategy::custom([&](std::size_t) -> std::size_t {
                              ++asked;
                              throw refusal();
                          }))
                          .build());
    void* const p = resource.allocate(64, 8);
    CHECK_THROWS_AS(resource.allocate(64, 8), refusal);
    CHECK(asked == (TestType::used_by == detail::threads::all ? 2 : 1));
    resource.deallocate(p, 64, 8);
    CHECK(resource.in_use() == 0);
}

TEST_CASE("trim gives the memory of a magazine back that was enlarged, once the class is unused") {
    checking_resource upstream;
    growing_pool_resource resource(pool_config::builder().slot_size(64).capacity(64).build(),
                                   &upstream);
    const auto use = [&](std::size_t count) {
        std::vector<void*> blocks(count);
        for (int i = 0; i != 10; ++i) {
            resource.allocate_batch(blocks, 64, 8);
            resource.deallocate_batch(blocks, 64, 8);
        }
    };
    use(1);
    resource.trim();
    const std::size_t little = upstream.bytes_out();
    use(5'000);
    CHECK(upstream.bytes_out() > little + 16'384);
    resource.trim();
    CHECK(upstream.bytes_out() == little);
}

namespace {

/// Keeps a list of what was given back.
class listed_returns final : public std::pmr::memory_resource {
public:
    std::vector<checking_resource::request> returned;

private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        return std::pmr::new_delete_resource()->allocate(bytes, alignment);
    }

    void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) override {
        std::pmr::new_delete_resource()->deallocate(p, bytes, alignment);
        returned.push_back({bytes, alignment});
    }

    bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
        return this == &other;
    }
};

}  // namespace

// So a heap can give its end back before larger blocks have told it to keep more.
TEMPLATE_TEST_CASE("trim gives the latest books back first, then the oldest and smallest slabs", "",
                   growing_pool_resource, thread_local_pool_resource, synchronized_pool_resource) {
    listed_returns upstream;
    TestType resource(&upstream);
    std::vector<void*> blocks(100'000);
    resource.allocate_batch(blocks, 64, 8);
    resource.deallocate_batch(blocks, 64, 8);
    upstream.returned.clear();
    resource.trim();
    const auto& returned = upstream.returned;
    const auto is_slab = [](const auto& r) { return r.alignment > alignof(void*); };
    const auto first_slab = std::ranges::find_if(returned, is_slab);
    CHECK(first_slab != returned.begin());
    CHECK(std::all_of(first_slab, returned.end(), is_slab));
    CHECK(returned.end() - first_slab > 50);
    const auto pages = [](const auto& r) { return r.bytes / 4'096; };
    CHECK(std::ranges::is_sorted(first_slab, returned.end(), std::less<>(), pages));
}

TEST_CASE("a custom growth may give slots back instead") {
    const std::size_t freed = GENERATE(1u, 16u, 17u, 100u);
    const std::size_t wanted = GENERATE(0u, 50u);
    CAPTURE(freed, wanted);
    checking_resource upstream;
    growing_pool_resource* pool = nullptr;
    std::vector<void*> cached;
    const auto growth = growth_strategy::custom([&](std::size_t) {
        for (std::size_t i = 0; i != freed && !cached.empty(); ++i) {
            pool->deallocate(cached.back(), 64, 8);
            cached.pop_back();
        }
        return wanted;
    });
    growing_pool_resource resource(ten_slots().capacity(100).growth(growth).build(), &upstream);
    pool = &resource;
    for (int i = 0; i != 100; ++i) cached.push_back(resource.allocate(64, 8));
    void* p = nullptr;
    REQUIRE_NOTHROW(p = resource.allocate(64, 8));
    CHECK(resource.owns(p));
    CHECK(resource.in_use() == 100 - freed + 1);
    CHECK(resource.capacity() == 100);
    CHECK(resource.available() == freed - 1);
    for (std::size_t i = 1; i != freed; ++i) CHECK(resource.try_allocate(64, 8) != nullptr);
    CHECK(resource.capacity() == 100);
    CHECK(resource.growth_count() == 0);
}

// Without a cap, so that threads keep slots: what is given back goes to the caller's magazine.
TEMPLATE_TEST_CASE("a custom growth may give slots back to any resource", "", growing_pool_resource,
                   thread_local_pool_resource, synchronized_pool_resource,
                   lock_free_pool_resource) {
    checking_resource upstream;
    std::pmr::memory_resource* target = nullptr;
    std::vector<void*> taken;
    const auto growth = growth_strategy::custom([&](std::size_t) {
        target->deallocate(taken.back(), 64);
        taken.pop_back();
        return 0u;
    });
    TestType resource(ten_slots().growth(growth).build(), &upstream);
    target = &resource;
    for (int i = 0; i != 10; ++i) taken.push_back(resource.allocate(64));
    void* const given_back = taken.back();
    CHECK(resource.allocate(64) == given_back);
    CHECK(resource.in_use() == 10);
    CHECK(resource.capacity() == 10);
    taken.push_back(given_back);
    CHECK(resource.try_allocate(64) == given_back);
    CHECK(resource.in_use() == 10);
}

TEST_CASE("a custom growth may use another class of the same resource") {
    checking_resource upstream;
    growing_pool_resource* pool = nullptr;
    std::vector<void*> notes;
    const auto growth = growth_strategy::custom([&](std::size_t) {
        for (int i = 0; i != 40; ++i) notes.push_back(pool->allocate(32, 8));
        return std::size_t{5};
    });
    const std::array classes{a_class(32, 4), ten_slots().growth(growth).build()};
    growing_pool_resource resource(classes, &upstream);
    pool = &resource;
    live_blocks live(resource);
    for (int i = 0; i != 16; ++i) CHECK(live.allocate(64, 8));
    CHECK(resource.in_use() == 16 + notes.size());
    CHECK(notes.size() == 80);
    CHECK(live.clear());
    for (void* const p : notes) resource.deallocate(p, 32, 8);
}

TEST_CASE("a custom growth without measure is cut to the maximum") {
    checking_resource upstream;
    const auto boundless = growth_strategy::custom([](std::size_t) { return size_max; });
    SECTION("that there is") {
        growing_pool_resource resource(ten_slots().growth(boundless).max_capacity(99).build(),
                                       &upstream);
        std::vector<void*> taken;
        take_all(resource, 64, taken);
        CHECK(taken.size() == 99);
        check_exhausted(resource, 64, 99);
    }
    SECTION("or refused by upstream") {
        growing_pool_resource resource(ten_slots().growth(boundless).build(), &upstream);
        std::vector<void*> taken;
        take_all(resource, 64, taken);
        CHECK(taken.size() == 10);
        CHECK_THROWS_AS(resource.allocate(64, 8), std::bad_alloc);
        CHECK(upstream.last_request().bytes > (std::size_t{64} << 32) - 128);
        CHECK(resource.capacity() == 10);
        CHECK(resource.growth_count() == 0);
        resource.deallocate(taken.back(), 64, 1);
        CHECK(resource.allocate(64, 1) == taken.back());
    }
}

TEST_CASE("a drop-in grows by an eighth, and where that is many slots, by a 64th") {
    growing_pool_resource resource;
    std::size_t capacity = 0;
    std::size_t in_use = 0;
    std::size_t steps_beyond_a_million = 0;
    std::vector<std::string> wrong;
    for (std::array<void*, 100> batch{}; in_use < 2'000'000; in_use += batch.size()) {
        resource.allocate_batch(batch, 64, 8);
        if (resource.capacity() == capacity) continue;
        const std::size_t added = resource.capacity() - capacity;
        if (capacity > 1'000 && added > capacity / 8) wrong.push_back("more than an eighth");
        if (capacity > 131'072 && added > std::max<std::size_t>(capacity / 64, 16'384)) {
            wrong.push_back("more than a 64th");
        }
        capacity = resource.capacity();
        steps_beyond_a_million += capacity > 1'000'000;
    }
    CHECK(wrong.empty());
    CHECK(resource.growth_count() - steps_beyond_a_million < 120);
    CHECK(steps_beyond_a_million < 55);
    resource.release();
}

TEST_CASE("large slabs of a drop-in fill huge pages") {
    // There, red zones lie between the slots.
    if constexpr (detail::build::level == detail::checks::full) return;
    constexpr std::size_t huge_page = 2'097'152;
    const std::size_t size = GENERATE(80u, 4'096u);
    checking_resource upstream;
    growing_pool_resource resource(&upstream);
    std::array<void*, 100> batch{};
    for (std::size_t bytes = 0; bytes < 350'000'000; bytes += batch.size() * size) {
        resource.allocate_batch(batch, size, 8);
    }
    std::size_t large = 0;
    std::size_t wasteful = 0;
    for (const auto& asked : upstream.requests_out()) {
        if (asked.bytes <= huge_page) continue;
        ++large;
        wasteful += -asked.bytes % huge_page > size;
    }
    resource.release();
    CHECK(large > 10);
    CHECK(wasteful == 0);
}

TEST_CASE("growth restarts after release") {
    checking_resource upstream;
    growing_pool_resource resource(ten_slots().growth(growth_strategy::linear(7)).build(),
                                   &upstream);
    for (int round = 0; round != 3; ++round) {
        CHECK(capacities(resource, 4) == std::vector<std::size_t>{10, 17, 24, 31});
        CHECK(resource.growth_count() == 3);
        resource.release();
        CHECK(resource.growth_count() == 0);
        CHECK(resource.capacity() == 0);
        CHECK(upstream.blocks_out() == 0);
    }
    CHECK(upstream.errors().empty());
}

TEST_CASE("each class grows by its own strategy") {
    checking_resource upstream;
    const std::vector<pool_config> classes{
        pool_config::builder()
            .slot_size(128)
            .capacity(2)
            .growth(growth_strategy::exponential(3))
            .build(),
        pool_config::builder().slot_size(32).capacity(4).growth(growth_strategy::none()).build(),
        pool_config::builder()
            .slot_size(64)
            .capacity(5)
            .max_capacity(11)
            .growth(growth_strategy::linear(4))
            .build(),
    };
    growing_pool_resource resource(classes, &upstream);
    CHECK(resource.options().largest_required_pool_block == 128);
    live_blocks live(resource);
    for (int i = 0; i != 4; ++i) live.allocate(32, 8);
    CHECK(resource.capacity() == 4);
    check_exhausted(resource, 32, 4);

    for (int i = 0; i != 5; ++i) live.allocate(64, 8);
    CHECK(resource.capacity() == 4 + 5);
    live.allocate(64, 8);
    CHECK(resource.capacity() == 4 + 9);
    for (int i = 0; i != 5; ++i) live.allocate(64, 8);
    CHECK(resource.capacity() == 4 + 11);
    check_exhausted(resource, 64, 11);

    for (int i = 0; i != 3; ++i) live.allocate(128, 8);
    CHECK(resource.capacity() == 4 + 11 + 6);
    CHECK(resource.growth_count() == 3);
    // Neither of the full classes borrows from the one that has slots left.
    CHECK(resource.available() == 3);
    check_exhausted(resource, 32, 4);
    check_exhausted(resource, 64, 11);
    CHECK(live.clear());
}

namespace {

template <class Resource>
struct kind {
    static constexpr bool refuses_by_default = false;
};

template <>
struct kind<fixed_pool_resource> {
    static constexpr bool refuses_by_default = true;
};

template <class Resource>
void check_larger_requests(const std::vector<pool_config>& classes, bool are_refused) {
    checking_resource upstream;
    Resource resource(classes, &upstream);
    (void)resource.allocate(8, 8);
    const std::size_t blocks = upstream.blocks_out();
    const auto check = [&](std::size_t bytes, std::size_t alignment) {
        CAPTURE(bytes, alignment);
        if (are_refused) {
            try {
                (void)resource.allocate(bytes, alignment);
                FAIL("a larger request was served");
            } catch (const pool_exhausted&) {
                FAIL("nothing is exhausted");
            } catch (const std::bad_alloc&) {
            }
            CHECK(resource.try_allocate(bytes, alignment) == nullptr);
            CHECK(upstream.blocks_out() == blocks);
        } else {
            live_blocks live(resource);
            CHECK(live.allocate(bytes, alignment));
            CHECK(upstream.blocks_out() == blocks + 1);
            CHECK(upstream.last_request().alignment == alignment);
            CHECK_FALSE(resource.owns(live.pointers().front()));
            CHECK(resource.in_use() == 1);
            CHECK(live.clear());
            CHECK(upstream.blocks_out() == blocks);
        }
    };
    check(65, 1);
    check(8, 32);
    check(5'000, 128);
    check(0, 256);
}

}  // namespace

TEMPLATE_TEST_CASE("larger requests go where the classes say", "", fixed_pool_resource,
                   growing_pool_resource) {
    auto builder = pool_config::builder();
    builder.slot_size(64).capacity(10);
    const pool_config silent = builder.alignment(16).build();
    builder.slot_size(32);
    const pool_config refusing = builder.larger_requests(larger_requests::refuse).build();
    const pool_config forwarding = builder.larger_requests(larger_requests::to_upstream).build();

    check_larger_requests<TestType>({silent}, kind<TestType>::refuses_by_default);
    check_larger_requests<TestType>({silent, refusing}, true);
    check_larger_requests<TestType>({refusing, silent}, true);
    check_larger_requests<TestType>({silent, forwarding}, false);
    check_larger_requests<TestType>({forwarding, silent}, false);
    const std::array contradicting{
        refusing, silent,
        builder.slot_size(16).larger_requests(larger_requests::to_upstream).build()};
    check_refused([&] { TestType resource(contradicting); }, "larger_requests",
                  "refuse and to_upstream");
}

TEMPLATE_TEST_CASE("a list of classes that cannot work is refused", "", fixed_pool_resource,
                   growing_pool_resource) {
    checking_resource upstream;
    const pool_config nameless = pool_config::builder().capacity(10).build();
    check_refused([&] { TestType resource(std::vector<pool_config>{}, &upstream); }, "classes",
                  "0");
    check_refused([&] { TestType resource(nameless, &upstream); }, "slot_size", "not given");
    check_refused(
        [&] {
            TestType resource(std::array{a_class(8, 1), nameless}, &upstream);
        },
        "slot_size", "not given");
    const std::array twins{a_class(48, 1), a_class(64, 1), a_class(48, 2)};
    check_refused([&] { TestType resource(twins, &upstream); }, "slot_size", "48");
    CHECK(upstream.calls() == 0);

    // The same size at two alignments is two classes.
    const std::array siblings{
        a_class(64, 3), pool_config::builder().slot_size(64).alignment(64).capacity(5).build()};
    TestType resource(siblings, &upstream);
    live_blocks live(resource);
    for (int i = 0; i != 3; ++i) CHECK(live.allocate(64, 1));
    for (int i = 0; i != 5; ++i) CHECK(live.allocate(64, 64));
    CHECK(resource.capacity() == 8);
}

TEMPLATE_TEST_CASE("a list of classes is any range that lies in one piece", "", fixed_pool_resource,
                   growing_pool_resource) {
    checking_resource upstream;
    const auto serves_both = [&](TestType& resource) {
        live_blocks live(resource);
        for (int i = 0; i != 2; ++i) CHECK(live.allocate(16, 8));
        for (int i = 0; i != 3; ++i) CHECK(live.allocate(32, 8));
        CHECK(resource.capacity() == 5);
    };
    std::vector<pool_config> vector{a_class(32, 3), a_class(16, 2)};
    const std::array array{a_class(32, 3), a_class(16, 2)};
    const pool_config plain[] = {a_class(32, 3), a_class(16, 2)};
    TestType from_vector(vector, &upstream);
    TestType from_array(array, &upstream);
    TestType from_plain(plain, &upstream);
    TestType from_span(std::span<const pool_config>(vector), &upstream);
    TestType from_mutable_span(std::span<pool_config>(vector), &upstream);
    TestType from_nobody(vector);
    TestType* const all[] = {&from_vector, &from_array,        &from_plain,
                             &from_span,   &from_mutable_span, &from_nobody};
    vector.clear();
    for (TestType* const resource : all) serves_both(*resource);
    CHECK(from_nobody.upstream_resource() == std::pmr::get_default_resource());
}

TEMPLATE_TEST_CASE("pre_initialize touches every page", "", fixed_pool_resource,
                   growing_pool_resource) {
    fresh_pages upstream;
    // 4 MB in the first slab, the bookkeeping behind it.
    auto builder = pool_config::builder();
    builder.slot_size(1'000).capacity(4'000);
    SECTION("where it is asked for") {
        TestType resource(builder.pre_initialize(true).build(), &upstream);
        const auto [resident, all] = upstream.resident(resource.allocate(1'000, 8));
        CHECK(all > 4'000'000);
        CHECK(resident >= 4'000'000);
        CHECK(resident >= all - fresh_pages::page);
        if constexpr (std::is_same_v<TestType, growing_pool_resource>) {
            for (int i = 1; i != 4'000; ++i) (void)resource.allocate(1'000, 8);
            const auto [grown, all_grown] = upstream.resident(resource.allocate(1'000, 8));
            CHECK(grown >= all_grown - fresh_pages::page);
        }
    }
    SECTION("and no other") {
        TestType resource(builder.pre_initialize(false).build(), &upstream);
        const auto [resident, all] = upstream.resident(resource.allocate(1'000, 8));
        CHECK(all > 4'000'000);
        CHECK(resident < 64 * 1'024);
    }
}

// Each class has its own capacity, which tells where a request went.
TEST_CASE("a request goes to the smallest class that holds and aligns it") {
    const auto make = [](std::size_t size, std::size_t alignment, std::size_t capacity) {
        return pool_config::builder()
            .slot_size(size)
            .alignment(alignment)
            .capacity(capacity)
            .larger_requests(larger_requests::refuse)
            .build();
    };
    const std::array classes{make(512, 512, 5), make(64, 64, 4), make(20, 4, 1), make(64, 4, 3),
                             make(24, 8, 2)};
    struct example {
        std::size_t bytes;
        std::size_t alignment;
        std::size_t capacity;  // of the class that serves it; 0: none
    };
    const example examples[] = {
        {0, 1, 1},     {1, 1, 1},     {20, 1, 1},     {17, 4, 1},  {20, 4, 1},  {21, 1, 2},
        {20, 8, 2},    {1, 8, 2},     {0, 8, 2},      {24, 8, 2},  {21, 4, 2},  {25, 1, 3},
        {25, 4, 3},    {64, 4, 3},    {61, 4, 3},     {25, 8, 4},  {64, 8, 4},  {1, 16, 4},
        {24, 16, 4},   {1, 64, 4},    {64, 64, 4},    {0, 64, 4},  {65, 1, 5},  {65, 64, 5},
        {1, 128, 5},   {0, 512, 5},   {512, 512, 5},  {512, 1, 5}, {513, 1, 0}, {513, 512, 0},
        {1, 1'024, 0}, {0, 1'024, 0}, {512, 1'024, 0}};
    for (const example& e : examples) {
        CAPTURE(e.bytes, e.alignment, e.capacity);
        checking_resource upstream;
        growing_pool_resource resource(classes, &upstream);
        if (e.capacity == 0) {
            CHECK_THROWS_AS(resource.allocate(e.bytes, e.alignment), std::bad_alloc);
            CHECK(resource.capacity() == 0);
            continue;
        }
        void* const p = resource.allocate(e.bytes, e.alignment);
        CHECK(resource.capacity() == e.capacity);
        CHECK(resource.owns(p));
        CHECK(is_aligned(p, e.alignment));
        resource.deallocate(p, e.bytes, e.alignment);
        CHECK(resource.available() == e.capacity);

        // A static door, a virtual one, and one that does not throw lead to the same place.
        std::pmr::memory_resource& base = resource;
        CHECK(base.allocate(e.bytes, e.alignment) == p);
        base.deallocate(p, e.bytes, e.alignment);
        CHECK(resource.try_allocate(e.bytes, e.alignment) == p);
        CHECK(resource.capacity() == e.capacity);
    }
}

TEMPLATE_TEST_CASE("a magazine that stays where it is is lent", "", fixed_pool_resource,
                   growing_pool_resource) {
    TestType one(a_class(64, 100));
    const pool_config classes[] = {a_class(64, 100), a_class(128, 100)};
    TestType two(classes);
    if constexpr (requires { one.magazine_of(64, 8); }) {
        CHECK(one.magazine_of(64, 8) != nullptr);
        CHECK(one.magazine_of(1, 1) != nullptr);
        CHECK(one.magazine_of(65, 8) == nullptr);
        CHECK(one.magazine_of(64, 128) == nullptr);
        // The pools of several classes that grow lie in books that release() gives back.
        constexpr bool stays = std::is_same_v<TestType, fixed_pool_resource>;
        CHECK((two.magazine_of(64, 8) != nullptr) == stays);
        CHECK((two.magazine_of(128, 8) != nullptr) == stays);
        CHECK(two.magazine_of(129, 8) == nullptr);
    }
}

TEST_CASE("a cap holds when the growth function allocates from the pool") {
    growing_pool_resource* pool = nullptr;
    int calls = 0;
    const auto config = pool_config::builder()
                            .slot_size(16)
                            .capacity(2)
                            .max_capacity(4)
                            .growth(growth_strategy::custom([&](std::size_t) -> std::size_t {
                                if (++calls != 1) return calls == 2 ? 1 : 2;
                                (void)pool->allocate(16, 8);
                                return 2;
                            }))
                            .build();
    growing_pool_resource resource(config);
    pool = &resource;
    for (int i = 0; i != 3; ++i) (void)resource.allocate(16, 8);
    CHECK(resource.capacity() == 4);
    CHECK(resource.in_use() == 4);
    CHECK(resource.try_allocate(16, 8) == nullptr);
}

TEST_CASE("a growth step whose size would wrap is refused") {
    const std::size_t huge = std::size_t{1} << 32;
    const auto config = pool_config::builder()
                            .slot_size(huge)
                            .alignment(huge)
                            .capacity(pool_config::largest_capacity / 2)
                            .build();
    growing_pool_resource resource(config, std::pmr::new_delete_resource());
    CHECK_THROWS_AS(resource.allocate(8, 8), std::bad_alloc);
    CHECK(resource.capacity() == 0);
}

}  // namespace fastalloc::testing
