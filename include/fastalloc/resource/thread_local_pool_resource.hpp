// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/config.hpp>
#include <fastalloc/detail/fork_safe_mutex.hpp>
#include <fastalloc/detail/machine.hpp>
#include <fastalloc/detail/thread_exit_hook.hpp>
#include <fastalloc/detail/thread_number.hpp>
#include <fastalloc/error.hpp>
#include <fastalloc/resource/atomic_larger_blocks.hpp>
#include <fastalloc/resource/class_list.hpp>
#include <fastalloc/resource/class_plan.hpp>
#include <fastalloc/resource/growing_pool_resource.hpp>
#include <fastalloc/resource/pool_resource_interface.hpp>
#include <fastalloc/storage/per_thread.hpp>
#include <fastalloc/storage/upstream_block.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <new>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

namespace fastalloc {

/// One resource for everybody, in which each thread has pools of its own: what one thread does
/// costs and disturbs no other. There is no atomic read-modify-write, no lock and no shared cache
/// line on the way.
///
/// A block must be given back by the thread that allocated it. When a thread has ended, its blocks
/// stay valid, and one thread that knows of the end may give them back. Its pools stay in the
/// resource; the next thread that comes takes them over, once all their blocks are back.
///
/// `statistics()`, `for_each_class(f)` and `reset_statistics()` are of all threads, and for any.
///
/// Upstream must be made for several threads. More than 65,535 threads at a time: those that come
/// last are refused with `std::bad_alloc`.
///
/// A child of `fork()` may use it, whatever other threads were doing, if upstream may be used there.
/// It has the pools of the thread that forked; those of all others stay as they were, unused, also
/// by `release()`: nobody may give their blocks back, nor call `visit_slots`.
///
/// Thread safety: full, under these rules, but for `release()` and the destructor, which no other
/// thread may be inside of, or come after without being told. Equality: identity.
template <class Index = bitmap_index, class Collector = no_statistics>
class basic_thread_local_pool_resource
    : public detail::pool_resource_interface<basic_thread_local_pool_resource<Index, Collector>,
                                             Collector> {
public:
    /// What reports call it.
    static constexpr std::string_view type_name = "thread_local_pool_resource";

    static constexpr detail::threads used_by = detail::threads::each_its_own;

    /// Effects: one class for each thread, as configured. Throws: `invalid_configuration` if it has
    /// no slot size.
    explicit basic_thread_local_pool_resource(const pool_config& config)
        : basic_thread_local_pool_resource(config, std::pmr::get_default_resource()) {}

    basic_thread_local_pool_resource(const pool_config& config, std::pmr::memory_resource* upstream)
        : basic_thread_local_pool_resource(std::span(&config, 1), upstream) {}

    /// Effects: for each thread a class for each of `classes`. Throws: `invalid_configuration` if
    /// there is none, one has no slot size, or two are alike.
    template <detail::class_list Classes>
    explicit basic_thread_local_pool_resource(const Classes& classes)
        : basic_thread_local_pool_resource(classes, std::pmr::get_default_resource()) {}

    template <detail::class_list Classes>
    basic_thread_local_pool_resource(const Classes& classes, std::pmr::memory_resource* upstream)
        : plan_(std::span<const pool_config>(classes)), upstream_(upstream) {}

    /// As `std::pmr::unsynchronized_pool_resource`.
    basic_thread_local_pool_resource() noexcept
        : basic_thread_local_pool_resource(std::pmr::pool_options{}) {}

    explicit basic_thread_local_pool_resource(std::pmr::memory_resource* upstream) noexcept
        : basic_thread_local_pool_resource(std::pmr::pool_options{}, upstream) {}

    explicit basic_thread_local_pool_resource(const std::pmr::pool_options& options) noexcept
        : basic_thread_local_pool_resource(options, std::pmr::get_default_resource()) {}

    basic_thread_local_pool_resource(const std::pmr::pool_options& options,
                                     std::pmr::memory_resource* upstream) noexcept
        : plan_(options), upstream_(upstream) {}

    ~basic_thread_local_pool_resource() override {
        disarm_all();
        this->look_for_the_last_time(*this);
        release();
    }

    /// Returns: as `growing_pool_resource::options`.
    std::pmr::pool_options options() const noexcept { return plan_.options(); }

    /// Whether there is a class that such a request fits. Complexity: logarithmic in the number of
    /// classes.
    bool has_class_for(std::size_t bytes, std::size_t alignment) const noexcept {
        return plan_.map().class_of(bytes, alignment) != detail::class_map::no_class;
    }

    // Caps, and all that these say, are those of the calling thread.

    std::size_t capacity() const noexcept {
        return of_mine([](const pools_of_thread& mine) { return mine.capacity(); });
    }

    std::size_t available() const noexcept {
        return of_mine([](const pools_of_thread& mine) { return mine.available(); });
    }

    /// Slots that are with users. Blocks of threads that ended, which the caller gave back lately,
    /// may count as its own free slots.
    std::size_t in_use() const noexcept { return capacity() - std::min(capacity(), available()); }

    /// As `in_use()`, of all threads. Preconditions: no other thread is inside. Complexity: linear
    /// in the number of threads.
    std::size_t in_use_by_all() const noexcept {
        std::size_t total = 0;
        for (const pools_of_thread* p = all_; p != nullptr; p = p->next) total += p->in_use();
        return total;
    }

    std::size_t growth_count() const noexcept {
        return of_mine([](const pools_of_thread& mine) { return mine.growth_count(); });
    }

    /// Returns: the start of the slot of any thread that `p` points into, free or not; null if
    /// there is none. Complexity: as `owns`.
    void* slot_of(const void* p) const noexcept;

    /// Effects: calls `f(visited_slot)` for each slot, thread by thread, class by class, in address
    /// order. Preconditions: no other thread is inside; `f` does not use this resource. Throws:
    /// `std::bad_alloc`; what `f` throws. Complexity: linear in the number of slots, with the
    /// logarithm of those in magazines.
    template <class F>
    void visit_slots(F f) {
        // Of all first, for the magazine of one thread may have slots of another that ended.
        detail::cached_slots cached;
        for (auto* pools = all_; pools != nullptr; pools = pools->next) {
            pools->add_cached_to(cached);
        }
        cached.sort();
        for (auto* pools = all_; pools != nullptr; pools = pools->next) {
            pools->visit_slots_beside(cached, f);
        }
    }

    /// Whether the books of all threads are as the invariants say. For tests, and builds that check
    /// everything. Preconditions: no other thread is inside. Complexity: linear in the number of
    /// slots, and once more for each thousand that are available.
    bool invariants_hold() const noexcept { return invariants_hold(detail::no_known_slots()); }

    /// The same, and whether all slots that `for_each_taken(f)` calls `f` with are taken, and distinct.
    template <class Taken>
    bool invariants_hold(Taken for_each_taken) const noexcept;

    /// Where each thread's memory comes from.
    std::pmr::memory_resource* upstream_resource() const noexcept { return upstream_; }

    /// Upstream, for those who call it beside this resource.
    std::pmr::memory_resource* shared_upstream() noexcept { return upstream_; }

    /// Effects: all threads that used the resource count as ended, so that the caller may give back
    /// their blocks. Preconditions: no other thread is inside, nor comes again with a block that it
    /// has. Complexity: linear in the number of threads.
    void take_over() noexcept;

    /// Effects: gives back all memory of all threads, whoever still uses it. The resource is as it
    /// was made. Preconditions: no other thread is inside. Complexity: linear in the number of
    /// slabs.
    void release() noexcept;

    /// Effects: empties the magazines of the caller and of threads that ended, and gives back each
    /// of their slabs as `growing_pool_resource` does. Complexity: linear in the number of slabs.
    void trim() noexcept;

private:
    friend detail::pool_resource_interface<basic_thread_local_pool_resource, Collector>;
    friend struct detail::invariants_test_access;

    // How long a request took is measured by this resource.
    using base_of_thread = basic_growing_pool_resource<Index, typename Collector::without_times>;

    /// The pools of one thread.
    class pools_of_thread final : public base_of_thread, public detail::thread_exit_hook {
        using base = base_of_thread;

    public:
        explicit pools_of_thread(basic_thread_local_pool_resource* owner)
            : base(owner->plan_, owner->upstream_, owner, &owner->others_), owner_(owner) {}

        using base::add_cached_to;
        using base::at_once;
        using base::books_hold;
        using base::caps_hold;
        using base::flush;
        using base::larger_counts;
        using base::obtain_slow;
        using base::pool_by_search;
        using base::throw_refused;
        using base::trim;
        using base::visit_slots_beside;
        using typename base::pool_type;

        void* slot_of_locked(const void* p) noexcept {
            const std::lock_guard guard(books_lock_);
            return this->slot_of(p);
        }

        /// Effects: if `slot` is one of these, `put(pool)` with its pool, which is to free and
        /// count it.
        /// Returns: none if it is not; else what is wrong with it, or with another that had to make room.
        /// Preconditions: no thread has these pools.
        template <class Put>
        std::optional<detail::bad_free> take_back(void* slot, const detail::slot_geometry& geometry,
                                                  Put put) noexcept {
            const std::lock_guard guard(books_lock_);
            if (!this->owns(slot)) return std::nullopt;
            if constexpr (detail::build::has_checks) {
                if (this->slot_of(slot) != slot) {
                    return detail::bad_free{owner_, slot, misuse::interior_free};
                }
            }
            pool_type* const pool = pool_by_search(geometry.slot_size(), geometry.alignment());
            detail::bad_free bad;
            if (pool->full()) bad = pool->spill_slow();
            put(*pool);
            return bad;
        }

        /// Returns: the pool of a class that is open; null if it is not.
        pool_type* open_pool_of(std::size_t index) const noexcept {
            const std::span<pool_type> all = this->pools();
            return index < all.size() && all[index].is_open() ? &all[index] : nullptr;
        }

        /// Effects: adds what happened in a class. Thread safety: full.
        void add_to(class_statistics& sum, std::size_t index) noexcept {
            const std::lock_guard guard(books_lock_);
            if (index < this->pools().size()) this->add_statistics_to(sum, index);
        }

        void reset_counts() noexcept {
            const std::lock_guard guard(books_lock_);
            this->reset_slot_counts();
            larger_counts().reset();
        }

        enum class possession {
            of_its_thread,
            left,     // the thread has ended: a new one may adopt them
            trimmed,  // left, and another thread is about to trim them
        };

        /// Whether fork() cut short whoever had these pools, which may be half done. Preconditions: no
        /// other thread is inside.
        bool is_orphan() const noexcept {
            return (whose == possession::of_its_thread && number.is_orphan()) ||
                   whose == possession::trimmed;
        }

        pools_of_thread* next = nullptr;  // in the list of all
        possession whose = possession::of_its_thread;
        detail::thread_number number = detail::thread_number::mine();  // of its thread

    private:
        std::mutex* books_lock() noexcept override { return &books_lock_; }

        detail::bad_free thread_ends() noexcept override {
            const detail::bad_free bad = this->flush();
            const std::lock_guard guard(owner_->lock_);
            whose = possession::left;
            owner_->by_thread_.set_mine(nullptr);
            return bad;
        }

        basic_thread_local_pool_resource* owner_;
        // Also for the slots, once the thread has ended.
        std::mutex& books_lock_ = detail::fork_safe_mutex(detail::fork_safe_kind::books, this);
    };

    using pool_type = typename pools_of_thread::pool_type;

    /// The pools of threads that ended, whose blocks others give back.
    class others final : public detail::other_owners {
    public:
        explicit others(basic_thread_local_pool_resource* owner) noexcept : owner_(owner) {}

        // Called while a magazine spills, whose thread has counted the slot as given back: so it
        // was live there, and moved.
        detail::bad_free take_back(void* slot,
                                   const detail::slot_geometry& geometry) noexcept override {
            pool_type* const spilling =
                owner_->pool_by_search(geometry.slot_size(), geometry.alignment());
            return take_back(slot, geometry, [=](pool_type& pool) {
                pool.ready_slots().put(slot);
                if (spilling == nullptr) return;
                pool.counts().move_in(-1);
                spilling->counts().move_in(1);
            });
        }

        template <class Put>
        detail::bad_free take_back(void* slot, const detail::slot_geometry& geometry,
                                   Put put) noexcept;

    private:
        basic_thread_local_pool_resource* owner_;
    };

    template <class F>
    std::size_t of_mine(F f) const noexcept {
        const pools_of_thread* const mine = by_thread_.mine();
        return mine == nullptr ? 0 : f(*mine);
    }

    template <bool MayBeNatural, class Act, class Otherwise>
    [[gnu::always_inline]] auto at_once(std::size_t bytes, std::size_t alignment, Act act,
                                        Otherwise otherwise) const {
        const pools_of_thread* const mine = by_thread_.mine();
        if (mine == nullptr) [[unlikely]] {
            return otherwise();
        }
        return mine->template at_once<MayBeNatural>(bytes, alignment, act, otherwise);
    }

    pool_type* pool_by_search(std::size_t bytes, std::size_t alignment) const noexcept {
        const pools_of_thread* const mine = by_thread_.mine();
        return mine == nullptr ? nullptr : mine->pool_by_search(bytes, alignment);
    }

    bool is_of_other_thread(const void* p) const noexcept;

    // Effects: threads that end do nothing here any more, and none is just ending here. First of all where
    // nobody else is to be inside: such a thread may give back slots of any other that ended. Not inlined,
    // for g++ 12 warns of `all_` where the resource is in a std::optional.
    [[gnu::noinline]] void disarm_all() noexcept {
        for (pools_of_thread* pools = all_; pools != nullptr; pools = pools->next) pools->disarm();
    }

    detail::class_map classes() const noexcept { return plan_.map(); }

    void add_statistics_to(class_statistics& sum, std::size_t index) const noexcept;
    void reset_slot_counts() noexcept;
    void add_larger_to(pool_statistics& sum) const noexcept;

    [[gnu::cold, gnu::noinline]] void* obtain_slow(std::size_t bytes, std::size_t alignment);
    [[noreturn]] void throw_refused(std::size_t bytes, std::size_t alignment) const;
    [[gnu::cold, gnu::noinline]] void give_back_slow(void* p, std::size_t bytes,
                                                     std::size_t alignment) noexcept;
    pools_of_thread* new_pools_slow();
    pools_of_thread* adopt_slow() noexcept;

    static constexpr std::size_t pools_bytes =
        detail::round_up(sizeof(pools_of_thread), detail::cache_line);

    detail::per_thread<pools_of_thread> by_thread_;
    detail::class_plan plan_;
    std::pmr::memory_resource* upstream_;
    others others_{this};
    // For all_, and whose each of them is.
    std::mutex& lock_ = detail::fork_safe_mutex(detail::fork_safe_kind::owner, this);
    pools_of_thread* all_ = nullptr;  // the youngest first
    detail::atomic_larger_blocks<std::atomic> larger_;
};

using thread_local_pool_resource = basic_thread_local_pool_resource<>;

template <class Index, class Collector>
void* basic_thread_local_pool_resource<Index, Collector>::slot_of(const void* p) const noexcept {
    const std::lock_guard guard(lock_);
    void* slot = nullptr;
    for (pools_of_thread* pools = all_; pools != nullptr && slot == nullptr; pools = pools->next) {
        slot = pools->slot_of_locked(p);
    }
    return slot;
}

template <class Index, class Collector>
bool basic_thread_local_pool_resource<Index, Collector>::is_of_other_thread(
    const void* p) const noexcept {
    const pools_of_thread* const mine = by_thread_.mine();
    const std::lock_guard guard(lock_);
    for (pools_of_thread* pools = all_; pools != nullptr; pools = pools->next) {
        if (pools == mine || pools->whose != pools_of_thread::possession::of_its_thread) continue;
        if (pools->slot_of_locked(p) != nullptr) return true;
    }
    return false;
}

template <class Index, class Collector>
void* basic_thread_local_pool_resource<Index, Collector>::obtain_slow(std::size_t bytes,
                                                                      std::size_t alignment) {
    if (!has_class_for(bytes, alignment)) {
        return this->obtain_larger_slow(plan_.larger_requests(), larger_, *upstream_, bytes,
                                        alignment);
    }
    pools_of_thread* mine = by_thread_.mine();
    if (mine == nullptr) {
        mine = detail::counting_failure(this->larger_counts(), [&] { return new_pools_slow(); });
    }
    if (pool_type* const pool = mine->pool_by_search(bytes, alignment)) {
        if (!pool->empty()) {
            pool->counts().missed();
            return pool->take();
        }
    }
    return mine->obtain_slow(bytes, alignment);
}

template <class Index, class Collector>
void basic_thread_local_pool_resource<Index, Collector>::throw_refused(
    std::size_t bytes, std::size_t alignment) const {
    const pools_of_thread* const mine = by_thread_.mine();
    if (mine == nullptr) detail::throw_bad_alloc();
    mine->throw_refused(bytes, alignment);
}

template <class Index, class Collector>
void basic_thread_local_pool_resource<Index, Collector>::give_back_slow(
    void* p, std::size_t bytes, std::size_t alignment) noexcept {
    const detail::class_map classes = plan_.map();
    const std::size_t index = classes.class_of(bytes, alignment);
    if (index == detail::class_map::no_class) {
        return this->give_back_larger_slow(larger_, *upstream_, p, bytes, alignment);
    }
    const pools_of_thread* const mine = by_thread_.mine();
    pool_type* const pool = mine == nullptr ? nullptr : mine->open_pool_of(index);
    if (pool != nullptr) return pool->put_slow(p, this);
    // A thread that has no slots of the class gives back what one that ended had allocated.
    const auto put = [p](pool_type& left) { left.put(p); };
    others_.take_back(p, plan_.geometry_of(index), put).report();
}

template <class Index, class Collector>
typename basic_thread_local_pool_resource<Index, Collector>::pools_of_thread*
basic_thread_local_pool_resource<Index, Collector>::new_pools_slow() {
    const detail::thread_number number = detail::thread_number::assign();
    if (number.is_nobodys() || !by_thread_.try_reserve(number, *upstream_)) {
        detail::throw_bad_alloc();
    }
    pools_of_thread* mine = adopt_slow();
    if (mine == nullptr) {
        detail::upstream_block memory(upstream_, pools_bytes, detail::cache_line);
        mine = ::new (memory.start()) pools_of_thread(this);
        memory.disown();
        const std::lock_guard guard(lock_);
        mine->next = std::exchange(all_, mine);
    }
    mine->arm();
    by_thread_.set_mine(mine);
    return mine;
}

// Returns: the pools of a thread that ended, if none of their blocks is live.
template <class Index, class Collector>
typename basic_thread_local_pool_resource<Index, Collector>::pools_of_thread*
basic_thread_local_pool_resource<Index, Collector>::adopt_slow() noexcept {
    const std::lock_guard guard(lock_);
    pools_of_thread* pools = all_;
    const auto may_adopt = [](const pools_of_thread& p) {
        return p.whose == pools_of_thread::possession::left && p.in_use() == 0;
    };
    while (pools != nullptr && !may_adopt(*pools)) pools = pools->next;
    if (pools != nullptr) {
        pools->whose = pools_of_thread::possession::of_its_thread;
        pools->number = detail::thread_number::mine();
    }
    return pools;
}

template <class Index, class Collector>
template <class Put>
detail::bad_free basic_thread_local_pool_resource<Index, Collector>::others::take_back(
    void* slot, const detail::slot_geometry& geometry, Put put) noexcept {
    {
        const std::lock_guard guard(owner_->lock_);
        for (pools_of_thread* pools = owner_->all_; pools != nullptr; pools = pools->next) {
            if (pools->whose == pools_of_thread::possession::of_its_thread) continue;
            if (const auto taken = pools->take_back(slot, geometry, put)) return *taken;
        }
    }
    const bool is_of_other_thread = owner_->is_of_other_thread(slot);
    return {owner_, slot, is_of_other_thread ? misuse::wrong_thread : misuse::foreign_free};
}

template <class Index, class Collector>
void basic_thread_local_pool_resource<Index, Collector>::release() noexcept {
    disarm_all();
    while (all_ != nullptr) {
        pools_of_thread* const pools = all_;
        all_ = pools->next;
        if (pools->is_orphan()) continue;
        std::destroy_at(pools);
        upstream_->deallocate(pools, pools_bytes, detail::cache_line);
    }
    by_thread_.release(*upstream_);
    larger_.release(*upstream_);
    this->forget_all();
}

template <class Index, class Collector>
void basic_thread_local_pool_resource<Index, Collector>::add_statistics_to(
    class_statistics& sum, std::size_t index) const noexcept {
    const std::lock_guard guard(lock_);
    for (pools_of_thread* pools = all_; pools != nullptr; pools = pools->next) {
        pools->add_to(sum, index);
    }
}

template <class Index, class Collector>
void basic_thread_local_pool_resource<Index, Collector>::reset_slot_counts() noexcept {
    const std::lock_guard guard(lock_);
    for (pools_of_thread* pools = all_; pools != nullptr; pools = pools->next) {
        pools->reset_counts();
    }
}

template <class Index, class Collector>
void basic_thread_local_pool_resource<Index, Collector>::add_larger_to(
    pool_statistics& sum) const noexcept {
    this->larger_counts().add_to(sum);
    const std::lock_guard guard(lock_);
    for (pools_of_thread* pools = all_; pools != nullptr; pools = pools->next) {
        pools->larger_counts().add_to(sum);
    }
}

template <class Index, class Collector>
template <class Taken>
bool basic_thread_local_pool_resource<Index, Collector>::invariants_hold(
    Taken for_each_taken) const noexcept {
    // Of the threads that have pools, each is known to those.
    std::size_t with_thread = 0;
    for (const pools_of_thread* pools = all_; pools != nullptr; pools = pools->next) {
        if (!pools->books_hold() || !pools->caps_hold()) return false;
        with_thread += pools->whose == pools_of_thread::possession::of_its_thread;
    }
    bool all_have_pools = true;
    by_thread_.for_each([&](detail::thread_number, const pools_of_thread& pools) {
        all_have_pools = all_have_pools && with_thread-- != 0 &&
                         pools.whose == pools_of_thread::possession::of_its_thread;
    });
    if (!all_have_pools || with_thread != 0 || !larger_.invariants_hold()) return false;
    // Together, for the magazine of one thread may have slots of another that ended.
    for (std::size_t i = 0; i != plan_.map().count(); ++i) {
        const auto for_each_pool = [&](auto f) {
            for (const pools_of_thread* pools = all_; pools != nullptr; pools = pools->next) {
                if (const pool_type* const pool = pools->open_pool_of(i)) f(*pool);
            }
        };
        if (!detail::are_distinct_slots(
                [&](const void* p) { return slot_of(p); },
                [&](auto f) {
                    for_each_pool([&](const pool_type& p) { p.reserve().slabs.for_each_free(f); });
                },
                [&](auto f) { for_each_pool([&](const pool_type& p) { p.for_each_cached(f); }); },
                for_each_taken)) {
            return false;
        }
    }
    return true;
}

template <class Index, class Collector>
void basic_thread_local_pool_resource<Index, Collector>::take_over() noexcept {
    disarm_all();
    detail::bad_free bad;
    for (pools_of_thread* pools = all_; pools != nullptr; pools = pools->next) {
        if (pools->is_orphan()) continue;
        bad.add(pools->flush());
        pools->whose = pools_of_thread::possession::left;
    }
    by_thread_.release(*upstream_);
    bad.report();
}

template <class Index, class Collector>
void basic_thread_local_pool_resource<Index, Collector>::trim() noexcept {
    using possession = typename pools_of_thread::possession;
    const auto forget = [this] { this->forget_contents(); };
    detail::bad_free bad;
    if (pools_of_thread* const mine = by_thread_.mine()) {
        bad = mine->flush();
        bad.add(mine->trim(forget));
    }
    // Trimming calls upstream, so the lock is given up for that.
    std::unique_lock guard(lock_);
    for (pools_of_thread* pools = all_; pools != nullptr; pools = pools->next) {
        if (pools->whose != possession::left) continue;
        pools->whose = possession::trimmed;
        guard.unlock();
        bad.add(pools->trim(forget));
        guard.lock();
        pools->whose = possession::left;
    }
    guard.unlock();
    bad.report();
}

extern template class FASTALLOC_EXPORT basic_thread_local_pool_resource<bitmap_index>;
extern template class FASTALLOC_EXPORT basic_thread_local_pool_resource<free_list_index>;
extern template class FASTALLOC_EXPORT basic_thread_local_pool_resource<stack_index>;

}  // namespace fastalloc
