// SPDX-License-Identifier: MIT
// What no memory could hold is refused, and never becomes a small request by overflowing. (Products of a
// configuration: see config_test.cpp.)
#include "limits/every_resource.hpp"
#include "support/catch.hpp"
#include "support/check_refused.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <memory_resource>
#include <new>
#include <span>
#include <vector>

namespace fastalloc::testing {

namespace {

constexpr std::size_t size_max = std::numeric_limits<std::size_t>::max();
constexpr std::size_t largest_size = size_max / 2;
constexpr std::size_t most = pool_config::largest_capacity;

/// Grants what is small, remembers the largest request, and refuses all that are large.
class small_upstream final : public std::pmr::memory_resource {
public:
    std::size_t largest_request() const { return largest_request_; }
    std::size_t bytes_out() const { return bytes_out_; }

private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        largest_request_ = std::max(largest_request_, bytes);
        if (bytes > 16 * mib || alignment > 16 * mib) throw std::bad_alloc();
        void* const p = std::pmr::new_delete_resource()->allocate(bytes, alignment);
        bytes_out_ += bytes;
        return p;
    }

    void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) override {
        bytes_out_ -= bytes;
        std::pmr::new_delete_resource()->deallocate(p, bytes, alignment);
    }

    bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
        return this == &other;
    }

    std::size_t largest_request_ = 0;
    std::size_t bytes_out_ = 0;
};

// Each is valid by itself: what it takes besides the slots is not known to it.
std::vector<pool_config> nearly_everything() {
    return {slots_of(largest_size, 1).build(), slots_of(largest_size / 8, 8).build(),
            slots_of(largest_size / most, most).build(),
            slots_of(largest_size / 4 + 1, 1).alignment(largest_size / 4 + 1).build(),
            slots_of(largest_size / 2 + 1, 1).alignment(largest_size / 2 + 1).build()};
}

template <class Resource>
void check_refuses_to_begin(const pool_config& config) {
    CAPTURE(config.slot_size(), config.capacity(), config.alignment());
    small_upstream upstream;
    const auto allocate = [&] {
        Resource resource(config, &upstream);
        CHECK(resource.try_allocate(1, 1) == nullptr);
        CHECK(resource.in_use() == 0);
        (void)resource.allocate(1, 1);
    };
    CHECK_THROWS_AS(allocate(), std::bad_alloc);
    // Upstream was asked for no slots, or for all of them.
    const std::size_t asked = upstream.largest_request();
    CHECK((asked < 16 * mib || asked >= config.capacity() * config.slot_size()));
    CHECK(upstream.bytes_out() == 0);
}

// Effects: uses a class of `capacity` slots up, and one more.
template <class Resource>
void check_cannot_grow(const pool_config& config, small_upstream& upstream) {
    Resource resource(config, &upstream);
    std::vector<void*> slots(config.capacity());
    resource.allocate_batch(slots, config.slot_size(), 1);
    for (int i = 0; i != 3; ++i) {
        CHECK(resource.try_allocate(config.slot_size(), 1) == nullptr);
        CHECK_THROWS_AS(resource.allocate(config.slot_size(), 1), std::bad_alloc);
        CHECK(resource.in_use() == slots.size());
        resource.deallocate(slots.back(), config.slot_size(), 1);
        slots.back() = resource.allocate(config.slot_size(), 1);
    }
    CHECK(resource.growth_count() == 0);
    resource.deallocate_batch(slots, config.slot_size(), 1);
    CHECK(resource.capacity() == config.capacity());
}

std::vector<growth_strategy> excessive() {
    return {growth_strategy::exponential(1e300),
            growth_strategy::exponential(std::numeric_limits<double>::max()),
            growth_strategy::linear(size_max),
            growth_strategy::linear(most + 1),
            growth_strategy::custom([](std::size_t) { return size_max; }),
            growth_strategy::custom([](std::size_t capacity) { return size_max - capacity; })};
}

}  // namespace

TEMPLATE_TEST_CASE("slots that leave no room for books are refused", "", FASTALLOC_EVERY_RESOURCE) {
    for (const pool_config& config : nearly_everything()) check_refuses_to_begin<TestType>(config);
}

TEMPLATE_TEST_CASE("growth that overflows is refused, and the pool goes on", "",
                   FASTALLOC_RESOURCES_THAT_GROW) {
    for (const growth_strategy& growth : excessive()) {
        for (const std::size_t bytes : {std::size_t{64}, mib}) {
            small_upstream upstream;
            check_cannot_grow<TestType>(slots_of(bytes, 5).growth(growth).build(), upstream);
            CHECK(upstream.largest_request() >= most * bytes);
            CHECK(upstream.bytes_out() == 0);
        }
    }
}

