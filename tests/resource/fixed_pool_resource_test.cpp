// SPDX-License-Identifier: MIT
#include "support/blocks.hpp"
#include "support/catch.hpp"
#include "support/checking_resource.hpp"
#include "support/counting_new.hpp"

#include <fastalloc/fastalloc.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <functional>
#include <memory_resource>
#include <new>
#include <random>
#include <set>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace fastalloc::testing {

namespace {

pool_config config_of(std::size_t slot_size, std::size_t capacity) {
    return pool_config::builder().slot_size(slot_size).capacity(capacity).build();
}

pool_config config_of(std::size_t slot_size, std::size_t capacity, std::size_t alignment) {
    return pool_config::builder()
        .slot_size(slot_size)
        .capacity(capacity)
        .alignment(alignment)
        .build();
}

constexpr bool is_checked_in_full = detail::build::level == detail::checks::full;

/// All slots, and what a build with checks has between them.
std::size_t bytes_of_slots(const pool_config& config) {
    const detail::slot_geometry geometry(config.slot_size(), config.alignment());
    return geometry.stride() * config.capacity();
}

template <class Make>
void check_refused(Make make, const std::string& field) {
    try {
        make();
        FAIL("accepted: " << field);
    } catch (const invalid_configuration& e) {
        CHECK(std::string(e.field()) == field);
        CHECK(std::string(e.what()).find(field) != std::string::npos);
    }
}

/// A buffer at a chosen distance from a page boundary, between bytes that nobody may write.
class guarded_buffer {
public:
    explicit guarded_buffer(std::size_t most_bytes)
        : storage_(static_cast<std::byte*>(
              std::pmr::new_delete_resource()->allocate(storage_bytes(most_bytes), page))),
          storage_bytes_(storage_bytes(most_bytes)) {}

    ~guarded_buffer() {
        std::pmr::new_delete_resource()->deallocate(storage_, storage_bytes_, page);
    }

    guarded_buffer(const guarded_buffer&) = delete;
    guarded_buffer& operator=(const guarded_buffer&) = delete;

    std::span<std::byte> at(std::size_t offset, std::size_t bytes) {
        std::memset(storage_ + page + offset - guard_bytes, guard, bytes + 2 * guard_bytes);
        return buffer_ = {storage_ + page + offset, bytes};
    }

    bool is_intact() const {
        const auto is_guard = [](std::byte b) { return b == std::byte{guard}; };
        const std::byte* const before = buffer_.data() - guard_bytes;
        const std::byte* const after = buffer_.data() + buffer_.size();
        return std::all_of(before, before + guard_bytes, is_guard) &&
               std::all_of(after, after + guard_bytes, is_guard);
    }

    bool holds(const void* p, std::size_t bytes) const {
        const auto* const first = static_cast<const std::byte*>(p);
        return !std::less<>()(first, buffer_.data()) &&
               !std::less<>()(buffer_.data() + buffer_.size(), first + bytes);
    }

private:
    static constexpr std::size_t page = 4'096;
    static constexpr std::size_t guard_bytes = 512;
    static constexpr unsigned char guard = 0xb7;

    static std::size_t storage_bytes(std::size_t most_bytes) { return most_bytes + 3 * page; }

    std::byte* storage_;
    std::size_t storage_bytes_;
    std::span<std::byte> buffer_;
};

/// Takes every slot, writes all of each, and gives all back. Returns: what went wrong.
std::size_t use_all(fixed_pool_resource& resource, const guarded_buffer& buffer,
                    const pool_config& config) {
    std::size_t wrong = 0;
    for (std::size_t i = 0; i != config.capacity(); ++i) {
        void* const p = resource.try_allocate(config.slot_size(), config.alignment());
        wrong += p == nullptr || !is_aligned(p, config.alignment());
        wrong += !buffer.holds(p, config.slot_size());
        if (p != nullptr) std::memset(p, 0x11, config.slot_size());
    }
    wrong += resource.try_allocate(1, 1) != nullptr;
    wrong += resource.in_use() != config.capacity();
    resource.release();
    wrong += resource.available() != config.capacity();
    return wrong;
}

}  // namespace

