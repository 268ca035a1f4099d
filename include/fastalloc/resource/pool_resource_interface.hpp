// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/collector.hpp>
#include <fastalloc/config.hpp>
#include <fastalloc/detail/thread_number.hpp>
#include <fastalloc/error.hpp>
#include <fastalloc/fwd.hpp>
#include <fastalloc/resource/slot_watch.hpp>
#include <fastalloc/storage/slot_geometry.hpp>

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <span>
#include <type_traits>

namespace fastalloc::detail {

/// Which threads may use a resource at a time.
enum class threads {
    one,
    each_its_own,  // any number, and a block goes back where it came from
    all,           // any number
};

/// What every pool resource offers, over what each does in its own way. `Derived` gives
/// - `at_once<MayBeNatural>(bytes, alignment, act, otherwise)`: as `pool_router`'s;
/// - `pool_by_search(bytes, alignment)`: the request's pool; null if there is none;
/// - `obtain_slow(bytes, alignment)`: storage; null if it is refused or its pool exhausted,
///   and `throw_refused(bytes, alignment)`, which says so;
/// - `give_back_slow(p, bytes, alignment)`;
/// - `slot_of(p)`: the start of the slot that `p` points into; null if there is none;
/// - `is_of_other_thread(p)`: whether that slot is another thread's, and the caller may not give it
///   back;
/// - `classes()`: its classes; and where it counts, `add_statistics_to(s, i)`, of the class of
///   that number, and `reset_slot_counts()`, of all.
///
/// `Collector` says what is counted: see collector.hpp.
///
/// The members named as those of `std::pmr::memory_resource` hide them: a caller who knows the
/// static type reaches the same hot path without a virtual call. It is always inlined: compilers
/// judge it by its size, of which most is never executed, and leave a call that costs as much.
template <class Derived, collector Collector>
class pool_resource_interface : public std::pmr::memory_resource {
public:
    using collector_type = Collector;

    pool_resource_interface(const pool_resource_interface&) = delete;
    pool_resource_interface& operator=(const pool_resource_interface&) = delete;

    /// Returns storage of at least `bytes` bytes.
    ///
    /// Preconditions: `alignment` is a power of two. (Zero bytes is legal and takes a slot.)
    /// Effects: takes a slot of the smallest class whose size and alignment suffice; when that
    /// class has none left, it grows. A request that fits no class goes to upstream or is refused.
    /// Throws: `pool_exhausted` if the class may not grow; `std::bad_alloc` if the request is
    /// refused, or there is no memory for its books; what upstream or a custom growth function throws. No
    /// effects then. Complexity: constant, except when growing; where several threads share the resource
    /// and it is exhausted, linear in slabs and threads.
    [[nodiscard, gnu::always_inline]] void* allocate(
        std::size_t bytes, std::size_t alignment = alignof(std::max_align_t)) {
        return allocate_from<true>(bytes, alignment);
    }

    /// Gives storage back. Upstream is not asked for memory, and gets back only larger blocks.
    ///
    /// Preconditions: `p` came from this resource for the same `bytes` and `alignment`.
    /// Complexity: constant; of a block whose thread has ended, in a `thread_local_pool_resource`, linear in
    /// the number of threads.
    [[gnu::always_inline]] void deallocate(
        void* p, std::size_t bytes, std::size_t alignment = alignof(std::max_align_t)) noexcept {
        deallocate_to<true>(p, bytes, alignment);
    }

