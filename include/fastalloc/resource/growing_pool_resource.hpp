// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/config.hpp>
#include <fastalloc/detail/machine.hpp>
#include <fastalloc/resource/basic_pool_resource.hpp>
#include <fastalloc/resource/class_list.hpp>
#include <fastalloc/resource/class_plan.hpp>
#include <fastalloc/storage/magazine.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <new>
#include <span>
#include <string_view>
#include <utility>

namespace fastalloc {

namespace detail {

/// Returns: `resource.allocate(bytes, alignment)`. Out of line, because g++ 12 with sanitizers
/// knows the type of a `monotonic_buffer_resource` and then calls a function of it that no library
/// exports.
FASTALLOC_EXPORT void* allocate_from(std::pmr::memory_resource& resource, std::size_t bytes,
                                     std::size_t alignment);

}  // namespace detail

/// Pools that grow by whole slabs.
///
/// Made from a `pool_config` or a list of them, it has exactly those classes, each of which grows
/// by its strategy up to its cap. Made like `std::pmr::unsynchronized_pool_resource`, which it can
/// replace, it serves every size: in classes up to `options().largest_required_pool_block`, from
/// upstream above; a class grows by an eighth of what it holds, a very large one by less, and by at most
/// `options().max_blocks_per_chunk` slots at a time. By default a request that fits no class goes to upstream
/// either way.
///
/// Memory is obtained when it is first needed: no constructor calls upstream, and the drop-in
/// constructors do not allocate at all. Upstream gets memory back by `trim()`, `release()` and the
/// destructor only, larger blocks also by `deallocate`.
///
/// Thread safety: none. Equality: identity.
template <class Index = bitmap_index, class Collector = no_statistics>
class basic_growing_pool_resource : public basic_pool_resource<Index, true, Collector> {
    using base = basic_pool_resource<Index, true, Collector>;

public:
    /// What reports call it.
    static constexpr std::string_view type_name = "growing_pool_resource";

    /// Effects: one class, as configured. Throws: `invalid_configuration` if it has no slot size.
    explicit basic_growing_pool_resource(const pool_config& config)
        : basic_growing_pool_resource(config, std::pmr::get_default_resource()) {}

    basic_growing_pool_resource(const pool_config& config, std::pmr::memory_resource* upstream)
        : basic_growing_pool_resource(std::span(&config, 1), upstream) {}

    /// Effects: a class for each of `classes`. Throws: `invalid_configuration` if there is none,
    /// one has no slot size, or two are alike.
    template <detail::class_list Classes>
    explicit basic_growing_pool_resource(const Classes& classes)
        : basic_growing_pool_resource(classes, std::pmr::get_default_resource()) {}

    template <detail::class_list Classes>
    basic_growing_pool_resource(const Classes& classes, std::pmr::memory_resource* upstream)
        : basic_growing_pool_resource(detail::class_plan(std::span<const pool_config>(classes)),
                                      upstream) {}

    /// As `std::pmr::unsynchronized_pool_resource`.
    basic_growing_pool_resource() noexcept
        : basic_growing_pool_resource(std::pmr::pool_options{}) {}

    explicit basic_growing_pool_resource(std::pmr::memory_resource* upstream) noexcept
        : basic_growing_pool_resource(std::pmr::pool_options{}, upstream) {}

    explicit basic_growing_pool_resource(const std::pmr::pool_options& options) noexcept
        : basic_growing_pool_resource(options, std::pmr::get_default_resource()) {}

    basic_growing_pool_resource(const std::pmr::pool_options& options,
                                std::pmr::memory_resource* upstream) noexcept
        : basic_growing_pool_resource(detail::class_plan(options), upstream) {}