TEST_CASE("a fixed pool has exactly its capacity") {
    for (const std::size_t capacity : {1u, 2u, 7u, 64u, 1'000u, 100'000u}) {
        CAPTURE(capacity);
        checking_resource upstream;
        fixed_pool_resource resource(config_of(24, capacity), &upstream);
        CHECK(upstream.allocations() == 1);
        CHECK(resource.capacity() == capacity);
        CHECK(resource.available() == capacity);
        std::set<void*> distinct;
        for (std::size_t i = 0; i != capacity; ++i) distinct.insert(resource.allocate(24, 8));
        CHECK(distinct.size() == capacity);
        CHECK(resource.available() == 0);
        try {
            (void)resource.allocate(24, 8);
            FAIL("there was another slot");
        } catch (const pool_exhausted& e) {
            CHECK(e.slot_size() == 24);
            CHECK(e.capacity() == capacity);
        }
        CHECK(resource.try_allocate(1, 1) == nullptr);
        CHECK(resource.in_use() == capacity);
        resource.deallocate(*distinct.begin(), 24, 8);
        CHECK(resource.allocate(24, 8) == *distinct.begin());
        CHECK(resource.growth_count() == 0);
        CHECK(upstream.calls() == 1);
    }
}

TEST_CASE("a fixed pool asks upstream once, for all of its classes") {
    checking_resource upstream;
    {
        const std::vector<pool_config> classes{config_of(512, 50), config_of(24, 1'000),
                                               config_of(64, 3, 64)};
        fixed_pool_resource resource(classes, &upstream);
        CHECK(upstream.allocations() == 1);
        CHECK(resource.capacity() == 1'053);
        std::size_t slots = 0;
        for (const pool_config& c : classes) slots += bytes_of_slots(c);
        CHECK(upstream.bytes_out() >= slots);
        CHECK(upstream.bytes_out() <= slots + 1'053 / 2 + 3 * 4'096);
        std::mt19937 random(1);
        live_blocks live(resource);
        for (int i = 0; i != 20'000; ++i) {
            if (live.size() < 900 || random() % 2 == 0) {
                if (live.size() < 1'000) live.allocate(random() % 24, 4);
            } else {
                CHECK(live.deallocate_any(random));
            }
            if (i % 1'000 == 0) resource.trim();
        }
        CHECK(live.clear());
        CHECK(upstream.calls() == 1);
    }
    CHECK(upstream.calls() == 2);
    CHECK(upstream.blocks_out() == 0);
    CHECK(upstream.errors().empty());
}

TEST_CASE("a class of a fixed pool does not borrow from a larger one") {
    checking_resource upstream;
    const std::vector<pool_config> classes{config_of(16, 2), config_of(32, 5)};
    fixed_pool_resource resource(classes, &upstream);
    for (int i = 0; i != 2; ++i) (void)resource.allocate(16, 8);
    CHECK_THROWS_AS(resource.allocate(16, 8), pool_exhausted);
    CHECK(resource.try_allocate(16, 8) == nullptr);
    CHECK(resource.available() == 5);
    CHECK(resource.try_allocate(17, 8) != nullptr);
}

TEST_CASE("a fixed pool refuses what cannot be fixed") {
    const auto refused = [](const pool_config& config, const char* field) {
        checking_resource upstream;
        std::vector<std::byte> buffer(100'000);
        check_refused([&] { fixed_pool_resource r(config, &upstream); }, field);
        check_refused([&] { fixed_pool_resource r(std::vector{config}, &upstream); }, field);
        check_refused([&] { fixed_pool_resource r(buffer, config); }, field);
        check_refused([&] { (void)fixed_pool_resource::required_bytes(config); }, field);
        CHECK(upstream.calls() == 0);
    };
    auto builder = pool_config::builder();
    builder.capacity(10);
    refused(builder.build(), "slot_size");
    builder.slot_size(64);
    refused(builder.growth(growth_strategy::linear(10)).build(), "growth");
    refused(builder.growth(growth_strategy::exponential(2)).build(), "growth");
    refused(builder.growth(growth_strategy::custom([](std::size_t) { return 0u; })).build(),
            "growth");
    builder.growth(growth_strategy::none());
    refused(builder.max_capacity(11).build(), "max_capacity");
    CHECK_NOTHROW(fixed_pool_resource(builder.max_capacity(10).build()));
}

TEST_CASE("a fixed pool whose upstream throws is not made") {
    checking_resource upstream;
    upstream.fail_after(0);
    CHECK_THROWS_AS(fixed_pool_resource(config_of(64, 100), &upstream), std::bad_alloc);
    CHECK(upstream.blocks_out() == 0);
    // More bytes than there are addresses.
    upstream.never_fail();
    const std::vector<pool_config> absurd(1, config_of(std::size_t{1} << 62, 1));
    CHECK_THROWS_AS(fixed_pool_resource(absurd, &upstream), std::bad_alloc);
    std::vector<pool_config> together;
    for (std::size_t i = 0; i != 5; ++i) {
        together.push_back(config_of((std::size_t{1} << 62) + i * 16, 1));
    }
    CHECK_THROWS_AS(fixed_pool_resource(together, &upstream), std::bad_alloc);
    CHECK(upstream.calls() == 0);
}

TEST_CASE("release frees every slot without upstream") {
    checking_resource upstream;
    fixed_pool_resource resource(config_of(48, 3'000), &upstream);
    for (int round = 0; round != 3; ++round) {
        std::size_t wrong = 0;
        for (int i = 0; i != 3'000; ++i) wrong += !resource.owns(resource.allocate(48, 8));
        CHECK(wrong == 0);
        CHECK(resource.try_allocate(48, 8) == nullptr);
        resource.release();
        CHECK(resource.in_use() == 0);
        CHECK(resource.available() == 3'000);
        CHECK(upstream.calls() == 1);
    }
}

TEST_CASE("a buffer need be little larger than its slots") {
    std::size_t wrong = 0;
    for (std::size_t size = 1; size <= 300; ++size) {
        for (const std::size_t capacity : {1u, 2u, 7u, 64u, 256u, 1'000u, 8'192u, 100'000u}) {
            for (std::size_t alignment = 1; alignment <= 512; alignment *= 2) {
                const pool_config config = config_of(size, capacity, alignment);
                const std::size_t slots = bytes_of_slots(config);
                const std::size_t required = fixed_pool_resource::required_bytes(config);
                wrong += required < slots || required > slots + capacity / 2 + 4'096;
            }
        }
    }
    CHECK(wrong == 0);
}

TEST_CASE("a pool in a buffer stays within it, wherever it begins") {
    guarded_buffer memory(2'200'000);
    for (const std::size_t size : {1u, 3u, 8u, 24u, 64u, 100u, 300u}) {
        for (const std::size_t capacity : {1u, 2u, 7u, 64u, 1'000u}) {
            for (const std::size_t alignment : {1u, 16u, 64u, 512u, 1'024u}) {
                const pool_config config = config_of(size, capacity, alignment);
                const std::size_t required = fixed_pool_resource::required_bytes(config);
                std::size_t wrong = 0;
                for (std::size_t offset = 0; offset < 64; offset += capacity == 1'000 ? 9 : 1) {
                    const std::span<std::byte> buffer = memory.at(offset, required);
                    const std::size_t calls = operator_new_calls();
                    {
                        fixed_pool_resource resource(buffer, config);
                        wrong += use_all(resource, memory, config);
                        wrong += use_all(resource, memory, config);
                    }
                    // Full checks have books of their own.
                    wrong += !is_checked_in_full && operator_new_calls() != calls;
                    wrong += !memory.is_intact();
                }
                CAPTURE(size, capacity, alignment);
                CHECK(wrong == 0);
            }
        }
    }
}

TEST_CASE("a pool in a buffer works with every index") {
    const auto work = [](auto tag) {
        using resource_type = typename decltype(tag)::type;
        const pool_config config = config_of(40, 777);
        const std::size_t required = resource_type::required_bytes(config);
        guarded_buffer memory(required);
        {
            resource_type resource(memory.at(5, required), config);
            live_blocks live(resource);
            std::mt19937 random(1);
            for (int round = 0; round != 5; ++round) {
                while (live.size() != 777) CHECK(live.allocate(40, 8));
                CHECK(resource.try_allocate(40, 8) == nullptr);
                while (live.size() > 50) CHECK(live.deallocate_any(random));
            }
            CHECK(live.clear());
        }
        CHECK(memory.is_intact());
    };
    work(std::type_identity<basic_fixed_pool_resource<bitmap_index>>{});
    work(std::type_identity<basic_fixed_pool_resource<free_list_index>>{});
    work(std::type_identity<basic_fixed_pool_resource<stack_index>>{});
}

TEST_CASE("a buffer that is too small is refused") {
    for (const std::size_t size : {1u, 24u, 64u, 300u}) {
        for (const std::size_t capacity : {1u, 7u, 1'000u}) {
            for (const std::size_t alignment : {1u, 64u, 512u}) {
                const pool_config config = config_of(size, capacity, alignment);
                const std::size_t required = fixed_pool_resource::required_bytes(config);
                guarded_buffer memory(required);
                const auto less = memory.at(0, required - 1);
                check_refused([&] { fixed_pool_resource r(less, config); }, "buffer");
            }
        }
    }
    check_refused([&] { fixed_pool_resource r(std::span<std::byte>{}, config_of(8, 1)); },
                  "buffer");
}

TEST_CASE("a buffer may hold slots that are aligned to a page") {
    const pool_config config = config_of(4'096, 5, 4'096);
    const std::size_t required = fixed_pool_resource::required_bytes(config);
    guarded_buffer memory(required + 4'096);
    SECTION("where it is") {
        const auto buffer = memory.at(0, required);
        {
            fixed_pool_resource resource(buffer, config);
            CHECK(use_all(resource, memory, config) == 0);
        }
        CHECK(memory.is_intact());
    }
    SECTION("but not where it is far from that") {
        const auto buffer = memory.at(1, required);
        check_refused([&] { fixed_pool_resource r(buffer, config); }, "buffer");
        CHECK(memory.is_intact());
    }
    SECTION("or has room to move") {
        const auto buffer = memory.at(1, required + 4'095);
        {
            fixed_pool_resource resource(buffer, config);
            CHECK(use_all(resource, memory, config) == 0);
        }
        CHECK(memory.is_intact());
    }
}

TEST_CASE("a pool in a buffer has no upstream") {
    const pool_config config = config_of(64, 10);
    std::vector<std::byte> buffer(fixed_pool_resource::required_bytes(config));
    fixed_pool_resource resource(buffer, config);
    CHECK(resource.upstream_resource() == std::pmr::null_memory_resource());
    CHECK_THROWS_AS(resource.allocate(65, 8), std::bad_alloc);
    auto forwarding = pool_config::builder();
    forwarding.slot_size(64).capacity(10).larger_requests(larger_requests::to_upstream);
    std::vector<std::byte> another(buffer.size());
    fixed_pool_resource to_nobody(another, forwarding.build());
    CHECK_THROWS_AS(to_nobody.allocate(65, 8), std::bad_alloc);
    CHECK(to_nobody.try_allocate(65, 8) == nullptr);
    CHECK(to_nobody.try_allocate(64, 8) != nullptr);
}

namespace {

struct my_pool : fastalloc::fixed_pool_resource {
    using basic_fixed_pool_resource::basic_fixed_pool_resource;

    std::size_t bytes() const { return capacity() * 64; }
};

}  // namespace

TEST_CASE("one may derive from a fixed pool") {
    checking_resource upstream;
    {
        my_pool pool(config_of(64, 100), &upstream);
        CHECK(pool.bytes() == 6'400);
        std::pmr::vector<int> numbers(&pool);
        for (int i = 0; i != 16; ++i) numbers.push_back(i);
        CHECK(pool.owns(numbers.data()));
        CHECK(pool.in_use() == 1);
        CHECK_THROWS_AS(numbers.push_back(16), std::bad_alloc);
        std::pmr::memory_resource& base = pool;
        void* const p = base.allocate(64, 16);
        CHECK(pool.owns(p));
        base.deallocate(p, 64, 16);
        CHECK(base.is_equal(pool));
        my_pool from_list(std::vector{config_of(8, 1), config_of(16, 1)}, &upstream);
        CHECK(from_list.capacity() == 2);
    }
    CHECK(upstream.blocks_out() == 0);
    CHECK(upstream.errors().empty());
}

}  // namespace fastalloc::testing
