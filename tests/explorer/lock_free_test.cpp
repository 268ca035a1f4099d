// SPDX-License-Identifier: MIT
/// The lock-free code of the library, as it is shipped but for its atomics, in all interleavings of a
/// few operations.

#include "explorer/check_explored.hpp"
#include "support/catch.hpp"
#include "support/interleaving.hpp"

#include <fastalloc/config.hpp>
#include <fastalloc/index/atomic_bitmap_index.hpp>
#include <fastalloc/resource/atomic_larger_blocks.hpp>
#include <fastalloc/resource/lock_free_pool_resource.hpp>
#include <fastalloc/storage/atomic_depot.hpp>
#include <fastalloc/storage/atomic_slab_directory.hpp>
#include <fastalloc/storage/spare.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <memory_resource>
#include <new>
#include <optional>
#include <string>
#include <vector>

namespace fastalloc::testing {

namespace {

// Planted bugs: the shipped code over atomics that do less than it asks for ----------------------------

template <class T, class Fault>
class faulty_atomic : public explored_atomic<T> {
    using base = explored_atomic<T>;

public:
    using base::base;

    T load(std::memory_order order = seq_cst) const noexcept {
        return base::load(Fault::of_load(order));
    }
    void store(T value, std::memory_order order = seq_cst) noexcept {
        base::store(value, Fault::of_store(order));
    }
    T exchange(T value, std::memory_order order = seq_cst) noexcept {
        return base::exchange(value, Fault::of_update(order));
    }
    T fetch_or(T value, std::memory_order order = seq_cst) noexcept {
        return base::fetch_or(value, Fault::of_update(order));
    }
    T fetch_add(typename base::difference_type n, std::memory_order order = seq_cst) noexcept {
        if constexpr (Fault::is_torn) {
            const T old = base::load(order);
            base::store(static_cast<T>(old + n), order);
            return old;
        } else {
            return base::fetch_add(n, Fault::of_update(order));
        }
    }
    T fetch_and(T value, std::memory_order order = seq_cst) noexcept {
        if constexpr (Fault::is_torn) {
            const T old = base::load(order);
            base::store(old & value, order);
            return old;
        } else {
            return base::fetch_and(value, Fault::of_update(order));
        }
    }
    bool compare_exchange_strong(T& expected, T desired, std::memory_order success,
                                 std::memory_order if_not) noexcept {
        if constexpr (Fault::is_torn) {
            const T old = base::load(success);
            if (old == expected) base::store(desired, success);
            const bool done = old == expected;
            expected = old;
            return done;
        } else {
            return base::compare_exchange_strong(expected, desired, Fault::of_update(success),
                                                 if_not);
        }
    }
    bool compare_exchange_strong(T& expected, T desired,
                                 std::memory_order order = seq_cst) noexcept {
        return compare_exchange_strong(expected, desired, order, acquire);
    }
};

struct no_fault {
    static constexpr bool is_torn = false;
    static constexpr std::memory_order of_load(std::memory_order order) { return order; }
    static constexpr std::memory_order of_store(std::memory_order order) { return order; }
    static constexpr std::memory_order of_update(std::memory_order order) { return order; }
};

/// What is written is not published with it.
struct publishes_nothing : no_fault {
    static constexpr std::memory_order of_store(std::memory_order) { return relaxed; }
    static constexpr std::memory_order of_update(std::memory_order) { return acquire; }
};

/// What was published is not seen.
struct acquires_nothing : no_fault {
    static constexpr std::memory_order of_load(std::memory_order) { return relaxed; }
    static constexpr std::memory_order of_update(std::memory_order) { return release; }
};

/// No order between what one thread writes to one place and then reads from another.
struct never_sequential : no_fault {
    static constexpr std::memory_order of_load(std::memory_order order) {
        return order == seq_cst ? acquire : order;
    }
    static constexpr std::memory_order of_store(std::memory_order order) {
        return order == seq_cst ? release : order;
    }
    static constexpr std::memory_order of_update(std::memory_order order) {
        return order == seq_cst ? acq_rel : order;
    }
};

/// Another thread may come between the two halves of an update.
struct is_in_halves : no_fault {
    static constexpr bool is_torn = true;
};

template <class T>
using unpublished_atomic = faulty_atomic<T, publishes_nothing>;
template <class T>
using unacquired_atomic = faulty_atomic<T, acquires_nothing>;
template <class T>
using unordered_atomic = faulty_atomic<T, never_sequential>;
template <class T>
using torn_atomic = faulty_atomic<T, is_in_halves>;

// What scenarios are made of --------------------------------------------------------------------------

/// The same addresses in every schedule, for they decide how long a look-up takes. Nothing is used twice.
class arena final : public std::pmr::memory_resource {
public:
    std::size_t blocks_out() const { return out_.size(); }
    bool is_wrong() const { return wrong_; }

private:
    static constexpr std::size_t size = 1 << 16;

    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        alignas(4096) static std::array<std::byte, size> memory;
        const std::size_t begin = detail::round_up(used_, alignment);
        if (bytes > size - begin) throw std::bad_alloc();
        used_ = begin + bytes;
        out_[memory.data() + begin] = bytes;
        return memory.data() + begin;
    }