    /// Returns: as `allocate`; null instead of any exception, upstream's included. An exhausted
    /// pool throws nothing on the way.
    [[nodiscard, gnu::always_inline]] void* try_allocate(
        std::size_t bytes, std::size_t alignment = alignof(std::max_align_t)) noexcept {
        return try_allocate_from<true>(bytes, alignment);
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

    /// Whether `p` points into a slot, free or not. Complexity: linear in the number of classes,
    /// and of threads where each has its own.
    bool owns(const void* p) const noexcept { return self().slot_of(p) != nullptr; }

    // What a collector adds. `release()` begins it anew.

    /// Returns: what happened to the slots of all classes, and to requests that fit none.
    /// Complexity: linear in the number of classes, and of threads that used them. Thread safety:
    /// full, where several threads may use the resource, but for `release()`; else none.
    pool_statistics statistics() const noexcept requires(Collector::counts) {
        pool_statistics total;
        self().add_larger_to(total);
        for_each_class([&total](const class_statistics& c) { total += c; });
        return total;
    }

    /// Effects: calls `f(class_statistics)` for each class that was used, as they are routed to.
    /// Throws: what `f` throws. Complexity and thread safety: as `statistics()`.
    template <class F>
    requires(Collector::counts) void for_each_class(F f) const {
        const std::size_t count = self().classes().count();
        for (std::size_t i = 0; i != count; ++i) {
            const class_statistics c = statistics_of(i);
            if (c.capacity != 0 || static_cast<const slot_statistics&>(c) != slot_statistics())
                f(c);
        }
    }

    /// Effects: counters begin at 0; a peak is what is in use now, and where threads share a class,
    /// what they keep. What other threads do meanwhile may count or not. Thread safety: as
    /// `statistics()`.
    void reset_statistics() noexcept requires(Collector::counts) {
        self().reset_slot_counts();
        larger_counts_.reset();
        collector_.reset();
    }

    /// Returns: a number that is another after each `reset_statistics()` and `release()`. Thread
    /// safety: full.
    std::uint64_t statistics_period() const noexcept { return larger_counts_.period(); }

    /// Returns: how long each call of `allocate`, `try_allocate` and `deallocate` took, in
    /// nanoseconds.
    /// Thread safety: full.
    latency_statistics latency() const noexcept requires requires(const Collector& c) {
        c.latency();
    }
    { return collector_.latency(); }

protected:
    pool_resource_interface() = default;
    ~pool_resource_interface() override = default;

    /// Returns: storage for a request that fits no class; null if such requests are refused.
    /// Throws: what upstream throws.
    template <class LargerBlocks>
    void* obtain_larger_slow(larger_requests policy, LargerBlocks& blocks,
                             std::pmr::memory_resource& upstream, std::size_t bytes,
                             std::size_t alignment) {
        if (policy == larger_requests::refuse) {
            larger_counts_.failed(allocation_failure::no_class);
            return nullptr;
        }
        void* const p = counting_failure(
            larger_counts_, [&] { return blocks.allocate(upstream, bytes, alignment); });
        larger_counts_.allocated();
        return p;
    }

    template <class LargerBlocks>
    void give_back_larger_slow(LargerBlocks& blocks, std::pmr::memory_resource& upstream, void* p,
                               std::size_t bytes, std::size_t alignment) noexcept {
        larger_counts_.deallocated();
        blocks.deallocate(upstream, p, bytes, alignment);
    }

    /// What is counted of requests that no class has to do with.
    auto& larger_counts() noexcept { return larger_counts_; }

    const auto& larger_counts() const noexcept { return larger_counts_; }

    void add_larger_to(pool_statistics& sum) const noexcept { larger_counts_.add_to(sum); }

    /// Effects: nothing has happened yet, of all that the classes do not know themselves.
    void forget_all() noexcept {
        larger_counts_.clear();
        collector_.reset();
        watch_.forget_all();
    }

    /// Effects: in a build for it, what is in free slots is not known any more.
    void forget_contents() noexcept { watch_.forget_contents(); }

    /// Effects: the resource is about to go. In a build that checks everything, reports books that are not
    /// as they were left, which ends the program, and blocks that are in use. Preconditions: no other
    /// thread is inside. `resource` is this, as far as it is made still.
    template <class Resource>
    void look_for_the_last_time(const Resource& resource) const noexcept {
        if constexpr (build::level == checks::full) {
            // What fork() cut short may be half done, and nobody gives back what other threads had.
            if (thread_number::there_are_orphans()) return;
            // To look at so many slots takes seconds.
            constexpr std::size_t most_slots = std::size_t{1} << 16;
            if (resource.capacity() <= most_slots && !resource.invariants_hold()) {
                report_misuse({misuse::broken_books, &resource, 0, {}});
            }
        }
        watch_.report_alive(&self());
    }

    void* do_allocate(std::size_t bytes, std::size_t alignment) final {
        return allocate(bytes, alignment);
    }

    void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) final {
        deallocate(p, bytes, alignment);
    }

    bool do_is_equal(const std::pmr::memory_resource& other) const noexcept final {
        return this == &other;
    }

private:
    template <class, class>
    friend class fastalloc::object_pool;
    friend class ticket_source;

    // With false, what these do for a resource that was made from a configuration takes fewer instructions.

    template <bool MayBeNatural>
    [[gnu::always_inline]] void* allocate_from(std::size_t bytes, std::size_t alignment) {
        [[maybe_unused]] const auto watch = collector_.time_allocate();
        return watched(self().template at_once<MayBeNatural>(
                           bytes, alignment, typename Derived::pool_type::take_at_once(),
                           [&] { return allocate_by_search(bytes, alignment); }),
                       bytes, alignment);
    }

