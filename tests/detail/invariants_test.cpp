// SPDX-License-Identifier: MIT
// invariants_hold() says no as soon as something is broken. The peer below breaks it.
#include "../../src/upstream/extent.hpp"
#include "support/catch.hpp"
#include "support/checking_resource.hpp"

#include <fastalloc/fastalloc.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <span>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace fastalloc {

struct detail::invariants_test_access {
    template <class S>
    static auto& available(S& s) {
        return s.available_;
    }
    template <class S>
    static auto& capacity(S& s) {
        return s.capacity_;
    }
    template <class S>
    static auto& count(S& s) {
        return s.count_;
    }
    template <class S>
    static auto& fresh(S& s) {
        return s.fresh_;
    }
    template <class S>
    static auto& head(S& s) {
        return s.head_;
    }
    template <class S>
    static auto& used(S& s) {
        return s.used_;
    }
    template <class S>
    static auto& first(S& s) {
        return s.first_;
    }
    template <class S>
    static auto& size(S& s) {
        return s.size_;
    }
    template <class S>
    static auto& promised(S& s) {
        return s.promised_;
    }
    template <class S>
    static auto& full(S& s) {
        return s.full_;
    }
    template <class S>
    static auto& room(S& s) {
        return s.room_;
    }
    template <class S>
    static auto& kept(S& s) {
        return s.kept_;
    }
    template <class S>
    static auto& tickets(S& s) {
        return s.tickets_;
    }
    template <class S>
    static auto& directory(S& s) {
        return s.directory_;
    }
    template <class S>
    static auto& granule_shift(S& s) {
        return s.granule_shift_;
    }
    template <class S>
    static auto& hash_shift(S& s) {
        return s.hash_shift_;
    }
    template <class S>
    static auto& current(S& s) {
        return s.current_;
    }
    template <class S>
    static auto& partial(S& s) {
        return s.partial_;
    }
    template <class S>
    static auto& slabs(S& s) {
        return s.slabs_;
    }
    template <class Index>
    static auto* youngest(detail::slab_set<Index>& s) {
        return static_cast<detail::listed_slab<Index>*>(s.slabs_);
    }
    static auto& positions(detail::partial_slabs& s) { return s.positions_; }
    static auto& by_number(detail::partial_slabs& s) { return s.slabs_; }
    template <class S>
    static auto& slab_count(S& s) {
        return s.slab_count_;
    }
    template <class S>
    static auto& larger(S& s) {
        return s.larger_;
    }
    template <class S>
    static auto& taken_count(S& s) {
        return s.taken_count_;
    }
    template <class S>
    static auto& taken(S& s) {
        return s.taken_;
    }
    template <class S>
    static auto& objects(S& s) {
        return s.objects_;
    }

    static auto& previous(larger_blocks& blocks) { return blocks.first_->next->previous; }
    static auto& next(larger_blocks& blocks) { return blocks.first_->next; }
    static auto& block(larger_blocks& blocks) { return blocks.first_->block; }

    static auto& entry_number(atomic_larger_blocks<std::atomic>& blocks) {
        for (auto& entry : blocks.first_) {
            if (entry != nullptr) return entry.load()->entry_number;
        }
        return blocks.first_[0].load()->entry_number;
    }

    static auto& youngest(atomic_depot<std::atomic>& depot) {
        return static_cast<atomic_depot<std::atomic>::slab_type*>(depot.head_.load())->links;
    }
    static auto& announced(atomic_depot<std::atomic>& depot) {
        return youngest(depot).in_group->announced;
    }

    static auto& next_number(ticket_source& source) { return source.next_number_; }
    static auto& free_tickets(ticket_source& source) { return source.free_; }
    static auto& number_entry(ticket_source& source) { return source.tables_[4].load()[0]; }

    // Entry `i` of those that are used.
    static auto& entry_slab(slab_directory& d) {
        std::size_t i = 0;
        while (d.entries_[i].slab == nullptr) ++i;
        return d.entries_[i].slab;
    }
    static auto& entry_granule(slab_directory& d) {
        std::size_t i = 0;
        while (d.entries_[i].slab == nullptr) ++i;
        return d.entries_[i].granule;
    }

