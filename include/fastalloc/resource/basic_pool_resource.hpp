// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/config.hpp>
#include <fastalloc/error.hpp>
#include <fastalloc/index/bitmap_index.hpp>
#include <fastalloc/index/free_list_index.hpp>
#include <fastalloc/index/stack_index.hpp>
#include <fastalloc/resource/larger_blocks.hpp>
#include <fastalloc/resource/pool_router.hpp>

#include <cstddef>
#include <memory_resource>
#include <span>

namespace fastalloc {

/// What the single-threaded pool resources share: a row of pools, the way from a request to its
/// pool, and everything that the pools have to do with requests. What makes a pool grow is the
/// derived resource's.
///
/// The members named as those of `std::pmr::memory_resource` hide them: a caller who knows the
/// static type reaches the same hot path without a virtual call.
///
/// `MayBeDropIn` says whether a resource may have the natural classes, which serve every size.
///
/// Thread safety: none. Equality: identity.
template <class Index, bool MayBeDropIn>
class basic_pool_resource : public std::pmr::memory_resource {
    static_assert(index_strategy<Index>);

public:
    basic_pool_resource(const basic_pool_resource&) = delete;
    basic_pool_resource& operator=(const basic_pool_resource&) = delete;

    /// Returns storage of at least `bytes` bytes.
    ///
    /// Preconditions: `alignment` is a power of two. (Zero bytes is legal and takes a slot.)
    /// Effects: takes a slot of the smallest class whose size and alignment suffice; when that
    /// class has none left, it grows. A request that fits no class goes to upstream or is refused.
    /// Throws: `pool_exhausted` if the class may not grow; `std::bad_alloc` if the request is
    /// refused; what upstream or a custom growth function throws. No effects then.
    /// Complexity: constant, except when growing.
    [[nodiscard]] void* allocate(std::size_t bytes,
                                 std::size_t alignment = alignof(std::max_align_t)) {
        const auto can_take = [](const pool_type& p) { return !p.empty(); };
        if (pool_type* const pool = pool_at_once(bytes, alignment, can_take)) return pool->take();
        return allocate_by_search(bytes, alignment);
    }

    /// Gives storage back. Upstream is not asked for memory, and gets back only larger blocks.
    ///
    /// Preconditions: `p` came from this resource for the same `bytes` and `alignment`.
    /// Complexity: constant.
    void deallocate(void* p, std::size_t bytes,
                    std::size_t alignment = alignof(std::max_align_t)) noexcept {
        const auto can_put = [](const pool_type& pool) { return !pool.full(); };
        if (pool_type* const pool = pool_at_once(bytes, alignment, can_put)) return pool->put(p);
        deallocate_by_search(p, bytes, alignment);
    }

    /// Returns: as `allocate`; null instead of any exception, upstream's included. An exhausted pool
    /// throws nothing on the way.
    [[nodiscard]] void* try_allocate(std::size_t bytes,
                                     std::size_t alignment = alignof(std::max_align_t)) noexcept {
        const auto can_take = [](const pool_type& p) { return !p.empty(); };
        if (pool_type* const pool = pool_at_once(bytes, alignment, can_take)) return pool->take();
        return try_allocate_slow(bytes, alignment);
    }

    /// Fills `out` with storage for one request each. Throws: as `allocate`; then none is
    /// allocated.
    void allocate_batch(std::span<void*> out, std::size_t bytes,
                        std::size_t alignment = alignof(std::max_align_t)) {
        batch_guard guard{this, out.first(0), bytes, alignment};
        for (std::size_t i = 0; i != out.size(); ++i) {
            out[i] = allocate(bytes, alignment);
            guard.done = out.first(i + 1);
        }
        guard.done = {};
    }

    /// Gives each of `blocks` back. Preconditions: as `deallocate`.
    void deallocate_batch(std::span<void* const> blocks, std::size_t bytes,
                          std::size_t alignment = alignof(std::max_align_t)) noexcept {
        for (void* const p : blocks) deallocate(p, bytes, alignment);
    }