    void do_deallocate(void* p, std::size_t bytes, std::size_t) override {
        const auto found = out_.find(p);
        wrong_ = wrong_ || found == out_.end() || found->second != bytes;
        if (found != out_.end()) out_.erase(found);
    }

    bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
        return this == &other;
    }

    std::size_t used_ = 0;
    std::map<void*, std::size_t> out_;
    bool wrong_ = false;
};

/// One fiber for each pattern, which takes with '-' and gives its oldest back with '+'. Between the two
/// what it took is its own, to write to. `State::take()` is null or empty where there is nothing.
template <class State, class Make>
scenario_factory exchanging(std::vector<std::string> patterns, Make make) {
    return [patterns = std::move(patterns), make] {
        const std::shared_ptr<State> s = make();
        scenario made;
        for (std::size_t i = 0; i != patterns.size(); ++i) {
            made.fibers.push_back([s, &mine = s->held[i], &pattern = patterns[i]] {
                for (const char c : pattern) {
                    if (c == '-') {
                        const auto taken = s->take();
                        if (!taken) continue;
                        race_checker::write(s->place_of(*taken));
                        mine.push_back(*taken);
                    } else if (!mine.empty()) {
                        const auto given = mine.front();
                        mine.erase(mine.begin());
                        race_checker::write(s->place_of(given));
                        s->put(given);
                    }
                }
            });
        }
        made.check = [s] { s->check(); };
        return made;
    };
}

/// Checks that all of `total` things are in `held` or taken from `s` now, each once.
template <class State>
void check_each_is_there_once(State& s, std::size_t total) {
    std::map<const void*, int> seen;
    for (const auto& all : s.held) {
        for (const auto& taken : all) ++seen[s.place_of(taken)];
    }
    for (std::size_t i = 0; i <= total; ++i) {
        const auto taken = s.take();
        if (!taken) break;
        ++seen[s.place_of(*taken)];
    }
    std::size_t once = 0;
    for (const auto& [place, times] : seen) {
        expect(times == 1, "a slot is there twice");
        once += times == 1;
    }
    expect(once == total, "a slot is lost");
}

template <template <class> class Atomic>
struct index_state {
    arena memory;
    basic_atomic_bitmap_index<Atomic> index;
    std::vector<char> slots;
    std::array<std::vector<slot_number>, max_fibers> held;

    explicit index_state(slot_number capacity) : index(capacity, &memory), slots(capacity) {}

    std::optional<slot_number> take() {
        const slot_number n = index.take();
        return n == no_slot ? std::nullopt : std::optional(n);
    }
    void put(slot_number n) { index.put(n); }
    void* place_of(slot_number n) { return &slots[n]; }
    // What is free is announced, once nobody is inside.
    void check() { check_each_is_there_once(*this, slots.size()); }
};

/// Slots of an index, all but the first `taken` of them free.
template <template <class> class Atomic>
scenario_factory exchanging_slots(slot_number capacity, std::vector<std::string> patterns,
                                  slot_number taken = 0) {
    using state = index_state<Atomic>;
    return exchanging<state>(std::move(patterns), [=] {
        auto s = std::make_shared<state>(capacity);
        for (slot_number n = 0; n != taken; ++n) s->held.back().push_back(*s->take());
        return s;
    });
}

/// A depot of one slab, whose last slots the second fiber has.
template <template <class> class Atomic>
struct depot_state {
    arena upstream;
    std::optional<detail::atomic_depot<Atomic>> depot;
    std::array<std::vector<void*>, max_fibers> held;

    depot_state(slot_number slots, std::size_t taken) {
        depot.emplace(detail::slot_geometry(64, 64), &upstream, false, this);
        depot->grow_from(0, slots);
        while (held[1].size() != taken) held[1].push_back(*take());
    }

