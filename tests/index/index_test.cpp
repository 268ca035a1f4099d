// SPDX-License-Identifier: MIT
#include "support/blocks.hpp"
#include "support/catch.hpp"
#include "support/checking_resource.hpp"

#include <fastalloc/fastalloc.hpp>

#include <algorithm>
#include <cstddef>
#include <memory_resource>
#include <new>
#include <random>
#include <set>
#include <type_traits>
#include <utility>
#include <vector>

namespace fastalloc::testing {

namespace {

constexpr slot_number capacities[] = {1, 2, 63, 64, 65, 4'095, 4'096, 4'097, 100'000};

std::size_t up_to(std::mt19937& random, std::size_t most) {
    return std::uniform_int_distribution<std::size_t>(0, most)(random);
}

// What the strategies promise, in the simplest words.

class last_in_first_out {
public:
    explicit last_in_first_out(slot_number capacity) : capacity_(capacity) {}

    slot_number take() {
        if (freed_.empty()) return fresh_ == capacity_ ? no_slot : fresh_++;
        const slot_number n = freed_.back();
        freed_.pop_back();
        return n;
    }

    void put(slot_number n) { freed_.push_back(n); }

private:
    std::vector<slot_number> freed_;
    slot_number fresh_ = 0;
    slot_number capacity_;
};

class lowest_first {
public:
    explicit lowest_first(slot_number capacity) {
        for (slot_number n = 0; n != capacity; ++n) free_.insert(free_.end(), n);
    }

    slot_number take() {
        if (free_.empty()) return no_slot;
        return free_.extract(free_.begin()).value();
    }

