// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/resource/atomic_larger_blocks.hpp>
#include <fastalloc/resource/basic_shared_pool_resource.hpp>
#include <fastalloc/storage/atomic_depot.hpp>

#include <atomic>
#include <memory_resource>
#include <string_view>

namespace fastalloc {

namespace detail {

/// An upstream that any number of threads may be inside of.
class thread_safe_upstream {
public:
    constexpr explicit thread_safe_upstream(std::pmr::memory_resource* upstream) noexcept
        : upstream_(upstream) {}

    std::pmr::memory_resource* resource() const noexcept { return upstream_; }

    std::pmr::memory_resource* original() const noexcept { return upstream_; }

private:
    std::pmr::memory_resource* upstream_;
};

template <template <class> class Atomic>
struct lock_free_sharing {
    using depot = atomic_depot<Atomic>;
    using upstream = thread_safe_upstream;
    using larger_blocks = atomic_larger_blocks<Atomic>;
};

}  // namespace detail

/// Pools for any number of threads, none of which ever waits for another, whatever is suspended where:
/// a thread of high priority cannot be held up by one of low priority, nor by one that was killed. Only
/// growth and larger requests are as good as upstream, which they call, and which must be made for
/// several threads.
///
/// A thread refills from slabs of its own, so that blocks of different threads share few cache
/// lines. Rather than take slots from a slab that another thread works in, it grows its class,
/// while it can: each thread may hold free slots that others do without until a cap is reached,
/// upstream fails, or the slab is unused.
///
/// A request at the cap looks at each slab once before it says "exhausted". While it does, others
/// may give back behind it and take before it, so that it never saw the slot that was free at every
/// moment.
///
/// A child of `fork()` may use it, whatever other threads were doing, if upstream may be used there.
/// What those threads kept is lost to the child, also to `release()`: a few magazines full of slots.
/// The child must not call `visit_slots`, for they count as inside.
///
/// The argument stands where the atomic operations are: see storage/atomic_depot.hpp for the slots and
/// slabs, detail/thread_number.hpp for the threads, resource/atomic_larger_blocks.hpp for larger requests.
template <template <class> class Atomic = std::atomic, class Collector = no_statistics>
class basic_lock_free_pool_resource
    : public basic_shared_pool_resource<detail::lock_free_sharing<Atomic>, Collector> {
public:
    /// What reports call it.
    static constexpr std::string_view type_name = "lock_free_pool_resource";

    using basic_shared_pool_resource<detail::lock_free_sharing<Atomic>,
                                     Collector>::basic_shared_pool_resource;

    /// Effects: empties the caller's magazines and those of threads that ended, and gives back each
    /// slab that holds no live block and no slot that another thread keeps. Preconditions: no other
    /// thread is inside. Complexity: linear in the number of slabs and threads.
    void trim() noexcept { this->trim_depots(); }
};

using lock_free_pool_resource = basic_lock_free_pool_resource<>;

extern template class FASTALLOC_EXPORT
    basic_shared_pool_resource<detail::lock_free_sharing<std::atomic>, no_statistics>;

}  // namespace fastalloc