    std::optional<void*> take() {
        void* p = nullptr;
        return depot->take_some(&p, 1) == 0 ? std::nullopt : std::optional(p);
    }
    void put(void* p) { depot->put_some(&p, 1).report(); }
    void* place_of(void* p) { return p; }

    // Nobody looks for free slots here, which would announce them.
    void check() {
        expect(depot->invariants_hold(), "a free slot is not announced");
        depot.reset();
        expect(upstream.blocks_out() == 0 && !upstream.is_wrong(), "a block is lost");
    }
};

template <template <class> class Atomic>
scenario_factory exchanging_in_depot(slot_number slots, std::size_t taken,
                                     std::vector<std::string> patterns) {
    using state = depot_state<Atomic>;
    return exchanging<state>(std::move(patterns),
                             [=] { return std::make_shared<state>(slots, taken); });
}

/// A whole resource. Under a cap below 64 no thread has a magazine, and each request is one of the depot.
template <template <class> class Atomic>
struct resource_state {
    arena upstream;
    std::optional<basic_lock_free_pool_resource<Atomic>> resource;
    std::size_t cap;
    std::array<std::vector<void*>, max_fibers> held;
    bool ever_refused = false;

    static constexpr std::size_t slot_size = 64;

    resource_state(std::size_t capacity, std::size_t most) : cap(most) {
        resource.emplace(pool_config::builder()
                             .slot_size(slot_size)
                             .capacity(capacity)
                             .max_capacity(most)
                             .growth(growth_strategy::linear(1))
                             .build(),
                         &upstream);
        // Makes what the class has of its own, by way of atomics that are not explored.
        resource->deallocate(resource->allocate(slot_size), slot_size);
    }

    std::optional<void*> take() {
        void* const p = resource->try_allocate(slot_size);
        if (p != nullptr) return p;
        ever_refused = true;
        return std::nullopt;
    }
    void put(void* p) { resource->deallocate(p, slot_size); }
    void* place_of(void* p) { return p; }

    void check() {
        const bool refused = ever_refused;
        // Free slots are announced once nobody is inside, however they were put.
        expect(resource->invariants_hold(), "the books are wrong");
        check_each_is_there_once(*this, cap);
        ever_refused = refused;
        expect(resource->capacity() == cap, "the cap is not reached exactly");
        // Now, for the next scenario has the same memory.
        resource->release();
        expect(upstream.blocks_out() == 0 && !upstream.is_wrong(), "a block is lost");
    }
};

template <template <class> class Atomic>
scenario_factory exchanging_blocks(std::size_t capacity, std::size_t cap,
                                   std::vector<std::string> patterns) {
    using state = resource_state<Atomic>;
    return exchanging<state>(std::move(patterns),
                             [=] { return std::make_shared<state>(capacity, cap); });
}

/// Larger blocks, with so many out before the fibers begin, and so many that came and went: the next goes
/// to a later entry. Fibers allocate with '-', deallocate with '+'.
template <template <class> class Atomic>
struct larger_state {
    arena upstream;
    detail::atomic_larger_blocks<Atomic> blocks;
    std::array<std::vector<void*>, max_fibers> held;

    static constexpr std::size_t bytes = 100;

    larger_state(std::size_t out, std::size_t gone) {
        for (std::size_t i = 0; i != out; ++i) held.back().push_back(*take());
        for (std::size_t i = 0; i != gone; ++i) put(*take());
    }

    std::optional<void*> take() { return blocks.allocate(upstream, bytes, 8); }
    void put(void* p) { blocks.deallocate(upstream, p, bytes, 8); }
    void* place_of(void* p) { return p; }

    void check() {
        blocks.release(upstream);
        expect(upstream.blocks_out() == 0, "a block is lost");
        expect(!upstream.is_wrong(), "a block is given back twice");
    }
};

template <template <class> class Atomic>
scenario_factory exchanging_larger(std::size_t out, std::vector<std::string> patterns,
                                   std::size_t gone = 0) {
    using state = larger_state<Atomic>;
    return exchanging<state>(std::move(patterns),
                             [=] { return std::make_shared<state>(out, gone); });
}

/// Slabs of a list and their directory. Each fiber adds one slab, and looks another up. The first
/// of these takes two entries, so that a table which is full for it has room for the next.
template <template <class> class Atomic>
struct directory_state {
    static constexpr std::size_t granule = 64;
    static constexpr std::size_t most = 24;

    arena upstream;
    std::array<detail::slab_range, most> slabs;
    explored_atomic<detail::slab_range*> head{nullptr};  // the list is not what is tested
    detail::atomic_slab_directory<Atomic> directory;

