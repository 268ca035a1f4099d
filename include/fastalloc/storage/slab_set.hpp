// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/error.hpp>
#include <fastalloc/storage/checked_free.hpp>
#include <fastalloc/storage/partial_slabs.hpp>
#include <fastalloc/storage/put_slots.hpp>
#include <fastalloc/storage/slab.hpp>
#include <fastalloc/storage/slab_directory.hpp>
#include <fastalloc/storage/slot_geometry.hpp>

#include <cstddef>
#include <cstring>
#include <memory>
#include <memory_resource>
#include <new>
#include <utility>

namespace fastalloc::detail {

struct place_in_set {
    std::size_t number;  // how many slabs are older
    bool is_lent;        // its memory is its provider's
};

template <index_strategy Index>
using listed_slab = slab<typename index_for_checks<Index>::type, place_in_set>;

/// Whom slots belong to that a slab set does not own.
class other_owners {
public:
    /// Effects: gives `slot` back to its owner. Returns: what is wrong with it, or with another that the
    /// owner gave back meanwhile.
    virtual bad_free take_back(void* slot, const slot_geometry& geometry) noexcept = 0;

protected:
    ~other_owners() = default;
};

/// The slabs that a pool owns. Slots leave and enter in numbers, by way of a magazine.
///
/// Invariants: `capacity()` and `available()` are the sums over the slabs' indices; there is a directory,
/// of all slabs, exactly if they are not few, and then those with a free slot, but for the current one, are
/// the partial slabs.
template <index_strategy Index>
class slab_set {
    using slab_type = listed_slab<Index>;

public:
    /// Bad frees are those of `resource`.
    slab_set(const slot_geometry& geometry, std::pmr::memory_resource* upstream,
             const void* resource, bool pre_initialize, other_owners* others = nullptr) noexcept
        : geometry_(geometry),
          upstream_(upstream),
          resource_(resource),
          others_(others),
          pre_initialize_(pre_initialize) {}

    ~slab_set() { release(); }

    slab_set(const slab_set&) = delete;
    slab_set& operator=(const slab_set&) = delete;

    const slot_geometry& geometry() const noexcept { return geometry_; }

    std::pmr::memory_resource* upstream() const noexcept { return upstream_; }

    /// Slots in all slabs, and how many of them are neither with a user nor in a magazine.
    std::size_t capacity() const noexcept { return capacity_; }

    std::size_t available() const noexcept { return available_; }

    /// Returns: the start of the slot that `p` points into; null if there is none.
    void* slot_of(const void* p) const noexcept { return detail::slot_of(find(p), p, geometry_); }

    /// Effects: as the function of the same name, for all slabs.
    template <class F>
    void visit_slots(const cached_slots& cached, F& f) {
        detail::visit_slots<slab_type>(slabs_, geometry_, cached, f);
    }

    /// Effects: moves up to `most` free slots to `out`, the one to be used first last: what is left of the
    /// slab that was used last, then the youngest slab first; within a slab the lowest address first, where
    /// the index allows. Returns: how many.
    std::size_t take_some(void** out, std::size_t most) noexcept {
        std::size_t missing = most;
        while (missing != 0) {
            if (current_ == nullptr || current_->index.available() == 0) {
                slab_type* const next = take_youngest_partial();
                if (next == nullptr) break;
                current_ = next;
            }
            std::byte* const base = current_->base;
            fastalloc::take_some(current_->index, static_cast<slot_number>(missing),
                                 [&](slot_number first, slot_number count) {
                                     missing -= count;
                                     geometry_.list_descending(out + missing, base, first, count);
                                 });
        }
        const std::size_t taken = most - missing;
        if (missing != 0) std::memmove(out, out + missing, taken * sizeof(void*));
        available_ -= taken;
        return taken;
    }

    /// Effects: frees the `count` slots at `in`, which came from here, or others take them back. Returns:
    /// what is wrong with the first where that is not so.
    bad_free put_some(void* const* in, std::size_t count) noexcept {
        std::size_t put_here = 0;
        const bad_free bad = put_slots(
            in, count, geometry_, resource_, [this](const void* slot) { return find(slot); },
            [&](slab_type& s, slot_number n, auto put) {
                if (s.index.available() == 0 && &s != current_) enter_partial(&s);
                put(s.index);
                put_here += n;
            },
            [this](void* slot) { return put_elsewhere_slow(slot); });
        available_ += put_here;
        return bad;
    }