    /// Slots over all classes. A class has none before its first use.
    /// `capacity() == available() + in_use()`. Complexity: linear in the number of classes.
    std::size_t capacity() const noexcept {
        return sum([](const pool_type& p) { return p.capacity(); });
    }

    /// Slots that can be taken before any class grows, those in magazines included.
    std::size_t available() const noexcept {
        return sum([](const pool_type& p) { return p.available(); });
    }

    /// Slots that are with users. Larger blocks do not count.
    std::size_t in_use() const noexcept { return capacity() - available(); }

    /// Growth steps that followed a class's first slots, since the last `release()`.
    std::size_t growth_count() const noexcept { return growth_count_; }

    /// Whether `p` points into a slot, free or not. Complexity: linear in the number of classes.
    bool owns(const void* p) const noexcept {
        for (const pool_type& pool : pools()) {
            if (pool.owns(p)) return true;
        }
        return false;
    }

    /// Where slabs and larger blocks come from.
    std::pmr::memory_resource* upstream_resource() const noexcept { return upstream_; }

protected:
    using pool_type = detail::pool<Index>;
    using reserve_type = typename pool_type::reserve_type;

    basic_pool_resource(std::pmr::memory_resource* upstream,
                        fastalloc::larger_requests larger) noexcept
        : upstream_(upstream), larger_requests_(larger) {}

    ~basic_pool_resource() override = default;

    void* do_allocate(std::size_t bytes, std::size_t alignment) final {
        return allocate(bytes, alignment);
    }

    void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) final {
        deallocate(p, bytes, alignment);
    }

    bool do_is_equal(const std::pmr::memory_resource& other) const noexcept final {
        return this == &other;
    }

    std::span<pool_type> pools() const noexcept { return router_.pools(); }

    /// Effects: requests go to the pools of `router` from now on.
    void route_by(const detail::pool_router<Index>& router) noexcept { router_ = router; }

    void count_growth() noexcept { ++growth_count_; }

    void restart_growth_count() noexcept { growth_count_ = 0; }

    void release_larger_blocks() noexcept { larger_.release(*upstream_); }

private:
    struct batch_guard {
        basic_pool_resource* resource;
        std::span<void*> done;
        std::size_t bytes;
        std::size_t alignment;

        ~batch_guard() { resource->deallocate_batch(done, bytes, alignment); }
    };

    /// Effects: lists the classes with `route_by`. Called once before a request can be routed;
    /// not at all by a resource that lists them when it is made. Throws: what upstream throws.
    virtual void list_classes_slow() {}

    /// Effects: adds at least one free slot to the pool, opening it if need be, by code that may
    /// use this resource. Returns: false if the pool may not grow. Throws: what upstream or a custom
    /// growth function throws; no effects then.
    virtual bool grow_slow(pool_type& pool) = 0;

    // Returns: the pool of the request, if it takes no search to find it and it `can` do it at once;
    // else null. Zero bytes have a key that no class holds, and the search sees to them.
    template <class Can>
    pool_type* pool_at_once(std::size_t bytes, std::size_t alignment, Can can) const noexcept {
        const std::size_t key = detail::routing_key(bytes, alignment);
        if constexpr (MayBeDropIn) {
            using namespace detail::natural;
            if (key < largest_size && alignment <= ordinary_alignment) [[likely]] {
                pool_type* const pool = router_.natural_pool(key);
                if (can(*pool)) [[likely]] {
                    return pool;
                }
            }
        }
        pool_type* const pool = router_.first_pool(key, alignment);
        return pool != nullptr && can(*pool) ? pool : nullptr;
    }

    // Requests for any but the first of several listed classes come this way. It is not inlined, so
    // that the way of all others stays short.
    [[gnu::noinline]] void* allocate_by_search(std::size_t bytes, std::size_t alignment) {
        pool_type* const pool = router_.by_search(bytes, alignment);
        if (pool != nullptr && !pool->empty()) [[likely]] {
            return pool->take();
        }
        return allocate_slow(bytes, alignment);
    }