    template <bool MayBeNatural>
    [[gnu::always_inline]] void* try_allocate_from(std::size_t bytes,
                                                   std::size_t alignment) noexcept {
        [[maybe_unused]] const auto watch = collector_.time_allocate();
        return watched(self().template at_once<MayBeNatural>(
                           bytes, alignment, typename Derived::pool_type::take_at_once(),
                           [&] { return try_allocate_slow(bytes, alignment); }),
                       bytes, alignment);
    }

    template <bool MayBeNatural>
    [[gnu::always_inline]] void deallocate_to(void* p, std::size_t bytes,
                                              std::size_t alignment) noexcept {
        [[maybe_unused]] const auto watch = collector_.time_deallocate();
        if constexpr (watch_type::is_active) {
            if (!may_be_put_slow(p, bytes, alignment)) return;
        }
        self().template at_once<MayBeNatural>(bytes, alignment,
                                              typename Derived::pool_type::put_at_once(p),
                                              [&] { deallocate_by_search(p, bytes, alignment); });
    }

    struct batch_guard {
        pool_resource_interface* resource;
        std::span<void*> done;
        std::size_t bytes;
        std::size_t alignment;

        ~batch_guard() { resource->deallocate_batch(done, bytes, alignment); }
    };

    Derived& self() noexcept { return static_cast<Derived&>(*this); }

    const Derived& self() const noexcept { return static_cast<const Derived&>(*this); }

    class_statistics statistics_of(std::size_t index) const noexcept {
        const auto c = self().classes().at(index);
        class_statistics s;
        s.slot_size = c.slot_size;
        s.alignment = c.alignment;
        self().add_statistics_to(s, index);
        settle(s, s.capacity);
        return s;
    }

    // Requests for any but the first of several listed classes come this way. It is not inlined, so
    // that the way of all others stays short.
    [[gnu::noinline]] void* allocate_by_search(std::size_t bytes, std::size_t alignment) {
        auto* const pool = self().pool_by_search(bytes, alignment);
        if (pool != nullptr && !pool->empty()) [[likely]] {
            return pool->take();
        }
        return allocate_slow(bytes, alignment);
    }

    [[gnu::noinline]] void deallocate_by_search(void* p, std::size_t bytes,
                                                std::size_t alignment) noexcept {
        auto* const pool = self().pool_by_search(bytes, alignment);
        if (pool != nullptr && pool->may_put(p)) [[likely]] {
            return pool->put(p);
        }
        self().give_back_slow(p, bytes, alignment);
    }

    [[gnu::cold, gnu::noinline]] void* allocate_slow(std::size_t bytes, std::size_t alignment) {
        void* const p = self().obtain_slow(bytes, alignment);
        if (p == nullptr) self().throw_refused(bytes, alignment);
        return p;
    }

    [[gnu::cold, gnu::noinline]] void* try_allocate_slow(std::size_t bytes,
                                                         std::size_t alignment) noexcept {
        void* p = nullptr;
        (void)succeeds([&] { p = self().obtain_slow(bytes, alignment); });
        return p;
    }

    using watch_type = typename watch_for<Collector>::type;

    // Returns: `p`, which a user gets if it is not null.
    [[gnu::always_inline]] void* watched(void* p, [[maybe_unused]] std::size_t bytes,
                                         [[maybe_unused]] std::size_t alignment) noexcept {
        if constexpr (watch_type::is_active) {
            if (p != nullptr) watch_.taken(p, request_of(bytes, alignment), &self());
        }
        return p;
    }

    bool may_be_put_slow(void* p, std::size_t bytes, std::size_t alignment) noexcept {
        struct slots final : slot_watch::slots {
            const Derived* resource;

            explicit slots(const Derived* r) noexcept : resource(r) {}

            void* slot_of(const void* q) const noexcept override { return resource->slot_of(q); }

            bool is_of_other_thread(const void* q) const noexcept override {
                return resource->is_of_other_thread(q);
            }
        };
        return watch_.may_be_put(p, request_of(bytes, alignment), &self(), slots(&self()));
    }

    watched_request request_of(std::size_t bytes, std::size_t alignment) const noexcept {
        const auto& classes = self().classes();
        const std::size_t index = classes.class_of(bytes, alignment);
        if (index == std::remove_cvref_t<decltype(classes)>::no_class) {
            return {bytes, alignment, 0};
        }
        const auto c = classes.at(index);
        return {bytes, alignment, c.slot_size + red_zone(c.alignment)};
    }

    [[no_unique_address]] Collector collector_;
    [[no_unique_address]] typename Collector::larger_counts larger_counts_;
    [[no_unique_address]] watch_type watch_;
};

}  // namespace fastalloc::detail