    explicit directory_state(std::size_t entered) {
        void* const memory = upstream.allocate(most * 2 * granule, granule);
        for (std::size_t i = 0; i != most; ++i) {
            slabs[i] = {static_cast<std::byte*>(memory) + i * 2 * granule,
                        i == entered ? 2 * granule : granule, nullptr};
        }
        for (std::size_t i = 0; i != entered; ++i) add(i);
    }

    void add(std::size_t i) {
        detail::slab_range* expected = head.load(acquire);
        do {
            slabs[i].next = expected;
        } while (!head.compare_exchange_strong(expected, &slabs[i], seq_cst, acquire));
        directory.enter(&slabs[i], head, upstream);
    }

    bool finds(std::size_t i) const { return directory.find(slabs[i].base) == &slabs[i]; }

    bool is_wrong_about(std::size_t i) const {
        const detail::slab_range* const found = directory.find(slabs[i].base);
        return found != nullptr && found != &slabs[i];
    }
};

template <template <class> class Atomic>
scenario_factory adding_slabs(std::size_t entered, std::size_t fibers) {
    return [=] {
        auto s = std::make_shared<directory_state<Atomic>>(entered);
        scenario made;
        for (std::size_t i = 0; i != fibers; ++i) {
            made.fibers.push_back([=] {
                s->add(entered + i);
                expect(!s->is_wrong_about(entered + (i + 1) % fibers), "another slab is found");
            });
        }
        made.check = [=] {
            for (std::size_t i = 0; i != entered + fibers; ++i) {
                expect(s->finds(i), "a slab is not entered");
            }
            s->directory.release(s->upstream);
            expect(s->upstream.blocks_out() == 1, "a table is lost");
        };
        return made;
    };
}

}  // namespace

TEST_CASE("an atomic bitmap hands out each slot once and loses none") {
    check_passes(exchanging_slots<explored_atomic>(1, {"-+", "-+"}));
    check_passes(exchanging_slots<explored_atomic>(2, {"--+", "-+"}));
    check_passes(exchanging_slots<explored_atomic>(2, {"-", "-", "-+"}));
    check_passes(exchanging_slots<explored_atomic>(65, {"-+", "-+"}, 63));
    check_passes(exchanging_slots<explored_atomic>(1, {"-+", "-+"}), in(memory_model::weak));
    check_passes(exchanging_slots<explored_atomic>(2, {"-+", "-+"}), in(memory_model::weak));
    check_does_not_fail(exchanging_slots<explored_atomic>(66, {"-+", "-+", "-+"}, 63),
                        with_preemptions(1, memory_model::weak));
    check_does_not_fail_at_random(
        exchanging_slots<explored_atomic>(66, {"--+-+", "-+--+", "-+-+"}, 62), 3'000,
        in(memory_model::weak));
}

TEST_CASE("bugs planted in an atomic bitmap are found") {
    check_fails(exchanging_slots<torn_atomic>(1, {"-", "-"}), "data race");
    check_fails(exchanging_slots<unpublished_atomic>(1, {"-+", "-"}), "data race");
    check_fails(exchanging_slots<unacquired_atomic>(1, {"-+", "-"}), "data race");
    // A word of the summary stays clear while there is a free slot.
    check_fails(exchanging_slots<unordered_atomic>(2, {"-+", "-"}), "a slot is lost",
                in(memory_model::weak));
}

TEST_CASE("a lock-free resource grows to its cap, hands out each slot once and loses none") {
    check_passes(exchanging_blocks<explored_atomic>(1, 1, {"-+", "-+"}));
    check_passes(exchanging_blocks<explored_atomic>(1, 2, {"-", "-"}));
    check_passes(exchanging_blocks<explored_atomic>(1, 2, {"-+", "-+"}));
    check_does_not_fail(exchanging_blocks<explored_atomic>(1, 3, {"--+", "-+-"}),
                        with_preemptions(3));
    check_does_not_fail(exchanging_blocks<explored_atomic>(1, 2, {"-+", "-+"}),
                        with_preemptions(2, memory_model::weak));
    check_does_not_fail(exchanging_blocks<explored_atomic>(1, 6, {"---", "---", "-+"}),
                        with_preemptions(1));
    check_does_not_fail_at_random(
        exchanging_blocks<explored_atomic>(1, 7, {"--+-+-", "-+--+", "--+-+"}), 3'000,
        in(memory_model::weak));
}