    ~basic_growing_pool_resource() override {
        if constexpr (detail::build::watches_slots) look_at_all_slow();
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

    /// Returns: the magazine that serves such requests, in its place as long as the resource; null
    /// if there are several classes, or none for them.
    detail::magazine<>* magazine_of(std::size_t bytes, std::size_t alignment) noexcept
        requires(!Collector::counts && !detail::build::watches_slots) {
        const bool is_only = plan_.map().count() == 1 && has_class_for(bytes, alignment);
        return is_only ? &only_pool_.ready_slots() : nullptr;
    }

    /// Effects: gives back all memory, whoever still uses it. The resource is as it was made;
    /// growth begins again from the initial capacity. Complexity: linear in the number of slabs.
    void release() noexcept;

    /// Effects: empties the magazines and gives back each slab that holds no live block, but for the
    /// first of each class of a drop-in: at most 1 KiB, or four slots.
    /// Complexity: linear in the number of slabs.
    void trim() noexcept {
        trim([this] { this->forget_contents(); }).report();
    }

    /// As `basic_pool_resource`'s, and whether no class is larger than it may be.
    template <class... Taken>
    bool invariants_hold(Taken... for_each_taken) const noexcept {
        return caps_hold() && base::invariants_hold(for_each_taken...);
    }

protected:
    using typename base::pool_type;
    using typename base::reserve_type;

    bool caps_hold() const noexcept {
        const std::span<pool_type> pools = this->pools();
        for (std::size_t i = 0; i != pools.size(); ++i) {
            if (!pools[i].is_open()) continue;
            if (pools[i].reserve().slabs.capacity() > plan_.cap_of(i)) return false;
        }
        return true;
    }

    basic_growing_pool_resource(detail::class_plan plan,
                                std::pmr::memory_resource* upstream) noexcept
        : basic_growing_pool_resource(std::move(plan), upstream, this, nullptr) {}

    /// Effects: the resource is a part of `resource`, with `others`.
    // That is not read, but g++ 12 would warn of a pointer to const that it might be.
    basic_growing_pool_resource(detail::class_plan plan, std::pmr::memory_resource* upstream,
                                void* resource, detail::other_owners* others) noexcept
        : base(upstream, plan.larger_requests()),
          plan_(std::move(plan)),
          resource_(resource),
          others_(others),
          books_(first_books(), upstream) {}

    /// Effects: as the public function, and `forget()` before anything goes back to upstream. Returns: what
    /// is wrong with the first slot that is not one of this resource's.
    template <class Forget>
    detail::bad_free trim(Forget forget) noexcept;

    /// Effects: moves the free slots in the magazines back to the slabs. Returns: what is wrong with the
    /// first that may not go there.
    detail::bad_free flush() noexcept {
        detail::bad_free bad;
        for (pool_type& pool : this->pools()) {
            if (pool.is_open()) bad.add(pool.flush());
        }
        return bad;
    }

private:
    // What threads have for themselves is looked at together. Not inlined, for g++ 12 warns of `others_`
    // where the resource is in a std::optional.
    [[gnu::noinline]] void look_at_all_slow() const noexcept {
        if (others_ == nullptr) this->look_for_the_last_time(*this);
    }

    // Bytes of the first block of books: no more than those of all classes.
    std::size_t first_books() const noexcept {
        constexpr std::size_t each = sizeof(pool_type) + sizeof(reserve_type);
        return std::min(plan_.map().count() * each + sizeof(void*), detail::page);
    }

    /// Returns: a lock for what `owns` reads and `trim` does, if other threads call them; else
    /// null.
    virtual std::mutex* books_lock() noexcept { return nullptr; }

    [[nodiscard]] std::unique_lock<std::mutex> lock_books() noexcept {
        std::mutex* const lock = books_lock();
        return lock == nullptr ? std::unique_lock<std::mutex>() : std::unique_lock(*lock);
    }

    void open_pool(pool_type& pool, std::size_t index);

    static constexpr std::size_t largest_lent_slab = 8192 + 512;  // bytes, record included
    bool adopt_first_slab(detail::slab_set<Index>& slabs, slot_number slots);

    void list_classes_slow() final;
    bool grow_slow(pool_type& pool) final;

    detail::class_plan plan_;
    const void* resource_;  // who is said to be misused
    detail::other_owners* others_;
    std::pmr::monotonic_buffer_resource books_;  // the pools, their reserves and first slabs
    pool_type only_pool_;                        // where there is one class
};

using growing_pool_resource = basic_growing_pool_resource<>;
using unsynchronized_pool_resource = growing_pool_resource;

template <class Index, class Collector>
void basic_growing_pool_resource<Index, Collector>::list_classes_slow() {
    const std::size_t count = plan_.map().count();
    pool_type* pools = &only_pool_;
    if (count != 1) {
        void* const memory =
            detail::allocate_from(books_, count * sizeof(pool_type), alignof(pool_type));
        pools = ::new (memory) pool_type[count];
    }
    const auto guard = lock_books();
    this->route_by({pools, plan_.map()});
}

template <class Index, class Collector>
bool basic_growing_pool_resource<Index, Collector>::grow_slow(pool_type& pool) {
    const auto index = static_cast<std::size_t>(&pool - this->pools().data());
    if (!pool.is_open()) open_pool(pool, index);
    auto& slabs = pool.reserve().slabs;
    const std::size_t capacity = slabs.capacity();
    const slot_number slots =
        plan_.next_slab(index, capacity, detail::listed_slab<Index>::record_bytes);
    // A custom growth function may have used the pool: then the caller looks again.
    if (!pool.empty() || slabs.available() != 0 || slabs.capacity() != capacity) return true;
    if (slots == 0) {
        if constexpr (Collector::counts) pool.counts().failed(plan_.why_full(index, capacity));
        return false;
    }
    if (capacity == 0 && adopt_first_slab(slabs, slots)) return true;
    typename detail::slab_set<Index>::growth step(slabs, slots);
    {
        const auto guard = lock_books();
        slabs.complete(step);
    }
    if (capacity != 0) {
        this->count_growth();
        pool.counts().grew();
    }
    return true;
}

template <class Index, class Collector>
void basic_growing_pool_resource<Index, Collector>::open_pool(pool_type& pool, std::size_t index) {
    void* const memory = detail::allocate_from(books_, sizeof(reserve_type), alignof(reserve_type));
    auto* const reserve =
        ::new (memory) reserve_type(plan_.geometry_of(index), this->upstream_resource(), resource_,
                                    plan_.pre_initialize(index), others_);
    const auto guard = lock_books();
    pool.open(reserve);
}

// The first slabs of a drop-in lie with the books, which spares a short-lived resource most requests to
// upstream. Returns: whether the slab was made there.
template <class Index, class Collector>
bool basic_growing_pool_resource<Index, Collector>::adopt_first_slab(detail::slab_set<Index>& slabs,
                                                                     slot_number slots) {
    if (!plan_.is_drop_in()) return false;
    const auto block = detail::slab_block::of<detail::listed_slab<Index>>(slabs.geometry(), slots);
    if (block.bytes > largest_lent_slab || block.alignment > alignof(std::max_align_t)) {
        return false;
    }
    auto* const start =
        static_cast<std::byte*>(detail::allocate_from(books_, block.bytes, block.alignment));
    const auto guard = lock_books();
    slabs.adopt(start, slots, start + block.record_offset);
    return true;
}

template <class Index, class Collector>
void basic_growing_pool_resource<Index, Collector>::release() noexcept {
    this->release_larger_blocks();
    this->forget_all();
    this->restart_growth_count();
    for (pool_type& pool : this->pools()) {
        if (reserve_type* const reserve = pool.close()) std::destroy_at(reserve);
    }
    this->route_by({});
    books_.release();
}

template <class Index, class Collector>
template <class Forget>
detail::bad_free basic_growing_pool_resource<Index, Collector>::trim(Forget forget) noexcept {
    detail::bad_free bad;
    for (pool_type& pool : this->pools()) {
        if (!pool.is_open()) continue;
        auto& slabs = pool.reserve().slabs;
        typename detail::slab_set<Index>::surplus unused;
        bool is_unused = false;
        {
            const auto guard = lock_books();
            bad.add(pool.flush());
            unused = slabs.detach_unused();
            // While a slot is out, another thread may give it back as soon as the lock is free.
            is_unused = slabs.available() == slabs.capacity();
        }
        // Upstream may have it served again before this ends.
        forget();
        if (is_unused) pool.shrink();
        slabs.give_back(unused);
    }
    return bad;
}

extern template class FASTALLOC_EXPORT basic_growing_pool_resource<bitmap_index>;
extern template class FASTALLOC_EXPORT basic_growing_pool_resource<free_list_index>;
extern template class FASTALLOC_EXPORT basic_growing_pool_resource<stack_index>;

}  // namespace fastalloc
