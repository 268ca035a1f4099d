// SPDX-License-Identifier: MIT
#pragma once

/// The slabs of one class, which threads exchange slots with while none waits for another.
///
/// 1. Slots. Each slab has a `basic_atomic_bitmap_index`, which hands out every slot once. Its argument
///    covers what users do with slots.
/// 2. Slabs. They form a list that only grows at its head, by one compare and exchange, which makes the
///    slab and its part of the capacity visible at once (release; those who read the head acquire). A
///    head cannot come back, for nothing is removed while threads are inside: no ABA. Who comes too
///    late gives his slab back to upstream and looks again, for now there are slots.
/// 3. Finding slots. Slabs are numbered, and each 64 of them share a word whose bits say which may have
///    free slots. Bits follow the protocol of the index's summary, one level up: set after the summary,
///    cleared by whoever finds the summary empty, who then looks at it again. Who takes slots may have
///    set the summary again himself, so he looks at the bit after that. All are sequentially
///    consistent. A thread that stands between two steps may keep slots unannounced, so nobody
///    says "exhausted" before `has_free_slot` has walked the list and announced for all.
///    A slab belongs to the thread that refills from it, so that what threads write to is not mixed in
///    one cache line. That is advice: it decides where a thread looks first, and nothing relies on it.
/// 4. Finding the slabs of freed slots: see `atomic_slab_directory`, with the list as the truth.
/// 5. Reclamation. Slabs, groups and tables go back in `trim` and the destructor only, which require
///    that no other thread is inside.
///
/// Progress: taking, putting and looking up are wait-free, up to a walk over slabs that others add.
/// Growing is lock-free outside upstream: an exchange fails only because another thread grew.

#include <fastalloc/detail/thread_number.hpp>
#include <fastalloc/error.hpp>
#include <fastalloc/index/atomic_bitmap_index.hpp>
#include <fastalloc/storage/atomic_slab_directory.hpp>
#include <fastalloc/storage/put_slots.hpp>
#include <fastalloc/storage/slab.hpp>
#include <fastalloc/storage/slot_geometry.hpp>
#include <fastalloc/storage/upstream_block.hpp>

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory_resource>
#include <new>
#include <utility>

namespace fastalloc::detail {

template <template <class> class Atomic>
class atomic_depot {
public:
    /// Misuse is reported as that of `resource`.
    atomic_depot(const slot_geometry& geometry, std::pmr::memory_resource* upstream,
                 bool pre_initialize, const void* resource) noexcept
        : geometry_(geometry),
          upstream_(upstream),
          resource_(resource),
          pre_initialize_(pre_initialize) {}

    ~atomic_depot() {
        slab_range* s = head_.load(std::memory_order_relaxed);
        give_back(groups_from(s));
        while (s != nullptr) {
            slab_range* const older = s->next;
            delete_slab(as_slab(s), geometry_, *upstream_);
            s = older;
        }
        directory_.release(*upstream_);
    }

    atomic_depot(const atomic_depot&) = delete;
    atomic_depot& operator=(const atomic_depot&) = delete;

    const slot_geometry& geometry() const noexcept { return geometry_; }

    std::size_t capacity() const noexcept {
        return capacity_up_to(head_.load(std::memory_order_acquire));
    }

    /// Complexity: linear in the number of slots, 64 at a time.
    std::size_t available() const noexcept {
        std::size_t total = 0;
        for (slab_range* s = head_.load(std::memory_order_acquire); s != nullptr; s = s->next) {
            total += as_slab(s)->index.available();
        }
        return total;
    }

    void* slot_of(const void* p) const noexcept { return detail::slot_of(find(p), p, geometry_); }

    /// Preconditions: no other thread is inside.
    template <class F>
    void visit_slots(const cached_slots& cached, F& f) {
        detail::visit_slots<slab_type>(head_.load(std::memory_order_acquire), geometry_, cached, f);
    }

    /// Effects: moves up to `most` announced slots to `out`, the one to be used first last: from slabs
    /// that belong to the calling thread, or that nobody seems to use, which then belong to it.
    /// From any slab, if the caller has no number or `share_slabs()` was called. Returns: how many.
    std::size_t take_some(void** out, std::size_t most) noexcept {
        const std::uint32_t me = thread_number::mine().value();
        std::size_t missing = most;
        if (me != 0) {
            missing -= take_where(out, missing, [me](const slab_type& s) {
                return s.links.owner.load(std::memory_order_relaxed) == me;
            });
            if (missing != 0) {
                missing -= take_where(out, missing, [me](slab_type& s) {
                    if (!s.index.seems_unused()) return false;
                    s.links.owner.store(me, std::memory_order_relaxed);
                    return true;
                });
            }
        }
        if (missing != 0 && (me == 0 || shares_slabs_.load(std::memory_order_relaxed))) {
            missing -= take_where(out, missing, [](const slab_type&) { return true; });
        }
        const std::size_t taken = most - missing;
        if (missing != 0) std::memmove(out, out + missing, taken * sizeof(void*));
        return taken;
    }