    void put(slot_number n) { free_.insert(n); }

private:
    std::set<slot_number> free_;
};

template <class Index>
struct promise {
    using model = last_in_first_out;
};

template <>
struct promise<bitmap_index> {
    using model = lowest_first;
};

template <>
struct promise<atomic_bitmap_index> {
    using model = lowest_first;
};

using checked_stack = checked_index<stack_index>;
using checked_list = checked_index<free_list_index>;

}  // namespace

TEMPLATE_TEST_CASE("a new index hands its slots out in ascending order", "", stack_index,
                   free_list_index, bitmap_index, atomic_bitmap_index, checked_stack,
                   checked_list) {
    for (const slot_number capacity : capacities) {
        checking_resource memory;
        TestType index(capacity, &memory);
        CHECK(index.capacity() == capacity);
        CHECK(index.available() == capacity);
        slot_number wrong = 0;
        for (slot_number n = 0; n != capacity; ++n) {
            wrong += index.take() != n;
            wrong += index.available() != capacity - n - 1;
        }
        CHECK(wrong == 0);
        CHECK(index.take() == no_slot);
        CHECK(index.take() == no_slot);
        CHECK(index.available() == 0);
        CHECK(index.capacity() == capacity);
        index.put(capacity / 2);
        CHECK(index.available() == 1);
        CHECK(index.take() == capacity / 2);
        CHECK(index.take() == no_slot);
    }
}

TEMPLATE_TEST_CASE("an index agrees with its model", "", stack_index, free_list_index, bitmap_index,
                   atomic_bitmap_index, checked_stack, checked_list) {
    for (const slot_number capacity : capacities) {
        checking_resource memory;
        TestType index(capacity, &memory);
        typename promise<TestType>::model model(capacity);
        std::vector<slot_number> taken;
        std::mt19937 random(capacity);
        std::size_t wrong = 0;
        for (int phase = 0; phase != 6; ++phase) {
            // Mostly takes, then mostly puts: full and empty are both reached.
            const std::size_t takes_of_ten = phase % 2 == 0 ? 9 : 1;
            for (std::size_t i = 0; i != capacity + 20u; ++i) {
                if (up_to(random, 9) < takes_of_ten) {
                    const slot_number n = index.take();
                    wrong += n != model.take();
                    if (n != no_slot) taken.push_back(n);
                } else if (!taken.empty()) {
                    std::swap(taken[up_to(random, taken.size() - 1)], taken.back());
                    index.put(taken.back());
                    model.put(taken.back());
                    taken.pop_back();
                }
                wrong += index.available() != capacity - taken.size();
            }
        }
        CHECK(wrong == 0);
        CHECK(index.capacity() == capacity);
        std::sort(taken.begin(), taken.end());
        CHECK(std::adjacent_find(taken.begin(), taken.end()) == taken.end());
        CHECK((taken.empty() || taken.back() < capacity));
    }
}

TEMPLATE_TEST_CASE("take_some, put_some and put_run do what take and put do", "", stack_index,
                   free_list_index, bitmap_index, atomic_bitmap_index, checked_stack,
                   checked_list) {
    for (const slot_number capacity : capacities) {
        checking_resource memory;
        TestType at_once(capacity, &memory);
        TestType one_by_one(capacity, &memory);
        std::vector<slot_number> taken;
        std::mt19937 random(capacity);
        std::size_t wrong = 0;
        for (int round = 0; round != 60; ++round) {
            const auto most = static_cast<slot_number>(up_to(random, capacity / 4 + 3));
            std::vector<slot_number> some;
            const slot_number count =
                take_some(at_once, most, [&](slot_number first, slot_number run) {
                    for (slot_number i = 0; i != run; ++i) some.push_back(first + i);
                });
            wrong += count != some.size();
            wrong += count != std::min(most, one_by_one.available());
            for (const slot_number n : some) wrong += one_by_one.take() != n;
            taken.insert(taken.end(), some.begin(), some.end());

            std::shuffle(taken.begin(), taken.end(), random);
            const std::size_t put = up_to(random, std::min<std::size_t>(taken.size(), most));
            if (put == 0) continue;
            const std::size_t kept = taken.size() - put;
            // Some of the runs are of neighbours.
            if (round % 2 == 0) std::sort(taken.begin(), taken.end());
            put_some(at_once, put, [&](std::size_t i) { return taken[kept + i]; });
            for (std::size_t i = 0; i != put; ++i) one_by_one.put(taken[kept + i]);
            taken.resize(kept);
            if (round % 2 == 0 && kept != 0) {
                // And all neighbours of one of them.
                const auto begin = taken.begin() + static_cast<long>(up_to(random, kept - 1));
                auto end = begin + 1;
                while (end != taken.end() && *end == end[-1] + 1) ++end;
                put_run(at_once, *begin, static_cast<slot_number>(end - begin));
                std::for_each(begin, end, [&](slot_number n) { one_by_one.put(n); });
                taken.erase(begin, end);
            }
            wrong += at_once.available() != one_by_one.available();
            wrong += at_once.available() != capacity - taken.size();
        }
        for (slot_number n = 0; n != no_slot;) wrong += (n = at_once.take()) != one_by_one.take();
        CHECK(wrong == 0);
        CHECK(take_some(at_once, 5, [](slot_number, slot_number) { FAIL("there is none"); }) == 0);
    }
}

TEMPLATE_TEST_CASE("an index keeps to its memory", "", stack_index, free_list_index, bitmap_index,
                   atomic_bitmap_index, checked_stack, checked_list) {
    for (const slot_number capacity : capacities) {
        checking_resource memory;
        {
            TestType index(capacity, &memory);
            CHECK(memory.bytes_out() <= TestType::required_bytes(capacity));
            CHECK(TestType::required_bytes(capacity) <= memory.bytes_out() + 16);
            const std::size_t calls = memory.calls();
            while (index.take() != no_slot) {
            }
            for (slot_number n = 0; n != capacity; ++n) index.put(capacity - 1 - n);
            CHECK(memory.calls() == calls);
        }
        CHECK(memory.blocks_out() == 0);
        CHECK(memory.errors().empty());

        // Exactly that many bytes do, where they begin as aligned as any fundamental type.
        std::vector<std::max_align_t> buffer(
            TestType::required_bytes(capacity) / sizeof(std::max_align_t) + 1);
        std::pmr::monotonic_buffer_resource exact(buffer.data(), TestType::required_bytes(capacity),
                                                  std::pmr::null_memory_resource());
        TestType index(capacity, &exact);
        CHECK(index.take() == 0);
    }
}

TEMPLATE_TEST_CASE("an index whose memory throws is not made and leaks nothing", "", stack_index,
                   free_list_index, bitmap_index, atomic_bitmap_index, checked_stack,
                   checked_list) {
    for (std::size_t grants = 0;; ++grants) {
        checking_resource memory;
        memory.fail_after(grants);
        try {
            TestType index(1'000, &memory);
        } catch (const std::bad_alloc&) {
        }
        CHECK(memory.blocks_out() == 0);
        CHECK(memory.errors().empty());
        if (!memory.has_failed()) break;
    }
    checking_resource memory;
    memory.fail_after(0);
    CHECK_THROWS_AS(TestType(1'000, &memory), std::bad_alloc);
}

TEMPLATE_TEST_CASE("an index has the default resource's memory by default", "", stack_index,
                   free_list_index, bitmap_index, atomic_bitmap_index) {
    checking_resource memory;
    std::pmr::memory_resource* const before = std::pmr::set_default_resource(&memory);
    {
        TestType index(100);
        CHECK(memory.blocks_out() == 1);
    }
    std::pmr::set_default_resource(before);
    CHECK(memory.blocks_out() == 0);
    CHECK(memory.errors().empty());
}

TEMPLATE_TEST_CASE("an index that knows what is free says so", "", bitmap_index, checked_stack,
                   checked_list) {
    for (const slot_number capacity : capacities) {
        TestType index(capacity);
        std::vector<bool> taken(capacity, false);
        std::mt19937 random(capacity);
        std::size_t wrong = 0;
        for (slot_number i = 0; i != 3 * capacity; ++i) {
            const auto n = static_cast<slot_number>(up_to(random, capacity - 1));
            wrong += index.is_free(n) == taken[n];
            if (taken[n]) {
                index.put(n);
                taken[n] = false;
            } else {
                taken[index.take()] = true;
            }
        }
        for (slot_number n = 0; n != capacity; ++n) wrong += index.is_free(n) == taken[n];
        std::size_t free = 0;
        for_each_free(index, [&](slot_number n) { ++free, wrong += taken[n]; });
        CHECK(wrong == 0);
        CHECK(free == index.available());
        CHECK(invariants_hold(index));
        // What is free already is put: from now on the two books differ.
        if (free != 0 && free != capacity && std::is_same_v<TestType, checked_stack>) {
            slot_number n = 0;
            while (taken[n]) ++n;
            index.put(n);
            CHECK_FALSE(invariants_hold(index));
        }
    }
}

TEST_CASE("bitmap_index takes a bit a slot") {
    for (slot_number capacity = 1; capacity < 1u << 26; capacity += capacity / 3 + 1) {
        const std::size_t bits = capacity / 8u + 1;
        REQUIRE(bitmap_index::required_bytes(capacity) <= bits + bits / 50 + 64);
    }
    CHECK(bitmap_index::required_bytes(no_slot) <= (1u << 29) + (1u << 29) / 50);
}

// Sixteen million slots, all but one of them taken: whoever searches word by word reads 2 MiB each
// time and does not come to an end.
TEST_CASE("atomic_bitmap_index announces what is free") {
    for (const slot_number capacity : {1u, 63u, 64u, 65u, 4'097u, 300'000u}) {
        atomic_bitmap_index index(capacity);
        CHECK(index.may_have_free());
        CHECK(index.announce_all());
        slot_number taken = 0;
        while (index.take() != no_slot) ++taken;
        CHECK(taken == capacity);
        CHECK_FALSE(index.may_have_free());
        CHECK_FALSE(index.announce_all());
        index.put(capacity - 1);
        CHECK(index.may_have_free());
        CHECK(index.announce_all());
        CHECK(index.take() == capacity - 1);
    }
}

TEST_CASE("atomic_bitmap_index takes a bit a slot") {
    for (const slot_number capacity : {1u, 64u, 10'000u, 1'000'000u, no_slot}) {
        const std::size_t bits = capacity / 8;
        REQUIRE(atomic_bitmap_index::required_bytes(capacity) <= bits + bits / 60 + 64);
    }
}

TEST_CASE("bitmap_index finds the only free slot in constant time") {
    constexpr slot_number capacity = 16'777'216;
    bitmap_index index(capacity);
    slot_number expected = 0;
    slot_number wrong = 0;
    const auto check_run = [&](slot_number first, slot_number count) {
        wrong += first != expected;
        expected += count;
    };
    while (take_some(index, 4'096, check_run) != 0) {
    }
    CHECK(wrong == 0);
    CHECK(expected == capacity);
    CHECK(index.take() == no_slot);
    std::mt19937 random(1);
    for (int i = 0; i != 1'000'000; ++i) {
        const auto n = static_cast<slot_number>(random() % capacity);
        index.put(n);
        wrong += index.take() != n;
    }
    CHECK(wrong == 0);
    CHECK(index.available() == 0);
}

namespace {

/// The least that an index can be: a ring of free numbers, first in first out.
class fifo_index {
public:
    fifo_index(slot_number capacity, std::pmr::memory_resource* memory)
        : memory_(memory),
          ring_(static_cast<slot_number*>(
              memory->allocate(required_bytes(capacity), alignof(slot_number)))),
          capacity_(capacity),
          available_(capacity) {
        for (slot_number n = 0; n != capacity; ++n) ring_[n] = n;
    }

    ~fifo_index() { memory_->deallocate(ring_, required_bytes(capacity_), alignof(slot_number)); }

    fifo_index(const fifo_index&) = delete;
    fifo_index& operator=(const fifo_index&) = delete;

    static std::size_t required_bytes(slot_number capacity) noexcept {
        return capacity * sizeof(slot_number);
    }

    slot_number take() noexcept {
        if (available_ == 0) return no_slot;
        --available_;
        const slot_number n = ring_[first_];
        first_ = (first_ + 1) % capacity_;
        return n;
    }

    void put(slot_number n) noexcept { ring_[(first_ + available_++) % capacity_] = n; }

    slot_number available() const noexcept { return available_; }

    slot_number capacity() const noexcept { return capacity_; }

private:
    std::pmr::memory_resource* memory_;
    slot_number* ring_;
    slot_number capacity_;
    slot_number available_;
    slot_number first_ = 0;
};

// Each of these lacks one thing.

struct complete {
    complete(slot_number, std::pmr::memory_resource*) {}
    static std::size_t required_bytes(slot_number) noexcept { return 0; }
    slot_number take() noexcept { return no_slot; }
    void put(slot_number) noexcept {}
    slot_number available() const noexcept { return 0; }
    slot_number capacity() const noexcept { return 0; }
};

struct without_put : complete {
    using complete::complete;
    void put(slot_number) = delete;
};

struct put_may_throw : complete {
    using complete::complete;
    void put(slot_number) {}
};

struct put_returns_something : complete {
    using complete::complete;
    bool put(slot_number) noexcept { return true; }
};

struct take_returns_int : complete {
    using complete::complete;
    int take() noexcept { return 0; }
};

struct take_may_throw : complete {
    using complete::complete;
    slot_number take() { return no_slot; }
};

struct without_required_bytes {
    without_required_bytes(slot_number, std::pmr::memory_resource*) {}
    slot_number take() noexcept { return no_slot; }
    void put(slot_number) noexcept {}
    slot_number available() const noexcept { return 0; }
    slot_number capacity() const noexcept { return 0; }
};

struct required_bytes_is_no_static : complete {
    using complete::complete;
    std::size_t required_bytes(slot_number) const noexcept { return 0; }
};

struct available_is_not_const : complete {
    using complete::complete;
    slot_number available() noexcept { return 0; }
};

struct capacity_is_wider : complete {
    using complete::complete;
    std::size_t capacity() const noexcept { return 0; }
};

struct made_without_memory : complete {
    explicit made_without_memory(slot_number n) : complete(n, nullptr) {}
};

struct more_available_than_there_are : complete {
    using complete::complete;
    slot_number available() const noexcept { return 1; }
};

static_assert(index_strategy<complete>);
static_assert(index_strategy<fifo_index>);
static_assert(index_strategy<stack_index>);
static_assert(index_strategy<free_list_index>);
static_assert(index_strategy<bitmap_index>);
static_assert(index_strategy<atomic_bitmap_index>);
static_assert(!index_strategy<without_put>);
static_assert(!index_strategy<put_may_throw>);
static_assert(!index_strategy<put_returns_something>);
static_assert(!index_strategy<take_returns_int>);
static_assert(!index_strategy<take_may_throw>);
static_assert(!index_strategy<without_required_bytes>);
static_assert(!index_strategy<required_bytes_is_no_static>);
static_assert(!index_strategy<available_is_not_const>);
static_assert(!index_strategy<capacity_is_wider>);
static_assert(!index_strategy<made_without_memory>);
static_assert(!index_strategy<int>);
static_assert(!index_strategy<void>);
static_assert(!index_strategy<std::set<slot_number>>);

template <class Resource>
void serves_and_returns_every_slot() {
    checking_resource upstream;
    {
        Resource resource(pool_config::builder().slot_size(48).capacity(2'000).build(), &upstream);
        live_blocks live(resource);
        std::mt19937 random(3);
        std::size_t wrong = 0;
        for (int round = 0; round != 4; ++round) {
            while (live.size() != 2'000) wrong += !live.allocate(48, 16);
            while (live.size() > 100) wrong += !live.deallocate_any(random);
        }
        CHECK(wrong == 0);
        CHECK(resource.capacity() == 2'000);
        CHECK(resource.in_use() == live.size());
        CHECK(live.clear());
        resource.trim();
        CHECK(resource.in_use() == 0);
    }
    CHECK(upstream.blocks_out() == 0);
    CHECK(upstream.errors().empty());
}

}  // namespace

TEST_CASE("the invariants of an index that knows none are its numbers") {
    CHECK(invariants_hold(complete(0, nullptr)));
    CHECK_FALSE(invariants_hold(more_available_than_there_are(0, nullptr)));
}

TEST_CASE("resources work over an index of one's own") {
    SECTION("fixed") { serves_and_returns_every_slot<basic_fixed_pool_resource<fifo_index>>(); }
    SECTION("growing") { serves_and_returns_every_slot<basic_growing_pool_resource<fifo_index>>(); }
    SECTION("growing, any size") {
        checking_resource upstream;
        {
            basic_growing_pool_resource<fifo_index> resource(&upstream);
            live_blocks live(resource);
            for (std::size_t i = 0; i != 3'000; ++i) live.allocate(i, std::size_t{1} << (i % 8));
            CHECK(live.clear());
        }
        CHECK(upstream.blocks_out() == 0);
        CHECK(upstream.errors().empty());
    }
}

}  // namespace fastalloc::testing