    static auto& table_entry(atomic_slab_directory<std::atomic>& d) {
        auto* const entries = d.table_.load()->entries();
        std::size_t i = 0;
        while (entries[i] == nullptr) ++i;
        return entries[i];
    }
    static auto& table_used(atomic_slab_directory<std::atomic>& d) { return d.table_.load()->used; }

    /// The pool of the first class of the calling thread, and what it is filled from.
    template <class Index, bool D, class C>
    static auto& pool(basic_pool_resource<Index, D, C>& r) {
        return r.pools()[0];
    }
    template <class Sharing, class C>
    static auto& pool(basic_shared_pool_resource<Sharing, C>& r) {
        return r.rows_.mine()->router.pools()[0];
    }
    template <class Index, class C>
    static auto& pool(basic_thread_local_pool_resource<Index, C>& r) {
        return *r.by_thread_.mine()->open_pool_of(0);
    }
    template <class Resource>
    static auto& magazine(Resource& r) {
        return pool(r).magazine_;
    }
    template <class Sharing, class C>
    static auto& depot(basic_shared_pool_resource<Sharing, C>& r) {
        return r.shelves_.load()[0].load()->depot;
    }
    template <class Index, class C>
    static auto& whose(basic_thread_local_pool_resource<Index, C>& r) {
        return r.by_thread_.mine()->whose;
    }
};

namespace testing {

namespace {

using access = detail::invariants_test_access;

/// Checks that all is well but while `place` is `wrong`.
template <class Holds, class T>
void check_notices(Holds holds, T& place, std::type_identity_t<T> wrong) {
    REQUIRE(holds());
    const T right = std::exchange(place, wrong);
    CHECK_FALSE(holds());
    place = right;
    REQUIRE(holds());
}

template <class Holds, class T>
void check_notices(Holds holds, std::atomic<T>& place, std::type_identity_t<T> wrong) {
    REQUIRE(holds());
    const T right = place.exchange(wrong);
    CHECK_FALSE(holds());
    place = right;
    REQUIRE(holds());
}

/// Gives one block, which a test may write to.
class one_block final : public std::pmr::memory_resource {
public:
    template <class T>
    std::span<T> as() {
        return {reinterpret_cast<T*>(memory_.data()), bytes_ / sizeof(T)};
    }

private:
    void* do_allocate(std::size_t bytes, std::size_t) override {
        REQUIRE(bytes <= memory_.size());
        bytes_ = bytes;
        return memory_.data();
    }
    void do_deallocate(void*, std::size_t, std::size_t) override {}
    bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
        return this == &other;
    }