    /// Effects: threads take from each other's slabs from now on. Returns: whether they did not before.
    bool share_slabs() noexcept { return !shares_slabs_.exchange(true, std::memory_order_relaxed); }

    /// Effects: frees the `count` slots at `in`, which came from here. Returns: what is wrong with the first
    /// that did not.
    bad_free put_some(void* const* in, std::size_t count) noexcept {
        return put_slots(
            in, count, geometry_, resource_, [this](const void* slot) { return find(slot); },
            [](slab_type& s, slot_number, auto put) {
                put(s.index);
                announce(s);
            },
            [this](void* slot) {
                return bad_free{resource_, slot, misuse::foreign_free};
            });
    }

    /// Effects: announces all free slots. Returns: whether there is one.
    bool has_free_slot() noexcept {
        bool any = false;
        for (slab_range* r = head_.load(std::memory_order_seq_cst); r != nullptr; r = r->next) {
            slab_type* const s = as_slab(r);
            if (!s->index.announce_all()) continue;
            join_group(*s);
            any = true;
        }
        return any;
    }

    static std::size_t record_bytes(slot_number slots) noexcept {
        return slab_type::record_bytes(slots);
    }

    /// Effects: adds a slab of `slots` slots, if the capacity still is `capacity`. Returns: whether
    /// it was. Throws: what upstream throws; no effects then.
    bool grow_from(std::size_t capacity, slot_number slots) {
        slab_range* head = head_.load(std::memory_order_acquire);
        if (capacity_up_to(head) != capacity) return false;
        unlisted_slab added{this,
                            new_slab<slab_type>(geometry_, slots, pre_initialize_, *upstream_)};
        slab_type* const s = added.s;
        const std::uint64_t number = head == nullptr ? 0 : as_slab(head)->links.number + 1;
        group* g = groups_from(head);
        upstream_block group_memory;
        if (number % group_size == 0) {
            group_memory.allocate(upstream_, sizeof(group), alignof(group));
            g = ::new (group_memory.start()) group(g);
        }
        s->next = head;
        s->links.number = number;
        s->links.capacity_up_to = capacity + slots;
        s->links.in_group = g;
        s->links.owner.store(thread_number::mine().value(), std::memory_order_relaxed);
        if (!head_.compare_exchange_strong(head, s, std::memory_order_seq_cst,
                                           std::memory_order_relaxed)) {
            return false;
        }
        added.s = nullptr;
        shares_slabs_.store(false, std::memory_order_relaxed);
        group_memory.disown();
        join_group(*s);
        if (number >= slabs_without_directory) directory_.enter(s, head_, *upstream_);
        return true;
    }

    /// Effects: `forget()`, then gives back each slab whose slots are all here. Preconditions: no other
    /// thread is inside.
    template <class Forget>
    void trim(Forget forget) noexcept {
        forget();
        slab_range* s = head_.load(std::memory_order_acquire);
        group* groups = groups_from(s);
        slab_range* kept = nullptr;  // the oldest first
        while (s != nullptr) {
            slab_range* const older = s->next;
            if (as_slab(s)->index.available() == as_slab(s)->index.capacity()) {
                delete_slab(as_slab(s), geometry_, *upstream_);
            } else {
                s->next = std::exchange(kept, s);
            }
            s = older;
        }
        // The rest is numbered anew, in the groups that there are.
        std::size_t capacity = 0;
        group* last = nullptr;
        slab_range* head = nullptr;
        std::uint64_t count = 0;
        for (; kept != nullptr; ++count) {
            slab_type* const next = as_slab(kept);
            kept = next->next;
            if (count % group_size == 0) {
                group* const g = std::exchange(groups, groups->older);
                last = ::new (g) group(last);
            }
            capacity += next->index.capacity();
            next->links.number = count;
            next->links.capacity_up_to = capacity;
            next->links.in_group = last;
            next->next = std::exchange(head, next);
            join_group(*next);
        }
        give_back(groups);
        head_.store(head, std::memory_order_release);
        directory_.release(*upstream_);
        if (count > slabs_without_directory) directory_.enter(head, head_, *upstream_);
    }

    /// Effects: calls `f(slot)` for each slot that is available. Preconditions: no other thread is inside.
    template <class F>
    void for_each_free(F f) const noexcept {
        detail::for_each_free<slab_type>(head_.load(std::memory_order_relaxed), geometry_, f);
    }

    /// Whether the books are as the invariants say, those of the slabs' indices included. For tests, and
    /// builds that check everything. Preconditions: no other thread is inside. Complexity: linear in
    /// the number of slots, and quadratic in that of slabs.
    bool invariants_hold() const noexcept {
        slab_range* const head = head_.load(std::memory_order_relaxed);
        for (const slab_range* r = head; r != nullptr; r = r->next) {
            const auto* const s = static_cast<const slab_type*>(r);
            if (!s->invariants_hold(geometry_) || !links_hold(*s)) return false;
            if (find(s->base) != s || find(s->base + (s->bytes - 1)) != s) return false;
        }
        return directory_.invariants_hold(head);
    }

private:
    friend struct invariants_test_access;

    struct group;

