// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/collector.hpp>
#include <fastalloc/config.hpp>
#include <fastalloc/error.hpp>
#include <fastalloc/index/bitmap_index.hpp>
#include <fastalloc/index/free_list_index.hpp>
#include <fastalloc/index/stack_index.hpp>
#include <fastalloc/resource/larger_blocks.hpp>
#include <fastalloc/resource/pool_resource_interface.hpp>
#include <fastalloc/resource/pool_router.hpp>
#include <fastalloc/storage/pool.hpp>

#include <algorithm>
#include <cstddef>
#include <memory_resource>
#include <span>

namespace fastalloc {

/// What the single-threaded pool resources share: a row of pools, and everything that the pools
/// have to do with requests. What makes a pool grow is the derived resource's.
///
/// `MayBeDropIn` says whether a resource may have the natural classes, which serve every size.
///
/// Thread safety: none. Equality: identity.
template <class Index, bool MayBeDropIn, class Collector>
class basic_pool_resource
    : public detail::pool_resource_interface<basic_pool_resource<Index, MayBeDropIn, Collector>,
                                             Collector> {
    static_assert(index_strategy<Index>);

public:
    static constexpr detail::threads used_by = detail::threads::one;

    /// Slots over all classes. A class has none before its first use.
    /// `capacity() == available() + in_use()`. Complexity: linear in the number of classes.
    std::size_t capacity() const noexcept {
        return sum([](const pool_type& p) { return p.reserve().slabs.capacity(); });
    }

    /// Slots that can be taken before any class grows, those in magazines included.
    std::size_t available() const noexcept {
        return sum([](const pool_type& p) { return p.reserve().slabs.available() + p.cached(); });
    }

    /// Slots that are with users. Larger blocks do not count.
    std::size_t in_use() const noexcept { return capacity() - available(); }

    /// Growth steps that followed a class's first slots, since the last `release()`.
    std::size_t growth_count() const noexcept { return growth_count_; }

    /// Returns: the start of the slot that `p` points into, free or not; null if there is none.
    /// Complexity: as `owns`.
    void* slot_of(const void* p) const noexcept {
        for (const pool_type& pool : pools()) {
            if (!pool.is_open()) continue;
            if (void* const slot = pool.reserve().slabs.slot_of(p)) return slot;
        }
        return nullptr;
    }

    /// Effects: calls `f(visited_slot)` for each slot, class by class, in address order.
    /// Preconditions: `f` does not use this resource. Throws: `std::bad_alloc`; what `f` throws.
    /// Complexity: linear in the number of slots, with the logarithm of those in magazines.
    template <class F>
    void visit_slots(F f) {
        detail::cached_slots cached;
        add_cached_to(cached);
        cached.sort();
        visit_slots_beside(cached, f);
    }

    /// Where slabs and larger blocks come from.
    std::pmr::memory_resource* upstream_resource() const noexcept { return upstream_; }

    /// Upstream, for those who call it beside this resource.
    std::pmr::memory_resource* shared_upstream() noexcept { return upstream_; }

    /// Whether the books are as the invariants say, and the statistics agree with them. For tests, and
    /// builds that check everything. Complexity: linear in the number of slots, and once more for each
    /// thousand that are available.
    bool invariants_hold() const noexcept { return invariants_hold(detail::no_known_slots()); }

    /// The same, and whether all slots that `for_each_taken(f)` calls `f` with are taken, and distinct.
    template <class Taken>
    bool invariants_hold(Taken for_each_taken) const noexcept {
        return available() <= capacity() && books_hold() &&
               std::ranges::all_of(pools(), [&](const pool_type& p) {
                   return !p.is_open() || (slots_are_distinct(p, for_each_taken) && is_counted(p));
               });
    }

protected:
    using reserve_type = detail::slab_reserve<Index, typename Collector::slot_counts>;
    using pool_type = detail::pool<reserve_type>;

    basic_pool_resource(std::pmr::memory_resource* upstream,
                        fastalloc::larger_requests larger) noexcept
        : upstream_(upstream), larger_requests_(larger) {}

    ~basic_pool_resource() override = default;

    std::span<pool_type> pools() const noexcept { return router_.pools(); }

    /// Effects: requests go to the pools of `router` from now on.
    void route_by(const detail::pool_router<pool_type>& router) noexcept { router_ = router; }

    void count_growth() noexcept { ++growth_count_; }

    void add_cached_to(detail::cached_slots& all) const {
        for (const pool_type& pool : pools()) pool.add_cached_to(all);
    }

    template <class F>
    void visit_slots_beside(const detail::cached_slots& cached, F& f) {
        for (const pool_type& pool : pools()) {
            if (pool.is_open()) pool.reserve().slabs.visit_slots(cached, f);
        }
    }

    /// Whether each pool for itself, and larger blocks, are as their invariants say.
    bool books_hold() const noexcept {
        return larger_.invariants_hold() && std::ranges::all_of(pools(), [](const pool_type& p) {
                   return p.invariants_hold() &&
                          (!p.is_open() || p.reserve().slabs.invariants_hold());
               });
    }

    void restart_growth_count() noexcept { growth_count_ = 0; }

    void release_larger_blocks() noexcept { larger_.release(*upstream_); }

    // What `pool_resource_interface` asks for.

    template <bool MayBeNatural, class Act, class Otherwise>
    [[gnu::always_inline]] auto at_once(std::size_t bytes, std::size_t alignment, Act act,
                                        Otherwise otherwise) const {
        constexpr bool may_be_natural = MayBeNatural && MayBeDropIn;
        return router_.template at_once<may_be_natural>(bytes, alignment, act, otherwise);
    }

    pool_type* pool_by_search(std::size_t bytes, std::size_t alignment) const noexcept {
        return router_.by_search(bytes, alignment);
    }

    static bool is_of_other_thread(const void*) noexcept { return false; }

    const detail::class_map& classes() const noexcept { return router_.classes(); }

    void add_statistics_to(class_statistics& sum, std::size_t index) const noexcept {
        const pool_type& pool = pools()[index];
        if (pool.is_open()) sum.capacity += pool.reserve().slabs.capacity();
        pool.counts().add_to(sum);
    }

    void reset_slot_counts() noexcept {
        for (pool_type& pool : pools()) pool.counts().reset();
    }

    [[gnu::cold, gnu::noinline]] void* obtain_slow(std::size_t bytes, std::size_t alignment);
    [[noreturn]] void throw_refused(std::size_t bytes, std::size_t alignment) const;
    [[gnu::cold, gnu::noinline]] void give_back_slow(void* p, std::size_t bytes,
                                                     std::size_t alignment) noexcept;

private:
    friend detail::pool_resource_interface<basic_pool_resource, Collector>;
    friend struct detail::invariants_test_access;

    /// Effects: lists the classes with `route_by`. Called once before a request can be routed;
    /// not at all by a resource that lists them when it is made. Throws: what upstream throws.
    virtual void list_classes_slow() {}

    /// Effects: adds at least one free slot to the pool, opening it if need be, by code that may
    /// use this resource. Returns: false if the pool may not grow, and counts
    /// why. Throws: what upstream or a custom growth function throws; no effects then.
    virtual bool grow_slow(pool_type& pool) = 0;

    template <class Taken>
    static bool slots_are_distinct(const pool_type& p, Taken for_each_taken) noexcept {
        const auto& slabs = p.reserve().slabs;
        return detail::are_distinct_slots([&](const void* slot) { return slabs.slot_of(slot); },
                                          [&](auto f) { slabs.for_each_free(f); },
                                          [&](auto f) { p.for_each_cached(f); }, for_each_taken);
    }

    static bool is_counted(const pool_type& p) noexcept {
        slot_statistics s;
        p.counts().add_to(s);
        const auto& slabs = p.reserve().slabs;
        return !Collector::counts || s.current + slabs.available() + p.cached() == slabs.capacity();
    }

    template <class Count>
    std::size_t sum(Count count) const noexcept {
        std::size_t total = 0;
        for (const pool_type& pool : pools()) total += pool.is_open() ? count(pool) : 0;
        return total;
    }

    detail::pool_router<pool_type> router_;
    detail::larger_blocks larger_;
    std::pmr::memory_resource* upstream_;
    std::size_t growth_count_ = 0;
    fastalloc::larger_requests larger_requests_;
};

template <class Index, bool MayBeDropIn, class Collector>
void* basic_pool_resource<Index, MayBeDropIn, Collector>::obtain_slow(std::size_t bytes,
                                                                      std::size_t alignment) {
    if (classes().count() == 0) {
        detail::counting_failure(this->larger_counts(), [&] { list_classes_slow(); });
    }
    pool_type* const pool = router_.by_search(bytes, alignment);
    if (pool == nullptr) {
        return this->obtain_larger_slow(larger_requests_, larger_, *upstream_, bytes, alignment);
    }
    // Growing runs code that may use this resource, so each round looks again.
    while (pool->empty()) {
        if (pool->is_open() && pool->reserve().slabs.available() != 0) {
            pool->refill_slow();
        } else if (!detail::counting_failure(pool->counts(), [&] { return grow_slow(*pool); })) {
            return nullptr;
        }
    }
    pool->counts().missed();
    return pool->take();
}

template <class Index, bool MayBeDropIn, class Collector>
void basic_pool_resource<Index, MayBeDropIn, Collector>::throw_refused(
    std::size_t bytes, std::size_t alignment) const {
    const pool_type* const pool = router_.by_search(bytes, alignment);
    if (pool == nullptr) detail::throw_bad_alloc();
    const auto& slabs = pool->reserve().slabs;
    detail::throw_pool_exhausted(slabs.geometry().slot_size(), slabs.capacity());
}

template <class Index, bool MayBeDropIn, class Collector>
void basic_pool_resource<Index, MayBeDropIn, Collector>::give_back_slow(
    void* p, std::size_t bytes, std::size_t alignment) noexcept {
    pool_type* const pool = router_.by_search(bytes, alignment);
    if (pool == nullptr) {
        return this->give_back_larger_slow(larger_, *upstream_, p, bytes, alignment);
    }
    pool->put_slow(p, this);
}

extern template class FASTALLOC_EXPORT basic_pool_resource<bitmap_index, true, no_statistics>;
extern template class FASTALLOC_EXPORT basic_pool_resource<free_list_index, true, no_statistics>;
extern template class FASTALLOC_EXPORT basic_pool_resource<stack_index, true, no_statistics>;
extern template class FASTALLOC_EXPORT basic_pool_resource<bitmap_index, false, no_statistics>;
extern template class FASTALLOC_EXPORT basic_pool_resource<free_list_index, false, no_statistics>;
extern template class FASTALLOC_EXPORT basic_pool_resource<stack_index, false, no_statistics>;

}  // namespace fastalloc
