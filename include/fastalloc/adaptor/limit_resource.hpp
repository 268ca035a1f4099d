// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/adaptor/resource_adaptor.hpp>
#include <fastalloc/detail/export.hpp>

#include <atomic>
#include <cstddef>
#include <memory_resource>

namespace fastalloc {

/// A budget of bytes: what would exceed it is refused, and does not reach upstream.
///
/// Budgets form trees. What is allocated through a child counts against its parent too, and so on up;
/// a request that any of them refuses counts against none. Bytes count as requested, without what
/// upstream adds to them. Compose it with a `statistics_resource` to learn the peak and how often it
/// refused.
///
/// Thread safety: as upstream's. The limit holds at every moment, and nobody waits: of requests that
/// fit one by one but not together, some are refused, perhaps by what another took and gave back when
/// it was refused higher up. Equality: identity.
class FASTALLOC_EXPORT limit_resource : public detail::resource_adaptor {
public:
    /// Effects: a budget of its own. Preconditions: `upstream` is not null and outlives this.
    explicit limit_resource(std::size_t limit_bytes, std::pmr::memory_resource* upstream =
                                                         std::pmr::get_default_resource()) noexcept
        : resource_adaptor(upstream), limit_(limit_bytes) {}

    /// Effects: a part of `parent`'s budget. The limits of its children may add up to more than its
    /// own. Preconditions: `parent` is not null and outlives this.
    limit_resource(std::size_t limit_bytes, limit_resource* parent) noexcept
        : resource_adaptor(parent), parent_(parent), limit_(limit_bytes) {}

    /// Returns: null if this has a budget of its own.
    limit_resource* parent() const noexcept { return parent_; }

    /// Bytes. Thread safety: full.
    std::size_t limit() const noexcept { return limit_.load(std::memory_order_relaxed); }

    /// Effects: requests that begin after this are granted within `limit_bytes`. That may be less
    /// than `used()`; then nothing more is granted until enough was given back, also no zero bytes.
    /// Thread safety: full.
    void set_limit(std::size_t limit_bytes) noexcept {
        limit_.store(limit_bytes, std::memory_order_relaxed);
    }

    /// Bytes that are with users of this and of its children. Thread safety: full. While other threads
    /// are inside it may include what they ask for and will not get.
    std::size_t used() const noexcept { return used_.load(std::memory_order_relaxed); }

    /// Returns: the largest request that this and all above it would grant now; whether upstream would
    /// too is not known. Complexity: linear in the number of parents. Thread safety: full.
    std::size_t remaining() const noexcept;

protected:
    /// Throws: `std::bad_alloc` if that would exceed the limit of this or of any above it; what
    /// upstream throws. No effects then.
    void* do_allocate(std::size_t bytes, std::size_t alignment) final;
    void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) final;

private:
    bool try_reserve(std::size_t bytes) noexcept;
    void give_back(std::size_t bytes) noexcept {
        used_.fetch_sub(bytes, std::memory_order_relaxed);
    }

    limit_resource* parent_ = nullptr;
    // Relaxed: they guard no other memory, and one exchange both checks and takes.
    std::atomic<std::size_t> limit_;
    std::atomic<std::size_t> used_ = 0;
};

}  // namespace fastalloc