    alignas(64) std::array<std::byte, 1 << 16> memory_;
    std::size_t bytes_ = 0;
};

template <class Structure>
auto holds(const Structure& s) {
    return [&s] { return s.invariants_hold(); };
}

pool_config slots_of_64(std::size_t capacity) {
    return pool_config::builder().slot_size(64).capacity(capacity).build();
}

constexpr slot_number capacities[] = {0, 1, 63, 64, 65, 4'095, 4'096, 4'097};

template <class Index>
void take_and_put(Index& index) {
    std::vector<slot_number> taken;
    for (slot_number n = index.take(); n != no_slot; n = index.take()) taken.push_back(n);
    for (std::size_t i = 0; i < taken.size(); i += 3) index.put(taken[i]);
}

}  // namespace

TEST_CASE("numbers are distinct unless one of them is there twice") {
    std::vector<std::uintptr_t> numbers;
    const auto visit = [&](auto f) {
        for (const std::uintptr_t n : numbers) f(n);
    };
    CHECK(detail::are_distinct(visit));
    for (const std::size_t count : {1u, 2u, 1'023u, 1'024u, 1'025u, 5'000u}) {
        numbers.resize(count);
        // In ascending, descending and mixed order.
        for (const std::size_t step : {1u, 4'294'967'295u, 2'654'435'761u}) {
            for (std::size_t i = 0; i != count; ++i) {
                numbers[i] = static_cast<std::uint32_t>(i * step);
            }
            REQUIRE(detail::are_distinct(visit));
            if (count == 1) continue;
            for (const std::size_t i : {std::size_t{0}, (count - 1) / 2, count - 2}) {
                for (const std::size_t k : {i + 1, count - 1}) {
                    const std::uintptr_t right = std::exchange(numbers[k], numbers[i]);
                    REQUIRE_FALSE(detail::are_distinct(visit));
                    numbers[k] = right;
                }
            }
        }
    }
    numbers.assign(5'000, 7);
    CHECK_FALSE(detail::are_distinct(visit));
}

TEST_CASE("each bit of a bitmap_index counts") {
    for (const slot_number capacity : capacities) {
        one_block memory;
        bitmap_index index(capacity, &memory);
        for (int round = 0; round != 2; ++round) {
            REQUIRE(index.invariants_hold());
            for (std::uint64_t& word : memory.as<std::uint64_t>()) {
                for (unsigned bit = 0; bit != 64; ++bit) {
                    word ^= std::uint64_t{1} << bit;
                    REQUIRE_FALSE(index.invariants_hold());
                    word ^= std::uint64_t{1} << bit;
                }
            }
            check_notices(holds(index), access::available(index), index.available() + 1);
            take_and_put(index);
        }
    }
}

TEST_CASE("an atomic_bitmap_index announces what is free, and has no other bits") {
    for (const slot_number capacity : capacities) {
        one_block memory;
        atomic_bitmap_index index(capacity, &memory);
        take_and_put(index);
        REQUIRE(index.invariants_hold());
        const auto words = memory.as<std::uint64_t>();
        const std::size_t count = capacity == 0 ? 1 : (capacity + 63) / 64;
        for (std::size_t w = 0; w != count; ++w) {
            if (words[w] != 0) {
                const std::uint64_t bit = std::uint64_t{1} << (w % 64);
                words[count + w / 64] ^= bit;
                REQUIRE_FALSE(index.invariants_hold());
                words[count + w / 64] ^= bit;
            }
        }
        if (capacity % 64 != 0) {
            check_notices(holds(index), words[count - 1],
                          words[count - 1] | std::uint64_t{1} << (capacity % 64));
        }
        if (count % 64 != 0) {
            check_notices(holds(index), words.back(),
                          words.back() | std::uint64_t{1} << (count % 64));
        }
    }
}

TEST_CASE("a stack_index has each number once") {
    one_block memory;
    stack_index index(4'097, &memory);
    take_and_put(index);
    const auto numbers = memory.as<slot_number>();
    check_notices(holds(index), numbers[0], numbers[1]);
    check_notices(holds(index), numbers[index.available() - 1], numbers[0]);
    check_notices(holds(index), numbers[3], 4'097);
    check_notices(holds(index), access::count(index), 4'098);
    check_notices(holds(index), access::fresh(index), 4'098);
    check_notices(holds(index), access::fresh(index), numbers[0]);
}

TEST_CASE("the list of a free_list_index ends, and has as many slots as are available") {
    one_block memory;
    free_list_index index(4'097, &memory);
    take_and_put(index);
    const auto next = memory.as<slot_number>();
    slot_number& head = access::head(index);
    check_notices(holds(index), next[head], head);
    check_notices(holds(index), next[next[head]], head);
    check_notices(holds(index), next[head], no_slot);
    check_notices(holds(index), next[head], 4'097);
    check_notices(holds(index), head, next[head]);
    check_notices(holds(index), access::available(index), index.available() - 1);
    check_notices(holds(index), access::fresh(index), 4'098);
    check_notices(holds(index), access::fresh(index), 4'000);
}

TEMPLATE_TEST_CASE("a slab_set knows its slabs and which have a free slot", "", stack_index,
                   free_list_index, bitmap_index) {
    checking_resource upstream;
    detail::slab_set<TestType> slabs({64, 64}, &upstream, nullptr, false);
    CHECK(slabs.invariants_hold());
    std::vector<void*> taken(500);
    for (std::size_t n = 0; n != 12; ++n) {
        typename detail::slab_set<TestType>::growth step(slabs, 50);
        slabs.complete(step);
        REQUIRE(slabs.invariants_hold());
    }
    REQUIRE(slabs.take_some(taken.data(), taken.size()) == taken.size());
    // Some of every slab, so that all have free slots.
    for (std::size_t i = 0; i < taken.size(); i += 7) slabs.put_some(&taken[i], 1).report();
    const auto all_is_well = holds(slabs);
    check_notices(all_is_well, access::available(slabs), slabs.available() - 1);
    check_notices(all_is_well, access::capacity(slabs), slabs.capacity() + 1);
    check_notices(all_is_well, access::slab_count(slabs), 11);
    check_notices(all_is_well, access::slab_count(slabs), 13);
    check_notices(all_is_well, access::current(slabs), nullptr);
    check_notices(all_is_well, access::current(slabs),
                  static_cast<decltype(access::youngest(slabs))>(access::slabs(slabs)->next));
    check_notices(all_is_well, access::youngest(slabs)->links.number, 10);
    check_notices(all_is_well, access::youngest(slabs)->links.number, 12);
    check_notices(all_is_well, access::slabs(slabs), access::slabs(slabs)->next);
    check_notices(all_is_well, access::slabs(slabs)->next, access::slabs(slabs));
    check_notices(all_is_well, access::slabs(slabs)->bytes, 64);
    check_notices(all_is_well, access::slabs(slabs)->base, access::slabs(slabs)->base + 8);
    // The directory.
    detail::slab_directory& directory = access::directory(slabs);
    check_notices(all_is_well, access::used(directory), access::used(directory) + 1);
    check_notices(all_is_well, access::entry_slab(directory), nullptr);
    check_notices(all_is_well, access::entry_slab(directory),
                  access::entry_slab(directory) == access::slabs(slabs) ? access::slabs(slabs)->next
                                                                        : access::slabs(slabs));
    check_notices(all_is_well, access::entry_granule(directory),
                  access::entry_granule(directory) + 1);
    check_notices(all_is_well, access::hash_shift(directory), access::hash_shift(directory) + 1);
    check_notices(all_is_well, access::granule_shift(directory),
                  access::granule_shift(directory) + 1);
    // Which have a free slot.
    detail::partial_slabs& partial = *access::partial(slabs);
    check_notices(all_is_well, access::partial(slabs), nullptr);
    check_notices(all_is_well, access::by_number(partial)[11], nullptr);
    check_notices(all_is_well, access::by_number(partial)[11], access::slabs(slabs)->next);
    check_notices(all_is_well, access::available(access::positions(partial)), 10);
    check_notices(all_is_well, access::available(access::positions(partial)), 12);
    const auto has_all = [&] { return directory.invariants_hold(access::slabs(slabs)); };
    check_notices(has_all, access::entry_slab(directory), nullptr);
    check_notices(has_all, access::slabs(slabs)->next->next, nullptr);
}

TEST_CASE("an atomic_depot knows its slabs and announces those with a free slot") {
    checking_resource upstream;
    detail::atomic_depot<std::atomic> depot({64, 64}, &upstream, false, nullptr);
    CHECK(depot.invariants_hold());
    for (std::size_t n = 0; n != 70; ++n) {
        REQUIRE(depot.grow_from(depot.capacity(), 50));
        REQUIRE(depot.invariants_hold());
    }
    const auto all_is_well = holds(depot);
    auto& links = access::youngest(depot);
    check_notices(all_is_well, links.number, 70);
    check_notices(all_is_well, links.capacity_up_to, 70 * 50 - 1);
    check_notices(all_is_well, access::announced(depot), 0);
    check_notices(all_is_well, links.in_group->slabs[5], nullptr);
    check_notices(all_is_well, links.in_group->older, nullptr);
    check_notices(all_is_well, links.in_group, links.in_group->older);
    auto& directory = access::directory(depot);
    check_notices(all_is_well, access::table_used(directory), 1);
    check_notices(all_is_well, access::table_used(directory), 1'000'000);
    detail::slab_range stray{nullptr, 1, nullptr};
    check_notices(all_is_well, access::table_entry(directory), &stray);
}

#define EVERY_RESOURCE                                                        \
    fixed_pool_resource, growing_pool_resource, thread_local_pool_resource,   \
        synchronized_pool_resource, lock_free_pool_resource,                  \
        (basic_fixed_pool_resource<stack_index, counting_statistics>),        \
        (basic_growing_pool_resource<free_list_index, counting_statistics>),  \
        (basic_synchronized_pool_resource<stack_index, counting_statistics>), \
        (basic_lock_free_pool_resource<std::atomic, counting_statistics>)

TEMPLATE_TEST_CASE("a magazine has slots that are free nowhere else", "", EVERY_RESOURCE) {
    checking_resource upstream;
    TestType resource(slots_of_64(5'000), &upstream);
    CHECK(resource.invariants_hold());
    std::vector<void*> blocks(300);
    resource.allocate_batch(blocks, 64);
    for (std::size_t i = 0; i < 60; i += 2) resource.deallocate(blocks[i], 64);
    auto& magazine = access::magazine(resource);
    REQUIRE(magazine.size() > 2);
    void** const low = magazine.low;
    void** const top = magazine.top;
    void** const high = magazine.high;
    const auto all_is_well = holds(resource);
    check_notices(all_is_well, magazine.top, low - 1);
    check_notices(all_is_well, magazine.top, high + 1);
    check_notices(all_is_well, magazine.high, high + 100'000);
    check_notices(all_is_well, low[0], low[1]);
    check_notices(all_is_well, low[0], static_cast<std::byte*>(low[0]) + 1);
    check_notices(all_is_well, low[0], &magazine);
    check_notices(all_is_well, low[0], nullptr);
    // One that is free in its slab: as if it had been freed twice, and spilled once.
    const void* free = nullptr;
    resource.visit_slots([&](const visited_slot& slot) {
        if (slot.state == slot_state::free) free = slot.address;
    });
    REQUIRE(free != nullptr);
    check_notices(all_is_well, low[0], const_cast<void*>(free));
    if constexpr (TestType::collector_type::counts) {
        access::pool(resource).counts().allocated();
        CHECK_FALSE(resource.invariants_hold());
        access::pool(resource).counts().deallocated();
    }
    REQUIRE(all_is_well());
    CHECK(magazine.top == top);
}

TEST_CASE("a pool that is closed has no magazine") {
    const pool_config classes[] = {slots_of_64(100),
                                   pool_config::builder().slot_size(128).capacity(100).build()};
    growing_pool_resource resource(classes);
    void* const block = resource.allocate(128);
    auto& closed = access::magazine(resource);
    const auto all_is_well = holds(resource);
    void* slot = block;
    check_notices(all_is_well, closed.high, &slot);
    check_notices(all_is_well, closed.top, &slot);
    check_notices(all_is_well, closed.low, &slot);
    resource.deallocate(block, 128);
}

TEST_CASE("a refill takes half a magazine") {
    fixed_pool_resource resource(slots_of_64(1'000));
    void* const block = resource.allocate(64);
    const auto& magazine = access::magazine(resource);
    CHECK(magazine.capacity() % 2 == 0);
    CHECK(magazine.size() + 1 == magazine.capacity() / 2);
    resource.deallocate(block, 64);
}

TEST_CASE("a large magazine is exchanged in parts, and keeps what was put last") {
    fixed_pool_resource resource(slots_of_64(100'000));
    std::vector<void*> blocks;
    for (int i = 0; i != 10'000; ++i) blocks.push_back(resource.allocate(64));
    const auto& magazine = access::magazine(resource);
    REQUIRE(magazine.capacity() == 8'192);
    CHECK(magazine.size() == 240);  // of ten refills
    void* const oldest = *magazine.low;
    for (void* const block : blocks) resource.deallocate(block, 64);
    CHECK(magazine.size() == 8'192);  // after two spills
    CHECK(*magazine.low == oldest);
    std::vector<void*> again;
    for (int i = 0; i != 1'024; ++i) again.push_back(resource.allocate(64));
    CHECK(std::equal(again.begin(), again.end(), blocks.rbegin()));
    for (void* const block : again) resource.deallocate(block, 64);
    CHECK(resource.invariants_hold());
}

TEST_CASE("a large magazine takes an eighth of the bytes of its slots") {
    const auto [slot_size, slots] =
        GENERATE(table<std::size_t, std::size_t>({{64, 8'192}, {16, 4'096}, {8, 2'048}}));
    growing_pool_resource resource(
        pool_config::builder().slot_size(slot_size).capacity(20'000).build());
    std::vector<void*> blocks(20'000);
    for (int round = 0; round != 20; ++round) {
        for (void*& block : blocks) block = resource.allocate(slot_size, 1);
        for (void* const block : blocks) resource.deallocate(block, slot_size, 1);
    }
    CHECK(access::magazine(resource).capacity() == slots);
}

TEMPLATE_TEST_CASE("a thread that shares keeps 2,048 slots in a magazine", "",
                   synchronized_pool_resource, lock_free_pool_resource) {
    TestType resource(pool_config::builder()
                          .slot_size(64)
                          .capacity(20'000)
                          .growth(growth_strategy::exponential(2))
                          .build());
    std::vector<void*> blocks(20'000);
    for (int round = 0; round != 20; ++round) {
        for (void*& block : blocks) block = resource.allocate(64);
        for (void* const block : blocks) resource.deallocate(block, 64);
    }
    CHECK(access::magazine(resource).capacity() == 2'048);
}

TEST_CASE("a magazine in a caller's buffer has a place for each 32 slots") {
    const pool_config config = slots_of_64(16'000);
    std::vector<std::byte> buffer(fixed_pool_resource::required_bytes(config));
    fixed_pool_resource resource(buffer, config);
    CHECK(access::magazine(resource).capacity() == 500);
}

TEMPLATE_TEST_CASE("no slot is in the magazines of two threads", "", synchronized_pool_resource,
                   lock_free_pool_resource, thread_local_pool_resource) {
    checking_resource upstream;
    TestType resource(slots_of_64(1'000), &upstream);
    const auto use = [&] {
        void* const block = resource.allocate(64);
        resource.deallocate(block, 64);
    };
    use();
    auto& magazine = access::magazine(resource);
    void** const low = magazine.low;
    std::thread([&] {
        use();
        // While both run: a magazine is emptied at its thread's end.
        check_notices(holds(resource), low[0],
                      static_cast<void*>(*static_cast<void**>(access::magazine(resource).low)));
    }).join();
    CHECK(resource.invariants_hold());
}

TEST_CASE("threads that have pools are those whose pools say so") {
    thread_local_pool_resource resource(slots_of_64(10));
    resource.deallocate(resource.allocate(64), 64);
    auto& whose = access::whose(resource);
    using possession = std::remove_reference_t<decltype(whose)>;
    check_notices(holds(resource), whose, possession::left);
}

TEST_CASE("a shared resource asks its depots") {
    synchronized_pool_resource resource(slots_of_64(10'000));
    resource.deallocate(resource.allocate(64), 64);
    auto& slabs = access::slabs(access::depot(resource));
    check_notices(holds(access::depot(resource)), access::available(slabs), slabs.available() - 1);
    check_notices(holds(resource), access::available(slabs), slabs.available() - 1);
    lock_free_pool_resource other(slots_of_64(10'000));
    other.deallocate(other.allocate(64), 64);
    check_notices(holds(other), access::youngest(access::depot(other)).number, 1);
}

TEMPLATE_TEST_CASE("larger blocks are linked both ways", "", growing_pool_resource,
                   synchronized_pool_resource, lock_free_pool_resource,
                   thread_local_pool_resource) {
    checking_resource upstream;
    TestType resource(&upstream);
    std::vector<void*> blocks(3);
    resource.allocate_batch(blocks, 100'000);
    const auto all_is_well = holds(resource);
    if constexpr (std::is_same_v<TestType, growing_pool_resource>) {
        auto& larger = access::larger(resource);
        check_notices(all_is_well, access::previous(larger), nullptr);
        check_notices(all_is_well, access::next(larger), access::first(larger));
        auto& block = access::block(larger);
        auto* const start = static_cast<std::byte*>(block.start);
        check_notices(all_is_well, block.start, start - 1);
        check_notices(all_is_well, block.start, start + block.alignment * 1'000'000);
        check_notices(all_is_well, block.alignment, 0);
        check_notices(all_is_well, block.block_bytes, 8);
    } else if constexpr (!std::is_same_v<TestType, synchronized_pool_resource>) {
        auto& larger = access::larger(resource);
        check_notices(all_is_well, access::used(larger), 2);
        check_notices(all_is_well, access::entry_number(larger), 7);
    }
    CHECK(all_is_well());
    resource.deallocate_batch(blocks, 100'000);
    CHECK(all_is_well());
}

TEMPLATE_TEST_CASE("objects that are kept have slots that are taken", "", growing_pool_resource,
                   synchronized_pool_resource) {
    object_pool<int, TestType> pool(pool_config::builder().capacity(1'000).build(),
                                    initialization<int>::deferred());
    auto made = pool.make_batch(40, 7);
    made.resize(20);
    const auto all_is_well = holds(pool);
    auto& kept = access::kept(pool);
    check_notices(all_is_well, access::size(kept), 1'000);
    check_notices(all_is_well, access::promised(kept), 100'000);
    if constexpr (std::is_same_v<TestType, growing_pool_resource>) {
        void*& first = access::objects(kept)[0];
        check_notices(all_is_well, first, access::objects(kept)[1]);
        check_notices(all_is_well, first, &pool);
        check_notices(all_is_well, first, *access::magazine(pool.resource()).low);
    } else {
        check_notices(all_is_well, access::full(kept), 0);
        check_notices(all_is_well, access::size(kept), 19);
    }
    const object_key key = pool.key_of(made.front());
    CHECK(pool.find(key) == made.front().get());
    detail::ticket_source& source = *access::tickets(pool);
    check_notices(all_is_well, access::next_number(source), 18);
    check_notices(all_is_well, access::number_entry(source), nullptr);
    check_notices(all_is_well, access::number_entry(source).load()->number, 0);
    check_notices(all_is_well, access::number_entry(source).load()->number, 2);
    detail::ticket* const used = access::number_entry(source).load();
    check_notices(all_is_well, access::free_tickets(source), used);
    if constexpr (std::is_same_v<TestType, growing_pool_resource>) {
        { const shared_handle<int> two[] = {pool.make_shared(1), pool.make_shared(2)}; }
        detail::ticket no_slot(&source, false);
        detail::ticket*& first = access::free_tickets(source);
        REQUIRE(first != nullptr);
        check_notices(all_is_well, first->object, used);
        check_notices(all_is_well, first->object, first);
        check_notices(all_is_well, first->object, &no_slot);
        check_notices(all_is_well, first, &no_slot);
    }
}

TEST_CASE("an extent counts its granules") {
    detail::system_pages pages({.huge = huge_pages::off});
    detail::extent extent(pages.try_map(detail::huge_page, detail::huge_page),
                          std::pmr::new_delete_resource());
    std::byte* const first = extent.try_take(10'000, 8);
    std::byte* const second = extent.try_take(1'000, 8);
    REQUIRE(extent.try_take(detail::huge_page, 8) == nullptr);
    extent.put(first, 10'000);
    const auto all_is_well = holds(extent);
    check_notices(all_is_well, access::taken_count(extent), 0);
    check_notices(all_is_well, access::room(extent), 1);
    check_notices(all_is_well, access::room(extent), 1'000'000);
    check_notices(all_is_well, access::taken(extent)[0], 0);
    extent.put(second, 1'000);
    CHECK(all_is_well());
}

TEST_CASE("a page_resource goes on being in order") {
    page_resource pages;
    CHECK(pages.invariants_hold());
    std::vector<std::pair<void*, std::size_t>> blocks;
    for (std::size_t i = 0; i != 200; ++i) {
        const std::size_t bytes = i * i * i % 3'000'000;
        blocks.emplace_back(pages.allocate(bytes, 8), bytes);
        REQUIRE(pages.invariants_hold());
    }
    for (std::size_t i = 0; i != 200; ++i) {
        const auto [p, bytes] = blocks[i * 77 % 200];
        pages.deallocate(p, bytes, 8);
        REQUIRE(pages.invariants_hold());
    }
}

}  // namespace testing

}  // namespace fastalloc
