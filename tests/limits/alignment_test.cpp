// SPDX-License-Identifier: MIT
// Alignments up to 2 MiB, of every resource, allocator and handle.
#include "limits/every_resource.hpp"
#include "support/blocks.hpp"
#include "support/catch.hpp"
#include "support/shared_upstream.hpp"

#include <array>
#include <bit>
#include <cstddef>
#include <memory>
#include <memory_resource>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace fastalloc::testing {

namespace {

constexpr std::size_t largest = 2 * mib;

struct plain_base {
    int first = 1;
};

struct other_base {
    virtual ~other_base() = default;
    int second = 2;
};

struct alignas(largest) aligned : plain_base, other_base {
    std::string text = "text";
    char last = 'l';

    bool is_whole() const {
        return is_aligned(this, largest) && first == 1 && second == 2 && text == "text" &&
               last == 'l';
    }
};

template <class Resource>
void check_blocks(Resource& resource, std::size_t alignment) {
    live_blocks<Resource> blocks(resource);
    for (const std::size_t bytes : {std::size_t{1}, alignment / 2 + 1, alignment}) {
        CAPTURE(bytes, alignment);
        CHECK(blocks.allocate(bytes, alignment));
        CHECK(blocks.allocate(bytes, alignment));
    }
    CHECK(blocks.intact());
    CHECK(blocks.deallocate(3));
    CHECK(blocks.allocate(1, alignment));
    CHECK(blocks.clear());
}

template <class F>
void for_each_alignment(F f) {
    for (std::size_t alignment = 1; alignment <= largest; alignment *= 2) f(alignment);
}

}  // namespace

TEMPLATE_TEST_CASE("slots are aligned to what the configuration says", "",
                   FASTALLOC_EVERY_RESOURCE) {
    shared_upstream upstream;
    for_each_alignment([&](std::size_t alignment) {
        TestType resource(slots_of(alignment, 7).alignment(alignment).build(), &upstream);
        check_blocks(resource, alignment);
    });
    CHECK(upstream.errors().empty());
    CHECK(upstream.bytes_out() == 0);
}

TEMPLATE_TEST_CASE("a drop-in serves every alignment", "", growing_pool_resource,
                   thread_local_pool_resource, synchronized_pool_resource,
                   lock_free_pool_resource) {
    shared_upstream upstream;
    {
        TestType resource(&upstream);
        for_each_alignment([&](std::size_t alignment) { check_blocks(resource, alignment); });
        TestType with_large_classes({0, 64 * kib}, &upstream);
        for_each_alignment(
            [&](std::size_t alignment) { check_blocks(with_large_classes, alignment); });
    }
    CHECK(upstream.errors().empty());
    CHECK(upstream.bytes_out() == 0);
}

TEST_CASE("a caller's buffer serves every alignment") {
    for_each_alignment([](std::size_t alignment) {
        const pool_config config = slots_of(alignment, 7).alignment(alignment).build();
        const std::size_t bytes = fixed_pool_resource::required_bytes(config);
        std::pmr::memory_resource& memory = *std::pmr::new_delete_resource();
        auto* const buffer = static_cast<std::byte*>(memory.allocate(bytes, alignment));
        {
            fixed_pool_resource resource(std::span(buffer, bytes), config);
            check_blocks(resource, alignment);
        }
        memory.deallocate(buffer, bytes, alignment);
    });
}

TEST_CASE("the process-wide pool and pages serve every alignment") {
    page_resource pages;
    lock_free_pool_resource over_pages(&pages);
    for_each_alignment([&](std::size_t alignment) {
        check_blocks(*default_resource(), alignment);
        check_blocks(pages, alignment);
        check_blocks(over_pages, alignment);
    });
    check_blocks(pages, 64 * mib);
}

TEST_CASE("allocators of over-aligned types") {
    std::vector<aligned, allocator<aligned>> a(2);
    CHECK((a[0].is_whole() && a[1].is_whole()));
    growing_pool_resource resource;
    std::vector<aligned, resource_allocator<aligned, growing_pool_resource>> b(resource);
    b.resize(2);
    CHECK((b[0].is_whole() && b[1].is_whole()));
}

TEMPLATE_TEST_CASE("handles of over-aligned objects", "", fixed_pool<aligned>,
                   growing_pool<aligned>, thread_local_pool<aligned>, synchronized_pool<aligned>,
                   lock_free_pool<aligned>) {
    shared_upstream upstream;
    {
        TestType pool(pool_config::builder().capacity(5).build(), initialization<aligned>::lazy(),
                      &upstream);
        auto one = pool.make();
        CHECK(one->is_whole());
        owned_handle<other_base> part = std::move(one);
        CHECK(part->second == 2);
        part.reset();
        const auto batch = pool.make_batch(2);
        CHECK((batch[0]->is_whole() && batch[1]->is_whole()));
        const shared_handle<aligned> shared = pool.make_shared();
        const weak_handle<aligned> weak = shared;
        CHECK(weak.lock()->is_whole());
        auto keyed = pool.make();
        CHECK(pool.find(pool.key_of(keyed)) == keyed.get());
        TestType recycling(
            pool_config::builder().capacity(2).build(),
            initialization<aligned>::recycling([] { return aligned(); }, [](aligned&) {}),
            &upstream);
        const aligned* const kept = recycling.make().get();
        CHECK(kept->is_whole());
        CHECK(recycling.make().get() == kept);
    }
    CHECK(upstream.errors().empty());
    CHECK(upstream.bytes_out() == 0);
}

}  // namespace fastalloc::testing