    struct slab_links {
        std::uint64_t number;              // how many slabs are older
        std::size_t capacity_up_to;        // slots of this slab and all older ones
        group* in_group;                   // of all slabs with the same number / group_size
        std::atomic<std::uint32_t> owner;  // the number of the thread that refills from it
    };

    using slab_type = slab<basic_atomic_bitmap_index<Atomic>, slab_links>;

    static constexpr std::size_t group_size = 64;
    static constexpr std::uint64_t slabs_without_directory = 4;

    /// Up to 64 slabs with successive numbers.
    struct group {
        group* older;
        // Which of them may have free slots. The bit of one that has some is set (3).
        Atomic<std::uint64_t> announced{0};
        std::array<Atomic<slab_type*>, group_size> slabs{};  // by number % group_size

        explicit group(group* next) noexcept : older(next) {}
    };

    struct unlisted_slab {
        atomic_depot* depot;
        slab_type* s;

        ~unlisted_slab() {
            if (s != nullptr) delete_slab(s, depot->geometry_, *depot->upstream_);
        }
    };

    static slab_type* as_slab(slab_range* s) noexcept { return static_cast<slab_type*>(s); }

    static std::size_t capacity_up_to(slab_range* head) noexcept {
        return head == nullptr ? 0 : as_slab(head)->links.capacity_up_to;
    }

    static group* groups_from(slab_range* head) noexcept {
        return head == nullptr ? nullptr : as_slab(head)->links.in_group;
    }

    void give_back(group* g) noexcept {
        while (g != nullptr) {
            group* const older = g->older;
            upstream_->deallocate(g, sizeof(group), alignof(group));
            g = older;
        }
    }

    static std::uint64_t bit_of(const slab_type& s) noexcept {
        return std::uint64_t{1} << (s.links.number % group_size);
    }

    // Effects: moves announced slots of slabs with `may(slab)` to the end of `out[0, most)`. Returns: how
    // many.
    template <class May>
    std::size_t take_where(void** out, std::size_t most, May may) noexcept {
        std::size_t missing = most;
        for (group* g = groups_from(head_.load(std::memory_order_acquire));
             g != nullptr && missing != 0; g = g->older) {
            std::uint64_t announced = g->announced.load(std::memory_order_acquire);
            for (; announced != 0 && missing != 0; announced &= announced - 1) {
                const auto n = static_cast<std::size_t>(std::countr_zero(announced));
                slab_type* const s = g->slabs[n].load(std::memory_order_acquire);
                if (!may(*s)) continue;
                s->index.take_some(
                    static_cast<slot_number>(missing), [&](slot_number first, slot_number count) {
                        missing -= count;
                        geometry_.list_descending(out + missing, s->base, first, count);
                    });
                if (missing != 0) {
                    retract(*s);
                } else {
                    announce(*s);
                }
            }
        }
        return most - missing;
    }

    slab_type* find(const void* p) const noexcept {
        slab_range* s = directory_.find(p);
        if (s == nullptr) {
            s = head_.load(std::memory_order_acquire);
            while (s != nullptr && !s->contains(p)) s = s->next;
        }
        return as_slab(s);
    }

    // Whoever does it for another thread does the same.
    static void join_group(slab_type& s) noexcept {
        // Release: the slab's record, for those who find it here.
        s.links.in_group->slabs[s.links.number % group_size].store(&s, std::memory_order_release);
        announce(s);
    }

    static void announce(slab_type& s) noexcept {
        auto& announced = s.links.in_group->announced;
        if ((announced.load(std::memory_order_seq_cst) & bit_of(s)) == 0) {
            announced.fetch_or(bit_of(s), std::memory_order_seq_cst);
        }
    }

    static void retract(slab_type& s) noexcept {
        s.links.in_group->announced.fetch_and(~bit_of(s), std::memory_order_seq_cst);
        if (s.index.may_have_free()) announce(s);
    }

    // Whether what a slab says of itself and its place is so.
    static bool links_hold(const slab_type& s) noexcept {
        const auto* const older = static_cast<const slab_type*>(s.next);
        const std::uint64_t number = older == nullptr ? 0 : older->links.number + 1;
        const std::size_t below = older == nullptr ? 0 : older->links.capacity_up_to;
        if (s.links.number != number) return false;
        if (s.links.capacity_up_to != below + s.index.capacity()) return false;
        const group* const g = s.links.in_group;
        const group* const older_group = older == nullptr ? nullptr : older->links.in_group;
        if (number % group_size == 0 ? g->older != older_group : g != older_group) return false;
        if (g->slabs[number % group_size].load(std::memory_order_relaxed) != &s) return false;
        return s.index.available() == 0 ||
               (g->announced.load(std::memory_order_relaxed) & bit_of(s)) != 0;
    }

    slot_geometry geometry_;
    std::pmr::memory_resource* upstream_;
    const void* resource_;
    bool pre_initialize_;
    Atomic<slab_range*> head_{nullptr};  // the youngest slab
    std::atomic<bool> shares_slabs_{false};
    atomic_slab_directory<Atomic> directory_;
};

}  // namespace fastalloc::detail