TEST_CASE("a lock-free resource refuses nobody while a slot of its only slab is free") {
    const scenario_factory taking_in_turn = [] {
        auto s = std::make_shared<resource_state<explored_atomic>>(2, 2);
        const auto fiber = [s] {
            if (const auto taken = s->take()) s->put(*taken);
        };
        return scenario{{fiber, fiber}, [s] {
                            s->check();
                            expect(!s->ever_refused, "refused");
                        }};
    };
    check_passes(taking_in_turn);
    check_passes(taking_in_turn, in(memory_model::weak));
}

TEST_CASE("what is free in a depot is announced, however few look for it") {
    check_passes(exchanging_in_depot<explored_atomic>(2, 1, {"-", "+-"}));
    check_passes(exchanging_in_depot<explored_atomic>(2, 1, {"-", "+"}), in(memory_model::weak));
    check_passes(exchanging_in_depot<explored_atomic>(3, 2, {"-", "++"}));
    check_does_not_fail(exchanging_in_depot<explored_atomic>(2, 1, {"-", "+-"}),
                        with_preemptions(3, memory_model::weak));
    check_does_not_fail(exchanging_in_depot<explored_atomic>(3, 1, {"-+", "+--", "-"}),
                        with_preemptions(2));
}

TEST_CASE("bugs planted in a lock-free resource are found") {
    check_fails(exchanging_blocks<torn_atomic>(1, 2, {"-", "-"}), "");
    check_fails(exchanging_blocks<unpublished_atomic>(1, 2, {"-+", "-"}), "data race");
    check_fails(exchanging_blocks<unacquired_atomic>(1, 2, {"-+", "-"}), "data race");
    // A slab with a free slot is announced no more.
    check_fails(exchanging_blocks<unordered_atomic>(1, 1, {"-+", "-"}), "the books are wrong",
                in(memory_model::weak));
}

TEST_CASE("a directory knows every slab once those who add it are done") {
    check_passes(adding_slabs<explored_atomic>(0, 2));
    check_passes(adding_slabs<explored_atomic>(3, 2));
    // The table has room for one more entry, or for none.
    check_passes(adding_slabs<explored_atomic>(14, 2));
    check_passes(adding_slabs<explored_atomic>(14, 2), in(memory_model::weak));
    check_passes(adding_slabs<explored_atomic>(16, 2));
    check_does_not_fail(adding_slabs<explored_atomic>(16, 3), with_preemptions(2));
}

TEST_CASE("bugs planted in a directory are found") {
    check_fails(adding_slabs<torn_atomic>(0, 2), "a table is lost");
    check_fails(adding_slabs<unpublished_atomic>(0, 2), "construction");
    check_fails(adding_slabs<unordered_atomic>(14, 2), "a slab is not entered",
                in(memory_model::weak));
}

TEST_CASE("larger blocks of a lock-free resource are given back once") {
    check_passes(exchanging_larger<explored_atomic>(0, {"-+", "-+"}));
    check_does_not_fail(exchanging_larger<explored_atomic>(3, {"--+", "-+-"}), with_preemptions(2));
    check_does_not_fail(exchanging_larger<explored_atomic>(3, {"-", "-+", "-"}),
                        with_preemptions(2, memory_model::weak));
    check_fails(exchanging_larger<torn_atomic>(3, {"-", "-"}), "");
    // The fifth adds entries, and whoever comes next takes one of these.
    check_does_not_fail(exchanging_larger<explored_atomic>(3, {"--", "-"}, 5), with_preemptions(2));
    check_fails(exchanging_larger<unpublished_atomic>(3, {"--", "-"}, 5), "construction");
}

TEST_CASE("a spare goes to one of those who want it") {
    struct state {
        detail::spare<explored_data<int>, explored_atomic> place;
        explored_data<int> made{0};
        int taken = 0;
        bool is_left = false;
    };
    const scenario_factory handing_over = [] {
        auto s = std::make_shared<state>();
        const auto take = [s] {
            for (int i = 0; i != 2; ++i) {
                if (explored_data<int>* const got = s->place.take()) {
                    expect(*got == 7, "not what was left");
                    ++s->taken;
                }
            }
        };
        const auto leave = [s] {
            if (!s->place.is_wanted()) return;
            s->made = 7;
            s->is_left = s->place.leave(&s->made);
        };
        return scenario{{take, take, leave}, [s] {
                            const bool is_there = s->place.clear() != nullptr;
                            expect(s->taken + is_there == s->is_left, "lost or taken twice");
                        }};
    };
    check_passes(handing_over);
    check_passes(handing_over, in(memory_model::weak));
}

}  // namespace fastalloc::testing