TEMPLATE_TEST_CASE("growth that overflows goes up to the maximum", "",
                   FASTALLOC_RESOURCES_THAT_GROW) {
    for (const growth_strategy& growth : excessive()) {
        TestType resource(slots_of(64, 5).max_capacity(1'000).growth(growth).build());
        std::vector<void*> slots(1'000);
        resource.allocate_batch(slots, 64, 8);
        CHECK(resource.capacity() == 1'000);
        CHECK(resource.growth_count() == 1);
        CHECK(resource.try_allocate(64, 8) == nullptr);
        CHECK_THROWS_AS(resource.allocate(64, 8), pool_exhausted);
        resource.deallocate_batch(slots, 64, 8);
    }
}

TEST_CASE("growth factors that are no numbers are refused by name") {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    const auto make = [](double factor) {
        return [=] { (void)slots_of(64, 5).growth(growth_strategy::exponential(factor)).build(); };
    };
    check_refused(make(infinity), "growth", "exponential(inf)");
    check_refused(make(-infinity), "growth", "exponential(-inf)");
    check_refused(make(std::numeric_limits<double>::quiet_NaN()), "growth", "exponential(nan)");
    check_refused(make(-1e300), "growth", "exponential(-1e+300)");
}

TEMPLATE_TEST_CASE("the sum of classes does not overflow", "", bitmap_index, stack_index,
                   free_list_index) {
    using resource_type = basic_fixed_pool_resource<TestType>;
    std::vector<pool_config> classes;
    for (std::size_t i = 0; i != 5; ++i)
        classes.push_back(slots_of(largest_size / 2 - i, 1).build());
    small_upstream upstream;
    CHECK_THROWS_AS(resource_type(classes, &upstream), std::bad_alloc);
    CHECK(upstream.largest_request() == 0);
}

TEMPLATE_TEST_CASE("required_bytes of what does not fit is more than there is", "", bitmap_index,
                   stack_index, free_list_index) {
    using resource_type = basic_fixed_pool_resource<TestType>;
    std::array<std::byte, 5'000> buffer;
    for (const pool_config& config : nearly_everything()) {
        CHECK(resource_type::required_bytes(config) >= config.capacity() * config.slot_size());
        check_refused([&] { resource_type resource(std::span<std::byte>(buffer), config); },
                      "buffer", "= 5000");
    }
}

TEMPLATE_TEST_CASE("requests of nearly every address are refused", "", FASTALLOC_EVERY_RESOURCE) {
    small_upstream upstream;
    {
        TestType resource(slots_of(64, 5).larger_requests(larger_requests::to_upstream).build(),
                          &upstream);
        void* const held = resource.allocate(64, 8);
        for (const std::size_t alignment : {std::size_t{1}, 2 * mib, largest_size + 1}) {
            for (const std::size_t less : {0u, 1u, 15u, 64u, 4'096u}) {
                CHECK(resource.try_allocate(size_max - less, alignment) == nullptr);
                CHECK(resource.try_allocate(largest_size - less, alignment) == nullptr);
                CHECK_THROWS_AS(resource.allocate(size_max - less, alignment), std::bad_alloc);
            }
        }
        std::array<void*, 3> batch{};
        CHECK_THROWS_AS(resource.allocate_batch(batch, size_max, 1), std::bad_alloc);
        CHECK(resource.in_use() == 1);
        resource.deallocate(held, 64, 8);
    }
    CHECK(upstream.bytes_out() == 0);
}

TEST_CASE("more objects than there are addresses are refused") {
    growing_pool<int> pool(pool_config::builder().capacity(5).build());
    CHECK_THROWS((void)pool.make_batch(size_max));
    CHECK_THROWS((void)pool.make_batch(largest_size / sizeof(owned_handle<int>)));
    CHECK(pool.in_use() == 0);
    CHECK(*pool.make(7) == 7);

    growing_pool_resource resource;
    resource_allocator<std::array<char, 48>, growing_pool_resource> a(resource);
    CHECK_THROWS_AS(a.allocate(size_max / 48 + 1), std::bad_array_new_length);
    CHECK_THROWS_AS(a.allocate(size_max / 48), std::bad_alloc);
}

}  // namespace fastalloc::testing