    /// A growth step: what it obtained from upstream and the set does not own. At first that is the
    /// new slab, in the end what it replaced.
    class growth {
    public:
        /// Effects: obtains from upstream what one more slab of `slots` slots needs. The set is as it
        /// was; others may use it meanwhile, but neither grow nor trim it.
        /// Throws: what upstream throws; `std::bad_alloc` if the size cannot be represented.
        growth(slab_set& set, slot_number slots)
            : growth(&set, new_slab<slab_type>(set.geometry_, slots, set.pre_initialize_,
                                               *set.upstream_)) {
            if (set.slab_count_ < few_slabs) return;
            if (!set.directory_.has_room_for(*added_)) {
                directory_ = slab_directory::made_of(added_, set.slabs_, set.upstream_);
            }
            if (set.partial_ == nullptr || set.partial_->capacity() == set.slab_count_) {
                partial_ = partial_slabs::made_for(2 * set.slab_count_, set.upstream_);
            }
        }

        growth(const growth&) = delete;
        growth& operator=(const growth&) = delete;

        ~growth() {
            if (added_ != nullptr) set_->give_back(added_);
            partial_slabs::release(partial_, set_->upstream_);
            directory_.release(set_->upstream_);
        }

    private:
        friend class slab_set;

        growth(slab_set* set, slab_type* added) noexcept : set_(set), added_(added) {}

        slab_set* set_;
        slab_type* added_;
        // Empty, or null: what the set has does.
        slab_directory directory_;
        partial_slabs* partial_ = nullptr;
    };

    /// Effects: the slab that was prepared belongs to the set, all its slots free.
    void complete(growth& step) noexcept {
        if (!step.directory_.empty()) {
            std::swap(directory_, step.directory_);
        } else if (!directory_.empty()) {
            directory_.insert(step.added_);
        }
        if (step.partial_ != nullptr) {
            std::swap(partial_, step.partial_);
            if (step.partial_ != nullptr) {
                partial_->take_all(*step.partial_);
            } else {
                enter_all_partial();
            }
        }
        enter(std::exchange(step.added_, nullptr));
    }

    /// Effects: adds a slab of slots and a record in memory which stays its provider's.
    /// Preconditions: the set is empty.
    void adopt(std::byte* base, slot_number slots, void* record) {
        auto* const s = ::new (record) slab_type(base, slots, geometry_);
        s->links.is_lent = true;
        enter(s);
    }

    /// Effects: every slot is free, whoever still uses it. Preconditions: the set has one slab, which
    /// it adopted.
    void restart() {
        slab_range* const s = slabs_;
        std::byte* const base = s->base;
        const auto slots = static_cast<slot_number>(capacity_);
        release();
        adopt(base, slots, s);
    }

    /// Slabs, and books of them, that the set no longer uses.
    struct surplus {
        slab_range* slabs = nullptr;  // the oldest first
        slab_directory directory;
        partial_slabs* partial = nullptr;
    };

    /// Effects: parts with each slab whose slots are all available, but for one that was adopted.
    surplus detach_unused() noexcept {
        surplus detached;
        slab_range** link = &slabs_;
        while (*link != nullptr) {
            auto* const s = as_slab(*link);
            if (s->index.available() == s->index.capacity() && !s->links.is_lent) {
                *link = s->next;
                --slab_count_;
                capacity_ -= s->index.capacity();
                available_ -= s->index.capacity();
                s->next = detached.slabs;
                detached.slabs = s;
            } else {
                link = &s->next;
            }
        }
        std::size_t number = slab_count_;
        for (slab_range* s = slabs_; s != nullptr; s = s->next) as_slab(s)->links.number = --number;
        current_ = nullptr;
        if (directory_.empty()) return detached;
        if (slab_count_ <= few_slabs) {
            std::swap(directory_, detached.directory);
            std::swap(partial_, detached.partial);
        } else {
            directory_.keep_only(slabs_);
            partial_->clear();
            enter_all_partial();
        }
        return detached;
    }

    /// Effects: gives it back to upstream. Preconditions: it was detached from this set.
    void give_back(surplus detached) noexcept {
        // The oldest slab first, which is small, and before it what came later: glibc gives back the end of
        // its heap until larger blocks have made it keep more.
        partial_slabs::release(detached.partial, upstream_);
        detached.directory.release(upstream_);
        while (detached.slabs != nullptr) {
            auto* const s = as_slab(detached.slabs);
            detached.slabs = s->next;
            give_back(s);
        }
    }