    [[gnu::noinline]] void deallocate_by_search(void* p, std::size_t bytes,
                                                std::size_t alignment) noexcept {
        pool_type* const pool = router_.by_search(bytes, alignment);
        if (pool != nullptr && !pool->full()) [[likely]] {
            return pool->put(p);
        }
        deallocate_slow(p, bytes, alignment);
    }

    // Returns: storage; null if the request is refused or its pool exhausted. Throws: what upstream or
    // a custom growth function throws.
    [[gnu::cold, gnu::noinline]] void* obtain_slow(std::size_t bytes, std::size_t alignment);

    [[gnu::cold, gnu::noinline]] void* allocate_slow(std::size_t bytes, std::size_t alignment);
    [[gnu::cold, gnu::noinline]] void* try_allocate_slow(std::size_t bytes,
                                                         std::size_t alignment) noexcept;
    [[gnu::cold, gnu::noinline]] void deallocate_slow(void* p, std::size_t bytes,
                                                      std::size_t alignment) noexcept;

    template <class Count>
    std::size_t sum(Count count) const noexcept {
        std::size_t total = 0;
        for (const pool_type& pool : pools()) total += count(pool);
        return total;
    }

    detail::pool_router<Index> router_;
    detail::larger_blocks larger_;
    std::pmr::memory_resource* upstream_;
    std::size_t growth_count_ = 0;
    fastalloc::larger_requests larger_requests_;
};

template <class Index, bool MayBeDropIn>
void* basic_pool_resource<Index, MayBeDropIn>::obtain_slow(std::size_t bytes,
                                                           std::size_t alignment) {
    if (pools().empty()) list_classes_slow();
    pool_type* const pool = router_.by_search(bytes, alignment);
    if (pool == nullptr) {
        if (larger_requests_ == fastalloc::larger_requests::refuse) return nullptr;
        return larger_.allocate(*upstream_, bytes, alignment);
    }
    // Growing runs code that may use this resource, so each round looks again.
    while (pool->empty()) {
        if (pool->is_open() && pool->slabs().available() != 0) {
            pool->refill_slow();
        } else if (!grow_slow(*pool)) {
            return nullptr;
        }
    }
    return pool->take();
}

template <class Index, bool MayBeDropIn>
void* basic_pool_resource<Index, MayBeDropIn>::allocate_slow(std::size_t bytes,
                                                             std::size_t alignment) {
    if (void* const p = obtain_slow(bytes, alignment)) return p;
    const pool_type* const pool = router_.by_search(bytes, alignment);
    if (pool == nullptr) detail::throw_bad_alloc();
    detail::throw_pool_exhausted(pool->slabs().geometry().slot_size(), pool->capacity());
}

template <class Index, bool MayBeDropIn>
void* basic_pool_resource<Index, MayBeDropIn>::try_allocate_slow(std::size_t bytes,
                                                                 std::size_t alignment) noexcept {
    struct request {
        basic_pool_resource* resource;
        std::size_t bytes;
        std::size_t alignment;
    } context{this, bytes, alignment};

    return detail::null_on_exception(
        [](void* p) {
            const auto* const r = static_cast<request*>(p);
            return r->resource->obtain_slow(r->bytes, r->alignment);
        },
        &context);
}

template <class Index, bool MayBeDropIn>
void basic_pool_resource<Index, MayBeDropIn>::deallocate_slow(void* p, std::size_t bytes,
                                                              std::size_t alignment) noexcept {
    pool_type* const pool = router_.by_search(bytes, alignment);
    if (pool == nullptr) {
        larger_.deallocate(*upstream_, p, bytes, alignment);
        return;
    }
    if (pool->full()) pool->spill_slow();
    pool->put(p);
}

extern template class FASTALLOC_EXPORT basic_pool_resource<bitmap_index, true>;
extern template class FASTALLOC_EXPORT basic_pool_resource<free_list_index, true>;
extern template class FASTALLOC_EXPORT basic_pool_resource<stack_index, true>;
extern template class FASTALLOC_EXPORT basic_pool_resource<bitmap_index, false>;
extern template class FASTALLOC_EXPORT basic_pool_resource<free_list_index, false>;
extern template class FASTALLOC_EXPORT basic_pool_resource<stack_index, false>;

}  // namespace fastalloc
