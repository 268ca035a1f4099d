// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/index/bitmap_index.hpp>
#include <fastalloc/index/free_list_index.hpp>
#include <fastalloc/index/stack_index.hpp>
#include <fastalloc/resource/basic_shared_pool_resource.hpp>
#include <fastalloc/resource/larger_blocks.hpp>
#include <fastalloc/storage/locked_depot.hpp>
#include <fastalloc/storage/serialized_upstream.hpp>

#include <cstddef>
#include <memory_resource>
#include <mutex>
#include <string_view>

namespace fastalloc {

namespace detail {

/// As `larger_blocks`, for any thread.
class locked_larger_blocks {
public:
    void* allocate(std::pmr::memory_resource& upstream, std::size_t bytes, std::size_t alignment) {
        const std::lock_guard guard(lock_);
        return blocks_.allocate(upstream, bytes, alignment);
    }

    void deallocate(std::pmr::memory_resource& upstream, void* p, std::size_t bytes,
                    std::size_t alignment) noexcept {
        const std::lock_guard guard(lock_);
        blocks_.deallocate(upstream, p, bytes, alignment);
    }

    void release(std::pmr::memory_resource& upstream) noexcept { blocks_.release(upstream); }

    bool invariants_hold() const noexcept {
        const std::lock_guard guard(lock_);
        return blocks_.invariants_hold();
    }

private:
    mutable std::mutex lock_;
    larger_blocks blocks_;
};

template <class Index>
struct locked_sharing {
    using depot = locked_depot<Index>;
    using upstream = serialized_upstream;
    using larger_blocks = locked_larger_blocks;
};

}  // namespace detail

/// Pools for any number of threads: any thread allocates, any thread frees. A request that the
/// calling thread's own pools can serve, nearly every one, takes no lock and writes to no memory that
/// other threads use. The others lock one class for as long as a magazine takes to fill.
///
/// Like `std::pmr::synchronized_pool_resource`, which it can replace, it lets one thread at a time
/// into upstream, which need not be made for several, and calls it with a lock held.
///
/// A child of `fork()` may use it, or destroy it, if no other thread was inside at that moment: hold a
/// lock of your own around both. No pool can promise more that calls an upstream of others with a
/// lock held.
template <class Index = bitmap_index, class Collector = no_statistics>
class basic_synchronized_pool_resource
    : public basic_shared_pool_resource<detail::locked_sharing<Index>, Collector> {
public:
    /// What reports call it.
    static constexpr std::string_view type_name = "synchronized_pool_resource";

    using basic_shared_pool_resource<detail::locked_sharing<Index>,
                                     Collector>::basic_shared_pool_resource;

    /// Effects: empties the caller's magazines and those of threads that ended, and gives back each
    /// slab that holds no live block and no slot that another thread keeps. Thread safety: full.
    /// Complexity: linear in the number of slabs and threads.
    void trim() noexcept { this->trim_depots(); }
};

using synchronized_pool_resource = basic_synchronized_pool_resource<>;

extern template class FASTALLOC_EXPORT
    basic_shared_pool_resource<detail::locked_sharing<bitmap_index>, no_statistics>;
extern template class FASTALLOC_EXPORT
    basic_shared_pool_resource<detail::locked_sharing<free_list_index>, no_statistics>;
extern template class FASTALLOC_EXPORT
    basic_shared_pool_resource<detail::locked_sharing<stack_index>, no_statistics>;

}  // namespace fastalloc