    /// Effects: gives back every slab, whoever still uses its slots.
    void release() noexcept {
        while (slabs_ != nullptr) {
            auto* const s = as_slab(slabs_);
            slabs_ = s->next;
            if (s->links.is_lent) {
                std::destroy_at(s);
            } else {
                give_back(s);
            }
        }
        partial_slabs::release(std::exchange(partial_, nullptr), upstream_);
        directory_.release(upstream_);
        current_ = nullptr;
        slab_count_ = capacity_ = available_ = 0;
    }

    /// Effects: calls `f(slot)` for each slot that is available.
    template <class F>
    void for_each_free(F f) const noexcept {
        detail::for_each_free<slab_type>(slabs_, geometry_, f);
    }

    /// Whether the books are as the invariants say, those of the slabs' indices included. For tests, and
    /// builds that check everything. Complexity: linear in the number of slots.
    bool invariants_hold() const noexcept {
        std::size_t count = 0;
        std::size_t capacity = 0;
        std::size_t available = 0;
        std::size_t partial = 0;
        bool has_current = current_ == nullptr;
        for (const slab_range* r = slabs_; r != nullptr; r = r->next) {
            if (++count > slab_count_) return false;
            const auto* const s = static_cast<const slab_type*>(r);
            if (s->links.number != slab_count_ - count) return false;
            if (!s->invariants_hold(geometry_)) return false;
            if (find(s->base) != s || find(s->base + (s->bytes - 1)) != s) return false;
            capacity += s->index.capacity();
            available += s->index.available();
            has_current = has_current || s == current_;
            if (s->index.available() == 0 || s == current_) continue;
            ++partial;
            if (partial_ != nullptr && !partial_->has(s, s->links.number)) return false;
        }
        const bool are_few = slab_count_ <= few_slabs;
        return has_current && count == slab_count_ && capacity == capacity_ &&
               available == available_ && directory_.empty() == are_few &&
               (directory_.empty() || directory_.invariants_hold(slabs_)) &&
               (partial_ == nullptr) == are_few &&
               (partial_ == nullptr ||
                (partial_->invariants_hold() && partial_->size() == partial));
    }

private:
    friend struct invariants_test_access;

    // So many are looked through faster than they are hashed.
    static constexpr std::size_t few_slabs = 4;

    [[gnu::cold, gnu::noinline]] bad_free put_elsewhere_slow(void* slot) noexcept {
        if (others_ != nullptr) return others_->take_back(slot, geometry_);
        return {resource_, slot, misuse::foreign_free};
    }

    slab_type* find(const void* p) const noexcept {
        if (!directory_.empty()) return as_slab(directory_.find(p));
        slab_range* s = slabs_;
        while (s != nullptr && !s->contains(p)) s = s->next;
        return as_slab(s);
    }

    static slab_type* as_slab(slab_range* s) noexcept { return static_cast<slab_type*>(s); }

    // Returns: the youngest slab that has a free slot; null if none has. Preconditions: the current one has
    // none.
    slab_type* take_youngest_partial() noexcept {
        if (partial_ != nullptr) return as_slab(partial_->take());
        slab_range* s = slabs_;
        while (s != nullptr && as_slab(s)->index.available() == 0) s = s->next;
        return as_slab(s);
    }

    void enter_partial(slab_type* s) noexcept {
        if (partial_ != nullptr) partial_->put(s, s->links.number);
    }

    void enter_all_partial() noexcept {
        for (slab_range* r = slabs_; r != nullptr; r = r->next) {
            slab_type* const s = as_slab(r);
            if (s->index.available() != 0 && s != current_) enter_partial(s);
        }
    }

    void enter(slab_type* s) noexcept {
        s->next = slabs_;
        slabs_ = s;
        s->links.number = slab_count_++;
        capacity_ += s->index.capacity();
        available_ += s->index.capacity();
        enter_partial(s);
    }

    void give_back(slab_type* s) noexcept { delete_slab(s, geometry_, *upstream_); }

    slab_type* current_ = nullptr;  // refills come from it while it lasts
    slab_directory directory_;
    partial_slabs* partial_ = nullptr;  // the others that have a free slot
    slab_range* slabs_ = nullptr;       // all of them, the youngest first
    std::size_t slab_count_ = 0;
    std::size_t capacity_ = 0;
    std::size_t available_ = 0;
    slot_geometry geometry_;
    std::pmr::memory_resource* upstream_;
    const void* resource_;
    other_owners* others_;
    bool pre_initialize_;
};

}  // namespace fastalloc::detail
