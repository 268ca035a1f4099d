// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/error.hpp>
#include <fastalloc/index/index_strategy.hpp>
#include <fastalloc/storage/slab_set.hpp>

#include <cstddef>
#include <memory_resource>
#include <mutex>

namespace fastalloc::detail {

/// The slabs of one class behind a lock, which the threads' magazines exchange slots with. (The name
/// is Bonwick's.) Upstream is never called while that lock is held.
template <index_strategy Index>
class locked_depot {
public:
    locked_depot(const slot_geometry& geometry, std::pmr::memory_resource* upstream,
                 bool pre_initialize, const void* resource) noexcept
        : slabs_(geometry, upstream, resource, pre_initialize) {}

    const slot_geometry& geometry() const noexcept { return slabs_.geometry(); }

    std::size_t capacity() const noexcept {
        const std::lock_guard guard(lock_);
        return slabs_.capacity();
    }

    std::size_t available() const noexcept {
        const std::lock_guard guard(lock_);
        return slabs_.available();
    }

    bool has_free_slot() const noexcept { return available() != 0; }

    void* slot_of(const void* p) const noexcept {
        const std::lock_guard guard(lock_);
        return slabs_.slot_of(p);
    }

    /// Preconditions: no other thread is inside.
    template <class F>
    void visit_slots(const cached_slots& cached, F& f) {
        slabs_.visit_slots(cached, f);
    }

    bool share_slabs() noexcept { return false; }

    std::size_t take_some(void** out, std::size_t most) noexcept {
        const std::lock_guard guard(lock_);
        return slabs_.take_some(out, most);
    }

    bad_free put_some(void* const* in, std::size_t count) noexcept {
        const std::lock_guard guard(lock_);
        return slabs_.put_some(in, count);
    }

    static std::size_t record_bytes(slot_number slots) noexcept {
        return listed_slab<Index>::record_bytes(slots);
    }

    /// Effects: adds a slab of `slots` slots, if the capacity still is `capacity`. Returns: whether
    /// it was. Throws: what upstream throws; no effects then.
    bool grow_from(std::size_t capacity, slot_number slots) {
        const std::lock_guard growing(growth_lock_);
        if (this->capacity() != capacity) return false;
        typename slab_set<Index>::growth step(slabs_, slots);
        const std::lock_guard guard(lock_);
        slabs_.complete(step);
        return true;
    }

    /// Effects: gives back each slab whose slots are all here; before that, when nobody can take them any
    /// more, `forget()`.
    template <class Forget>
    void trim(Forget forget) noexcept {
        const std::lock_guard growing(growth_lock_);
        const auto unused = detach_unused();
        forget();
        slabs_.give_back(unused);
    }

    /// Effects: calls `f(slot)` for each slot that is available. Preconditions: no other thread is
    /// inside.
    template <class F>
    void for_each_free(F f) const noexcept {
        slabs_.for_each_free(f);
    }

    /// As `slab_set`'s. Thread safety: full.
    bool invariants_hold() const noexcept {
        const std::lock_guard guard(lock_);
        return slabs_.invariants_hold();
    }

private:
    friend struct invariants_test_access;

    auto detach_unused() noexcept {
        const std::lock_guard guard(lock_);
        return slabs_.detach_unused();
    }

    std::mutex growth_lock_;   // one growth or trim at a time; taken before the other
    mutable std::mutex lock_;  // whatever changes slabs_, or reads what others change
    slab_set<Index> slabs_;
};

}  // namespace fastalloc::detail
