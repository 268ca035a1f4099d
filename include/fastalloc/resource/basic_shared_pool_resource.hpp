// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/collector.hpp>
#include <fastalloc/config.hpp>
#include <fastalloc/detail/machine.hpp>
#include <fastalloc/detail/made_once.hpp>
#include <fastalloc/error.hpp>
#include <fastalloc/resource/class_list.hpp>
#include <fastalloc/resource/class_plan.hpp>
#include <fastalloc/resource/pool_resource_interface.hpp>
#include <fastalloc/resource/pool_router.hpp>
#include <fastalloc/storage/counted_depot.hpp>
#include <fastalloc/storage/depot_reserve.hpp>
#include <fastalloc/storage/per_thread.hpp>
#include <fastalloc/storage/pool.hpp>
#include <fastalloc/storage/spare.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <memory_resource>
#include <new>
#include <span>

namespace fastalloc {

/// What the resources that threads share have in common: each thread has a row of pools of its own,
/// whose magazines exchange slots with one depot for each class. `Sharing` says how threads meet:
/// the types `depot`, `upstream` (what the parts call instead of upstream) and `larger_blocks`.
///
/// A row, a pool in it and its magazine are made when the thread first needs them, from upstream,
/// by requests only: a thread that does nothing but free asks another one for them and meanwhile
/// returns its blocks to the depot one by one. When a thread ends, its row stays, for the next
/// thread with its number; `trim()`, and a request that finds its class exhausted or upstream
/// without memory, empty such rows.
///
/// Memory beside the slots, if nothing is counted: a row has 32 bytes a class, a pool in use 8
/// bytes for each of the slots that its magazine holds, at least 64 and at most 2,048 or 1 MiB of
/// slots.
///
/// A class with a cap of n slots lets each thread keep n / 64 of them, so that threads may find it
/// exhausted while others keep slots. Below 64 no thread keeps any.
/// More than 65,535 threads at a time: those that come last keep none either, of any class.
///
/// Thread safety: full, but for `release()` and the destructor, which no other thread may be inside
/// of, or come after without being told. Equality: identity.
template <class Sharing, class Collector>
class basic_shared_pool_resource
    : public detail::pool_resource_interface<basic_shared_pool_resource<Sharing, Collector>,
                                             Collector> {
public:
    static constexpr detail::threads used_by = detail::threads::all;

    /// Effects: one class, as configured. Throws: `invalid_configuration` if it has no slot size.
    explicit basic_shared_pool_resource(const pool_config& config)
        : basic_shared_pool_resource(config, std::pmr::get_default_resource()) {}

    basic_shared_pool_resource(const pool_config& config, std::pmr::memory_resource* upstream)
        : basic_shared_pool_resource(std::span(&config, 1), upstream) {}

    /// Effects: a class for each of `classes`. Throws: `invalid_configuration` if there is none,
    /// one has no slot size, or two are alike.
    template <detail::class_list Classes>
    explicit basic_shared_pool_resource(const Classes& classes)
        : basic_shared_pool_resource(classes, std::pmr::get_default_resource()) {}

    template <detail::class_list Classes>
    basic_shared_pool_resource(const Classes& classes, std::pmr::memory_resource* upstream)
        : plan_(std::span<const pool_config>(classes)), upstream_(upstream) {}

    /// As `std::pmr::synchronized_pool_resource`.
    basic_shared_pool_resource() noexcept : basic_shared_pool_resource(std::pmr::pool_options{}) {}

    constexpr explicit basic_shared_pool_resource(std::pmr::memory_resource* upstream) noexcept
        : basic_shared_pool_resource(std::pmr::pool_options{}, upstream) {}

    explicit basic_shared_pool_resource(const std::pmr::pool_options& options) noexcept
        : basic_shared_pool_resource(options, std::pmr::get_default_resource()) {}

    constexpr basic_shared_pool_resource(const std::pmr::pool_options& options,
                                         std::pmr::memory_resource* upstream) noexcept
        : plan_(options), upstream_(upstream) {}

    ~basic_shared_pool_resource() override {
        this->look_for_the_last_time(*this);
        release();
    }

    /// Returns: what the drop-in constructors made of their options. Of a resource made from
    /// classes: the largest slot size; and 0 blocks per chunk, for its growth strategies decide
    /// that.
    std::pmr::pool_options options() const noexcept { return plan_.options(); }

    /// Whether there is a class that such a request fits. Complexity: logarithmic in the number of
    /// classes.
    bool has_class_for(std::size_t bytes, std::size_t alignment) const noexcept {
        return plan_.map().class_of(bytes, alignment) != detail::class_map::no_class;
    }

    // While other threads are inside, what these say was true of each part at some moment, not of
    // all at the same.

    /// Slots over all classes. A class has none before its first use.
    /// Complexity: linear in the number of classes.
    std::size_t capacity() const noexcept;

    /// Slots that can be taken before any class grows, those that threads keep included.
    /// Complexity: linear in the number of classes and threads, and in the bits of lock-free slabs.
    std::size_t available() const noexcept;

    /// Slots that are with users. Larger blocks do not count. Complexity: as `available`.
    std::size_t in_use() const noexcept {
        const std::size_t free = available();
        const std::size_t all = capacity();
        return all - std::min(free, all);
    }

    /// Growth steps that followed a class's first slots, since the last `release()`.
    std::size_t growth_count() const noexcept {
        return growth_count_.load(std::memory_order_relaxed);
    }

    /// Returns: the start of the slot that `p` points into, free or not; null if there is none.
    /// Complexity: as `owns`.
    void* slot_of(const void* p) const noexcept;

    /// Effects: calls `f(visited_slot)` for each slot, class by class, in address order.
    /// Preconditions: no other thread is inside; `f` does not use this resource. Throws:
    /// `std::bad_alloc`; what `f` throws. Complexity: linear in the number of slots, with the
    /// logarithm of those in magazines.
    template <class F>
    void visit_slots(F f) {
        detail::cached_slots cached;
        rows_.for_each([&](detail::thread_number, const row& r) {
            for (const pool_type& pool : r.router.pools()) pool.add_cached_to(cached);
        });
        cached.sort();
        for_each_shelf([&](shelf& s) { s.depot.visit_slots(cached, f); });
    }

    /// Where slabs, rows and larger blocks come from.
    std::pmr::memory_resource* upstream_resource() const noexcept { return upstream_.original(); }

    /// Upstream, for those who call it beside this resource: as this one does, one thread at a time
    /// where it is not made for several.
    std::pmr::memory_resource* shared_upstream() noexcept { return upstream_.resource(); }

    /// Effects: gives back all memory, whoever still uses it. The resource is as it was made;
    /// growth begins again from the initial capacity. Preconditions: no other thread is inside.
    /// Complexity: linear in the number of slabs and threads.
    void release() noexcept;

    /// Whether the books are as the invariants say, and the statistics agree with them. For tests, and
    /// builds that check everything. Preconditions: no other thread is inside. Complexity: linear in the
    /// number of slots, and once more for each thousand that are available; for lock-free slabs also
    /// quadratic in their number.
    bool invariants_hold() const noexcept { return invariants_hold(detail::no_known_slots()); }

    /// The same, and whether all slots that `for_each_taken(f)` calls `f` with are taken, and distinct.
    template <class Taken>
    bool invariants_hold(Taken for_each_taken) const noexcept;

protected:
    /// Effects: empties the caller's magazines and those of threads that ended, and gives back each
    /// slab that holds no live block and no slot that another thread keeps.
    void trim_depots() noexcept;

private:
    friend detail::pool_resource_interface<basic_shared_pool_resource, Collector>;
    friend struct detail::invariants_test_access;

    using depot_type =
        detail::counted_depot<typename Sharing::depot, typename Collector::depot_counts>;
    using reserve_type = detail::depot_reserve<depot_type, typename Collector::slot_counts>;
    using pool_type = detail::pool<reserve_type>;

    /// The pools of one thread, in cache lines that no other thread writes to.
    struct row {
        detail::pool_router<pool_type> router;
    };

    /// One class: its depot, and what it takes to open a pool in front of it.
    struct alignas(detail::cache_line) shelf {
        depot_type depot;
        detail::magazine_limits limits;
        detail::spare<reserve_type> spare_reserve;
    };

    using shelves = std::atomic<shelf*>;

    template <bool MayBeNatural, class Act, class Otherwise>
    [[gnu::always_inline]] auto at_once(std::size_t bytes, std::size_t alignment, Act act,
                                        Otherwise otherwise) const {
        const row* const mine = rows_.mine();
        if (mine == nullptr) [[unlikely]] {
            return otherwise();
        }
        return mine->router.template at_once<MayBeNatural>(bytes, alignment, act, otherwise);
    }

    pool_type* pool_by_search(std::size_t bytes, std::size_t alignment) const noexcept {
        const row* const mine = rows_.mine();
        return mine == nullptr ? nullptr : mine->router.by_search(bytes, alignment);
    }

    static bool is_of_other_thread(const void*) noexcept { return false; }

    detail::class_map classes() const noexcept { return plan_.map(); }

    void add_statistics_to(class_statistics& sum, std::size_t index) const noexcept;
    void reset_slot_counts() noexcept;

    [[gnu::cold, gnu::noinline]] void* obtain_slow(std::size_t bytes, std::size_t alignment);
    static void* take_slow(shelf& s, pool_type* pool) noexcept;
    [[noreturn]] void throw_refused(std::size_t bytes, std::size_t alignment) const;
    [[gnu::cold, gnu::noinline]] void give_back_slow(void* p, std::size_t bytes,
                                                     std::size_t alignment) noexcept;

    shelf& shelf_slow(std::size_t index);
    bool grow_slow(shelf& s, std::size_t index);
    template <class Taken>
    bool class_holds(std::size_t index, Taken for_each_taken) const noexcept;
    bool collect_slow(std::size_t index) noexcept;
    pool_type* pool_slow(shelf& s, std::size_t index, bool may_ask_upstream) noexcept;
    row* row_slow(bool may_ask_upstream) noexcept;
    row* try_new_row() noexcept;
    void drop_row(row* r) noexcept;
    void leave_spares_slow(shelf& s) noexcept;

    // Returns: the calling thread's pool of the class; null if there is none, or it is closed.
    pool_type* open_pool_of(std::size_t index) noexcept {
        row* const mine = rows_.mine();
        if (mine == nullptr) return nullptr;
        pool_type& pool = mine->router.pools()[index];
        return pool.is_open() ? &pool : nullptr;
    }

    static detail::bad_free flush(row& r) noexcept {
        detail::bad_free bad;
        for (pool_type& pool : r.router.pools()) {
            if (pool.is_open()) bad.add(pool.flush());
        }
        return bad;
    }

    std::size_t row_bytes() const noexcept {
        return detail::round_up(pools_offset + plan_.map().count() * sizeof(pool_type),
                                detail::cache_line);
    }

    template <class F>
    void for_each_shelf(F f) const {
        shelves* const all = shelves_.load(std::memory_order_acquire);
        if (all == nullptr) return;
        for (std::size_t i = 0; i != plan_.map().count(); ++i) {
            if (shelf* const s = all[i].load(std::memory_order_acquire)) f(*s);
        }
    }

    static constexpr std::size_t pools_offset = detail::round_up(sizeof(row), alignof(pool_type));

    detail::per_thread<row> rows_;
    std::atomic<shelves*> shelves_{nullptr};  // one for each class
    detail::spare<row> spare_row_;
    detail::class_plan plan_;
    typename Sharing::upstream upstream_;
    typename Sharing::larger_blocks larger_;
    std::atomic<std::size_t> growth_count_{0};
};

template <class Sharing, class Collector>
void* basic_shared_pool_resource<Sharing, Collector>::obtain_slow(std::size_t bytes,
                                                                  std::size_t alignment) {
    const std::size_t index = plan_.map().class_of(bytes, alignment);
    if (index == detail::class_map::no_class) {
        return this->obtain_larger_slow(plan_.larger_requests(), larger_, *upstream_.resource(),
                                        bytes, alignment);
    }
    shelf& s = *detail::counting_failure(this->larger_counts(), [&] { return &shelf_slow(index); });
    auto& counts = s.depot.counts();
    leave_spares_slow(s);
    pool_type* pool = pool_slow(s, index, true);
    // Growing runs code that may use this resource, so each round looks again.
    bool may_throw = false;
    for (;;) {
        // Where there was no memory for a magazine, what was given back meanwhile may have got one: its memory
        // is from when there was some.
        if (pool == nullptr) pool = open_pool_of(index);
        if (void* const slot = take_slow(s, pool)) return slot;
        bool looks_again = false;
        const auto grow = [&] { looks_again = grow_slow(s, index); };
        if (may_throw) {
            detail::counting_failure(counts, grow);
        } else if (!detail::succeeds(grow)) {
            // What another thread would have used before it grew serves this one first, and what those
            // kept that ended.
            s.depot.share_slabs();
            collect_slow(index);
            may_throw = true;
            continue;
        }
        // A growth function may have given slots back, which the caller's magazine has now.
        const pool_type* const mine = open_pool_of(index);
        looks_again = looks_again || (mine != nullptr && !mine->empty());
        if (!looks_again && !collect_slow(index)) {
            if constexpr (Collector::counts) {
                counts.failed(plan_.why_full(index, s.depot.capacity()));
            }
            return nullptr;
        }
    }
}

// Returns: a slot that is free, of `pool` if there is one; null if there is none at hand.
template <class Sharing, class Collector>
void* basic_shared_pool_resource<Sharing, Collector>::take_slow(shelf& s,
                                                                pool_type* pool) noexcept {
    if (pool == nullptr) {
        void* slot = nullptr;
        if (s.depot.take_some(&slot, 1) == 0) return nullptr;
        s.depot.counts().missed();
        s.depot.counts().allocated();
        return slot;
    }
    if (pool->empty()) pool->refill_slow();
    if (pool->empty()) return nullptr;
    pool->counts().missed();
    return pool->take();
}

template <class Sharing, class Collector>
void basic_shared_pool_resource<Sharing, Collector>::throw_refused(std::size_t bytes,
                                                                   std::size_t alignment) const {
    const std::size_t index = plan_.map().class_of(bytes, alignment);
    if (index == detail::class_map::no_class) detail::throw_bad_alloc();
    // Relaxed: the request that is refused has looked for a slot there.
    const depot_type& depot =
        shelves_.load(std::memory_order_relaxed)[index].load(std::memory_order_relaxed)->depot;
    detail::throw_pool_exhausted(depot.geometry().slot_size(), depot.capacity());
}

template <class Sharing, class Collector>
void basic_shared_pool_resource<Sharing, Collector>::give_back_slow(
    void* p, std::size_t bytes, std::size_t alignment) noexcept {
    const std::size_t index = plan_.map().class_of(bytes, alignment);
    if (index == detail::class_map::no_class) {
        return this->give_back_larger_slow(larger_, *upstream_.resource(), p, bytes, alignment);
    }
    // The shelf is there, for the slot came from it. Relaxed: whoever handed the slot over knew the shelf.
    shelf& s = *shelves_.load(std::memory_order_relaxed)[index].load(std::memory_order_relaxed);
    pool_type* const pool = pool_slow(s, index, false);
    if (pool == nullptr) {
        s.depot.counts().deallocated();
        return s.depot.put_some(&p, 1).report();
    }
    pool->put_slow(p, this);
}

template <class Sharing, class Collector>
typename basic_shared_pool_resource<Sharing, Collector>::shelf&
basic_shared_pool_resource<Sharing, Collector>::shelf_slow(std::size_t index) {
    std::pmr::memory_resource& upstream = *upstream_.resource();
    const std::size_t bytes = plan_.map().count() * sizeof(shelves);
    shelves* const all = detail::made_once(
        shelves_,
        [&] {
            void* const memory = upstream.allocate(bytes, alignof(shelves));
            return ::new (memory) shelves[plan_.map().count()]{};
        },
        [&](shelves* made) { upstream.deallocate(made, bytes, alignof(shelves)); });
    return *detail::made_once(
        all[index],
        [&] {
            const detail::slot_geometry geometry = plan_.geometry_of(index);
            void* const memory = upstream.allocate(sizeof(shelf), detail::cache_line);
            return ::new (memory)
                shelf{depot_type(geometry, &upstream, plan_.pre_initialize(index), this),
                      detail::magazine_limits::of(geometry.slot_size(), plan_.cap_of(index)),
                      {}};
        },
        [&](shelf* made) {
            std::destroy_at(made);
            upstream.deallocate(made, sizeof(shelf), detail::cache_line);
        });
}

// Returns: whether to look again.
template <class Sharing, class Collector>
bool basic_shared_pool_resource<Sharing, Collector>::grow_slow(shelf& s, std::size_t index) {
    const std::size_t capacity = s.depot.capacity();
    const slot_number slots = plan_.next_slab(index, capacity, depot_type::record_bytes);
    if (slots == 0) {
        return s.depot.share_slabs() || s.depot.capacity() != capacity || s.depot.has_free_slot();
    }
    if (s.depot.grow_from(capacity, slots) && capacity != 0) {
        growth_count_.fetch_add(1, std::memory_order_relaxed);
        s.depot.counts().grew();
    }
    return true;
}

// Effects: gives slots of the class that threads kept when they ended back to the depot. Returns:
// whether there were any.
template <class Sharing, class Collector>
bool basic_shared_pool_resource<Sharing, Collector>::collect_slow(std::size_t index) noexcept {
    std::size_t collected = 0;
    detail::bad_free bad;
    rows_.for_each([&](detail::thread_number number, row& r) {
        pool_type& pool = r.router.pools()[index];
        if (pool.cached() == 0 || !number.try_claim()) return;
        collected += pool.cached();
        if (pool.is_open()) bad.add(pool.flush());
        number.give_up();
    });
    bad.report();
    return collected != 0;
}

// Returns: the calling thread's pool of the class, open; null if it can have none.
template <class Sharing, class Collector>
typename basic_shared_pool_resource<Sharing, Collector>::pool_type*
basic_shared_pool_resource<Sharing, Collector>::pool_slow(shelf& s, std::size_t index,
                                                          bool may_ask_upstream) noexcept {
    if (s.limits.first == 0) return nullptr;
    row* const mine = row_slow(may_ask_upstream);
    if (mine == nullptr) return nullptr;
    pool_type& pool = mine->router.pools()[index];
    if (!pool.is_open()) {
        reserve_type* const reserve =
            may_ask_upstream ? reserve_type::try_make(s.depot, s.limits, upstream_.resource())
                             : s.spare_reserve.take();
        if (reserve == nullptr) return nullptr;
        pool.open(reserve);
    }
    return &pool;
}

template <class Sharing, class Collector>
typename basic_shared_pool_resource<Sharing, Collector>::row*
basic_shared_pool_resource<Sharing, Collector>::row_slow(bool may_ask_upstream) noexcept {
    const detail::thread_number number = detail::thread_number::assign();
    if (number.is_nobodys()) return nullptr;
    // The thread that had the number before may have left one.
    if (row* const mine = rows_.mine()) return mine;
    if (may_ask_upstream) {
        if (!rows_.try_reserve(number, *upstream_.resource())) return nullptr;
    } else if (!rows_.has_room_for(number)) {
        spare_row_.want();
        return nullptr;
    }
    row* const mine = may_ask_upstream ? try_new_row() : spare_row_.take();
    if (mine != nullptr) rows_.set_mine(mine);
    return mine;
}

template <class Sharing, class Collector>
typename basic_shared_pool_resource<Sharing, Collector>::row*
basic_shared_pool_resource<Sharing, Collector>::try_new_row() noexcept {
    void* const memory =
        detail::try_upstream(*upstream_.resource(), row_bytes(), detail::cache_line);
    if (memory == nullptr) return nullptr;
    const detail::class_map classes = plan_.map();
    void* const behind = static_cast<std::byte*>(memory) + pools_offset;
    return ::new (memory) row{{::new (behind) pool_type[classes.count()], classes}};
}

template <class Sharing, class Collector>
void basic_shared_pool_resource<Sharing, Collector>::drop_row(row* r) noexcept {
    for (pool_type& pool : r->router.pools()) {
        if (pool.is_open()) reserve_type::drop(pool.close());
    }
    upstream_.resource()->deallocate(r, row_bytes(), detail::cache_line);
}

// Effects: leaves what threads want that only free.
template <class Sharing, class Collector>
void basic_shared_pool_resource<Sharing, Collector>::leave_spares_slow(shelf& s) noexcept {
    if (spare_row_.is_wanted() && rows_.try_reserve_all(*upstream_.resource())) {
        row* const made = try_new_row();
        if (made != nullptr && !spare_row_.leave(made)) drop_row(made);
    }
    if (s.spare_reserve.is_wanted()) {
        reserve_type* const made = reserve_type::try_make(s.depot, s.limits, upstream_.resource());
        if (made != nullptr && !s.spare_reserve.leave(made)) reserve_type::drop(made);
    }
}

template <class Sharing, class Collector>
std::size_t basic_shared_pool_resource<Sharing, Collector>::capacity() const noexcept {
    std::size_t total = 0;
    for_each_shelf([&](const shelf& s) { total += s.depot.capacity(); });
    return total;
}

template <class Sharing, class Collector>
std::size_t basic_shared_pool_resource<Sharing, Collector>::available() const noexcept {
    std::size_t total = 0;
    for_each_shelf([&](const shelf& s) { total += s.depot.available(); });
    rows_.for_each([&](detail::thread_number, const row& r) {
        for (const pool_type& pool : r.router.pools()) total += pool.cached();
    });
    return total;
}

template <class Sharing, class Collector>
void* basic_shared_pool_resource<Sharing, Collector>::slot_of(const void* p) const noexcept {
    void* slot = nullptr;
    for_each_shelf([&](const shelf& s) {
        if (slot == nullptr) slot = s.depot.slot_of(p);
    });
    return slot;
}

template <class Sharing, class Collector>
template <class Taken>
bool basic_shared_pool_resource<Sharing, Collector>::invariants_hold(
    Taken for_each_taken) const noexcept {
    if (!larger_.invariants_hold() || available() > capacity()) return false;
    for (std::size_t i = 0; i != plan_.map().count(); ++i) {
        if (!class_holds(i, for_each_taken)) return false;
    }
    return true;
}

template <class Sharing, class Collector>
template <class Taken>
bool basic_shared_pool_resource<Sharing, Collector>::class_holds(
    std::size_t index, Taken for_each_taken) const noexcept {
    shelves* const all = shelves_.load(std::memory_order_acquire);
    const shelf* const s = all == nullptr ? nullptr : all[index].load(std::memory_order_acquire);
    const auto for_each_pool = [&](auto f) {
        rows_.for_each([&](detail::thread_number, const row& r) { f(r.router.pools()[index]); });
    };
    bool pools_hold = true;
    for_each_pool([&](const pool_type& p) {
        pools_hold = pools_hold && p.invariants_hold() && (s != nullptr || !p.is_open());
    });
    if (!pools_hold || s == nullptr) return pools_hold;
    const depot_type& depot = s->depot;
    if (!depot.invariants_hold() || depot.capacity() > plan_.cap_of(index)) return false;
    if constexpr (Collector::counts) {
        class_statistics counted;
        add_statistics_to(counted, index);
        std::size_t available = depot.available();
        for_each_pool([&](const pool_type& p) { available += p.cached(); });
        if (counted.current + available != depot.capacity()) return false;
    }
    return detail::are_distinct_slots(
        [&](const void* p) { return depot.slot_of(p); }, [&](auto f) { depot.for_each_free(f); },
        [&](auto f) { for_each_pool([&](const pool_type& p) { p.for_each_cached(f); }); },
        for_each_taken);
}

template <class Sharing, class Collector>
void basic_shared_pool_resource<Sharing, Collector>::trim_depots() noexcept {
    detail::bad_free bad;
    if (row* const mine = rows_.mine()) bad.add(flush(*mine));
    rows_.for_each([&](detail::thread_number number, row& r) {
        if (!number.try_claim()) return;
        bad.add(flush(r));
        number.give_up();
    });
    for_each_shelf([&](shelf& s) { s.depot.trim([&] { this->forget_contents(); }); });
    bad.report();
}

template <class Sharing, class Collector>
void basic_shared_pool_resource<Sharing, Collector>::release() noexcept {
    std::pmr::memory_resource& upstream = *upstream_.resource();
    larger_.release(upstream);
    rows_.for_each([&](detail::thread_number number, row& r) {
        if (!number.is_orphan()) drop_row(&r);
    });
    rows_.release(upstream);
    if (row* const r = spare_row_.clear()) drop_row(r);
    for_each_shelf([&](shelf& s) {
        if (reserve_type* const r = s.spare_reserve.clear()) reserve_type::drop(r);
        std::destroy_at(&s);
        upstream.deallocate(&s, sizeof(shelf), detail::cache_line);
    });
    if (shelves* const all = shelves_.exchange(nullptr, std::memory_order_relaxed)) {
        upstream.deallocate(all, plan_.map().count() * sizeof(shelves), alignof(shelves));
    }
    growth_count_.store(0, std::memory_order_relaxed);
    this->forget_all();
}

template <class Sharing, class Collector>
void basic_shared_pool_resource<Sharing, Collector>::add_statistics_to(
    class_statistics& sum, std::size_t index) const noexcept {
    shelves* const all = shelves_.load(std::memory_order_acquire);
    const shelf* const mine = all == nullptr ? nullptr : all[index].load(std::memory_order_acquire);
    if (mine == nullptr) return;
    const depot_type& depot = mine->depot;
    depot.counts().add_to(sum);
    rows_.for_each(
        [&](detail::thread_number, const row& r) { r.router.pools()[index].counts().add_to(sum); });
    sum.capacity = depot.capacity();
    // The peaks of threads go apart where one frees what others allocated.
    sum.peak = std::min(sum.peak, depot.counts().most_out());
}

template <class Sharing, class Collector>
void basic_shared_pool_resource<Sharing, Collector>::reset_slot_counts() noexcept {
    for_each_shelf([](shelf& s) { s.depot.counts().reset(); });
    rows_.for_each([](detail::thread_number, row& r) {
        for (pool_type& pool : r.router.pools()) pool.counts().reset();
    });
}

}  // namespace fastalloc
