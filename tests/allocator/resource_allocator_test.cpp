// SPDX-License-Identifier: MIT
#include "support/blocks.hpp"
#include "support/catch.hpp"
#include "support/checking_resource.hpp"

#include <fastalloc/fastalloc.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <memory_resource>
#include <new>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

namespace fastalloc::testing {

namespace {

template <class T, class Resource = growing_pool_resource>
using allocator_of = resource_allocator<T, Resource>;

template <class T>
using vector_in_pool = std::vector<T, allocator_of<T>>;

using traits = std::allocator_traits<allocator_of<int>>;
static_assert(std::is_same_v<traits::value_type, int>);
static_assert(std::is_same_v<traits::pointer, int*>);
static_assert(!traits::propagate_on_container_copy_assignment::value);
static_assert(traits::propagate_on_container_move_assignment::value);
static_assert(traits::propagate_on_container_swap::value);
static_assert(!traits::is_always_equal::value);
static_assert(std::is_same_v<traits::rebind_alloc<char>, allocator_of<char>>);
static_assert(std::is_nothrow_copy_constructible_v<allocator_of<int>>);
static_assert(std::is_nothrow_copy_assignable_v<allocator_of<int>>);
static_assert(sizeof(allocator_of<int>) == sizeof(void*));

// Made from a resource or an allocator of the same resource type, and from nothing else.
static_assert(!std::is_default_constructible_v<allocator_of<int>>);
static_assert(std::is_convertible_v<growing_pool_resource&, allocator_of<int>>);
static_assert(!std::is_constructible_v<allocator_of<int>, growing_pool_resource>);
static_assert(!std::is_constructible_v<allocator_of<int>, const growing_pool_resource&>);
static_assert(!std::is_constructible_v<allocator_of<int>, fixed_pool_resource&>);
static_assert(!std::is_constructible_v<allocator_of<int>, growing_pool_resource*>);
static_assert(std::is_convertible_v<allocator_of<char>, allocator_of<int>>);
static_assert(std::is_nothrow_constructible_v<allocator_of<int>, const allocator_of<char>&>);
static_assert(
    !std::is_constructible_v<allocator_of<int>, const allocator_of<int, fixed_pool_resource>&>);
static_assert(!std::is_constructible_v<allocator_of<int, std::pmr::memory_resource>,
                                       const allocator_of<int>&>);
static_assert(
    std::is_convertible_v<growing_pool_resource&, allocator_of<int, std::pmr::memory_resource>>);

}  // namespace

TEST_CASE("an allocator hands out what its resource does") {
    checking_resource upstream;
    growing_pool_resource resource(&upstream);
    allocator_of<std::uint64_t> allocator(resource);
    CHECK(&allocator.resource() == &resource);
    std::uint64_t* const p = allocator.allocate(7);
    CHECK(resource.owns(p));
    CHECK(resource.in_use() == 1);
    for (std::uint64_t i = 0; i != 7; ++i) p[i] = i;
    allocator.deallocate(p, 7);
    CHECK(resource.in_use() == 0);
    CHECK(allocator.allocate(7) == p);
    allocator.deallocate(p, 7);
}

TEST_CASE("allocators are equal where their resources are the same one") {
    checking_resource upstream;
    growing_pool_resource a(&upstream);
    growing_pool_resource b(&upstream);
    const allocator_of<int> ints(a);
    const allocator_of<char> chars(ints);
    CHECK(&chars.resource() == &a);
    CHECK(ints == chars);
    CHECK(allocator_of<int>(chars) == ints);
    CHECK(ints == allocator_of<int>(a));
    CHECK(ints != allocator_of<int>(b));
    CHECK(chars != allocator_of<int>(b));
    allocator_of<int> assigned(b);
    assigned = ints;
    CHECK(assigned == ints);
}

TEST_CASE("a number of objects that overflows is refused at once") {
    checking_resource resource;
    const auto refused = [](auto allocator) {
        using value = typename decltype(allocator)::value_type;
        const std::size_t most = std::numeric_limits<std::size_t>::max() / sizeof(value);
        for (const std::size_t n : {most + 1, most + 2, ~std::size_t{0}}) {
            if (n <= most) continue;
            CHECK_THROWS_AS(allocator.allocate(n), std::bad_array_new_length);
            CHECK_THROWS_AS(allocator.allocate(n), std::bad_alloc);
        }
    };
    refused(allocator_of<std::uint16_t, std::pmr::memory_resource>(resource));
    refused(allocator_of<std::uint64_t, std::pmr::memory_resource>(resource));
    refused(allocator_of<std::array<char, 1'000>, std::pmr::memory_resource>(resource));
    CHECK(resource.calls() == 0);
    CHECK(resource.last_request().bytes == 0);
    // What can be represented is the resource's to refuse.
    allocator_of<std::uint64_t, std::pmr::memory_resource> allocator(resource);
    CHECK_THROWS_AS(allocator.allocate(~std::size_t{0} / 8), std::bad_alloc);
    CHECK(resource.last_request().bytes == ~std::size_t{0} / 8 * 8);
}

TEST_CASE("containers can be made from the resource itself") {
    checking_resource upstream;
    {
        growing_pool_resource growing(&upstream);
        vector_in_pool<int> vector(growing);
        std::list<int, allocator_of<int>> list(growing);
        std::map<int, int, std::less<>, allocator_of<std::pair<const int, int>>> map(growing);
        std::unordered_map<int, int, std::hash<int>, std::equal_to<>,
                           allocator_of<std::pair<const int, int>>>
            hashed(growing);
        std::basic_string<char, std::char_traits<char>, allocator_of<char>> string(growing);
        vector.assign(10, 1);
        list.assign(10, 1);
        map[1] = 1;
        hashed[1] = 1;
        string.assign(100, 'a');
        CHECK(growing.in_use() >= 14);

        fixed_pool_resource fixed(pool_config::builder().slot_size(48).capacity(20).build(),
                                  &upstream);
        std::list<int, allocator_of<int, fixed_pool_resource>> in_fixed(fixed);
        for (int i = 0; i != 20; ++i) in_fixed.push_back(i);
        CHECK(fixed.available() == 0);
        CHECK_THROWS_AS(in_fixed.push_back(20), pool_exhausted);
        CHECK(in_fixed.size() == 20);
    }
    CHECK(upstream.blocks_out() == 0);
    CHECK(upstream.errors().empty());
}

TEST_CASE("an allocator goes along as its traits say") {
    checking_resource upstream;
    growing_pool_resource a(&upstream);
    growing_pool_resource b(&upstream);
    vector_in_pool<int> in_a({1, 2, 3}, a);
    vector_in_pool<int> in_b({4, 5}, b);
    const int* const data_a = in_a.data();
    const int* const data_b = in_b.data();

    SECTION("when moved: with its container") {
        vector_in_pool<int> moved(std::move(in_a));
        CHECK(moved.data() == data_a);
        CHECK(&moved.get_allocator().resource() == &a);
    }
    SECTION("when move-assigned: with its container") {
        in_b = std::move(in_a);
        CHECK(in_b.data() == data_a);
        CHECK(&in_b.get_allocator().resource() == &a);
        CHECK(b.in_use() == 0);
    }
    SECTION("when swapped: with its container") {
        std::swap(in_a, in_b);
        CHECK(in_a.data() == data_b);
        CHECK(in_b.data() == data_a);
        CHECK(&in_a.get_allocator().resource() == &b);
        CHECK(&in_b.get_allocator().resource() == &a);
    }
    SECTION("when copied: both have the same") {
        const vector_in_pool<int> copy(in_a);
        CHECK(copy == in_a);
        CHECK(&copy.get_allocator().resource() == &a);
        CHECK(a.in_use() == 2);
    }
    SECTION("when copy-assigned: not") {
        in_b = in_a;
        CHECK(in_b == in_a);
        CHECK(&in_b.get_allocator().resource() == &b);
        CHECK(b.owns(in_b.data()));
    }
    SECTION("when moved to another resource: the elements move") {
        vector_in_pool<int> moved(std::move(in_a), allocator_of<int>(b));
        CHECK(moved == vector_in_pool<int>({1, 2, 3}, b));
        CHECK(b.owns(moved.data()));
    }
}

namespace {

template <std::size_t Alignment>
struct alignas(Alignment) over_aligned {
    unsigned char bytes[Alignment + 1] = {};
};

template <class Resource>
void aligns(Resource& resource) {
    std::vector<over_aligned<64>, allocator_of<over_aligned<64>, Resource>> lines(resource);
    std::vector<over_aligned<256>, allocator_of<over_aligned<256>, Resource>> larger(resource);
    std::list<over_aligned<64>, allocator_of<over_aligned<64>, Resource>> list(resource);
    std::size_t wrong = 0;
    for (int i = 0; i != 100; ++i) {
        lines.emplace_back();
        larger.emplace_back();
        list.emplace_back();
        wrong += !is_aligned(lines.data(), 64);
        wrong += !is_aligned(larger.data(), 256);
        wrong += !is_aligned(&list.back(), 64);
    }
    CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("an allocator aligns what is over-aligned") {
    checking_resource upstream;
    {
        growing_pool_resource growing(&upstream);
        growing_pool_resource one_class(
            pool_config::builder().slot_size(256).alignment(256).capacity(10).build(), &upstream);
        aligns(growing);
        aligns(one_class);
        aligns<std::pmr::memory_resource>(growing);
        aligns<std::pmr::memory_resource>(upstream);
        CHECK(growing.in_use() == 0);
        CHECK(one_class.in_use() == 0);
    }
    CHECK(upstream.blocks_out() == 0);
    CHECK(upstream.errors().empty());
}

TEST_CASE("shared pointers have object and count in one slot") {
    checking_resource upstream;
    growing_pool_resource resource(&upstream);
    std::weak_ptr<std::string> weak;
    {
        const auto shared =
            std::allocate_shared<std::string>(allocator_of<std::string>(resource), "hello");
        CHECK(*shared == "hello");
        CHECK(resource.owns(shared.get()));
        CHECK(resource.in_use() == 1);
        weak = shared;
        const auto aligned =
            std::allocate_shared<over_aligned<64>>(allocator_of<over_aligned<64>>(resource));
        CHECK(is_aligned(aligned.get(), 64));
        CHECK(resource.in_use() == 2);
    }
    CHECK(weak.expired());
    CHECK(resource.in_use() == 1);
    weak.reset();
    CHECK(resource.in_use() == 0);
}

TEST_CASE("an allocator works over any memory_resource") {
    checking_resource upstream;
    {
        using allocator = allocator_of<int, std::pmr::memory_resource>;
        fixed_pool_resource pool(pool_config::builder().slot_size(64).capacity(3).build(),
                                 &upstream);
        std::pmr::memory_resource& resource = pool;
        std::vector<int, allocator> vector(resource);
        for (int i = 0; i != 16; ++i) vector.push_back(i);
        CHECK(pool.owns(vector.data()));
        std::vector<int, allocator> elsewhere(upstream);
        elsewhere = std::move(vector);
        CHECK(&elsewhere.get_allocator().resource() == &pool);
        CHECK(elsewhere.size() == 16);
        std::vector<int, allocator> from_upstream(100, allocator(upstream));
        CHECK(upstream.last_request().bytes == 100 * sizeof(int));
        CHECK(upstream.last_request().alignment == alignof(int));
    }
    CHECK(upstream.blocks_out() == 0);
    CHECK(upstream.errors().empty());
}

}  // namespace fastalloc::testing
