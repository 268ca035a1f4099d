// SPDX-License-Identifier: MIT
#pragma once

#include "fuzz/world.hpp"

#include <fastalloc/resource/pool_resource_interface.hpp>
#include <fastalloc/statistics.hpp>

#include <algorithm>
#include <cstddef>
#include <map>

namespace fastalloc::fuzz {

/// How a resource may grow, shrink and be exhausted.
template <class Resource>
class capacity_model {
public:
    static constexpr bool each_its_own = Resource::used_by == detail::threads::each_its_own;
    static constexpr bool shared = Resource::used_by == detail::threads::all;

    capacity_model(world& w, Resource& r) : w_(w), r_(r) {}

    /// Whether what the resource says of capacities is what the model speaks of.
    bool is_comparable() const { return !(each_its_own && w_.is_visitor()); }

    /// Slots of the class that are taken, of the calling thread where each has its own; rather too
    /// many than too few.
    std::size_t taken(std::size_t number) const {
        const class_model& c = w_.classes[number];
        const std::size_t objects = number == w_.object_class ? w_.ledger.constructed() : 0;
        if (!each_its_own) return c.live + objects;
        return objects + (w_.is_visitor() ? c.live_of_visitor : c.live_of_first);
    }

    /// Effects: a request of the class has been served or not; `taken_before` slots were taken.
    /// Checks what the resource grew by, at once or in several steps.
    void note_growth(std::size_t number, std::size_t taken_before, bool in_steps) {
        if (!is_comparable()) return;
        const std::size_t now = r_.capacity();
        const std::size_t steps = r_.growth_count();
        if (each_its_own && w_.has_had_visitors() && !has_own_pools_) return note_adoption();
        has_own_pools_ = has_own_pools_ || now != 0;
        w_.found.require(now >= w_.capacity, "capacity shrank without trim()");
        w_.found.require(steps >= w_.growth_count, "growth_count() went back");
        if (w_.found.any()) return;
        const std::size_t added = now - w_.capacity;
        if (added == 0) {
            w_.found.require_equal(steps, w_.growth_count, "growth_count() without growth");
            return;
        }
        w_.counts.count(event::grew);
        w_.found.require(number != no_class, "grew for a request that fits no class");
        if (w_.found.any()) return;
        if (w_.knows_capacities) {
            class_model& c = w_.classes[number];
            const bool all_were_taken = taken_before >= c.capacity || w_.gave_back;
            w_.found.require(in_steps || all_were_taken || (shared && w_.has_had_visitors()),
                             "grew although it had a free slot");
            check_steps(c, added, steps - w_.growth_count, in_steps);
            c.capacity += added;
            w_.found.require(c.capacity <= c.cap, "more slots than max_capacity");
        }
        w_.capacity = now;
        w_.growth_count = steps;
    }

    /// Whether the class may say that it is exhausted, for what the calling thread knows.
    bool may_be_exhausted(std::size_t number) const {
        const class_model& c = w_.classes[number];
        if (c.growth == growth_kind::drop_in) return false;
        const std::size_t limit = c.growth == growth_kind::none ? c.first : c.cap;
        const std::size_t kept_by_others = !shared || !w_.is_visitor() ? 0
                                           : limit == no_limit         ? no_limit / 2
                                                                       : limit / 64;
        const std::size_t taken_or_kept = taken(number) + kept_by_others;
        if (w_.knows_capacities && is_comparable()) {
            return taken_or_kept >= c.capacity &&
                   (c.capacity >= limit || c.growth == growth_kind::none || w_.answered_nothing());
        }
        return w_.answered_nothing() || taken_or_kept >= limit;
    }

    /// Whether a request must be served, whatever upstream does.
    bool has_free_slot(std::size_t number, std::size_t taken_before) const {
        if (!w_.knows_capacities || !is_comparable()) return false;
        if (shared && w_.has_had_visitors()) return false;
        return w_.classes[number].capacity > taken_before;
    }

    /// Effects: notes what is left after `trim()`.
    void note_trim() {
        if (!is_comparable()) return;
        const std::size_t now = r_.capacity();
        w_.found.require(now <= w_.capacity, "grew in trim()");
        w_.found.require_equal(r_.growth_count(), w_.growth_count, "growth_count() after trim()");
        if (now != w_.capacity) w_.counts.count(event::returned_slabs);
        if (!w_.what.may_grow) w_.found.require_equal(now, w_.capacity, "capacity after trim()");
        w_.capacity = now;
        if (!w_.what.may_grow || !w_.knows_capacities) return;
        if (!w_.classes.is_drop_in() && w_.classes.count() == 1) w_.classes[0].capacity = now;
        if (each_its_own) {
            w_.knows_capacities = w_.classes.count() == 1 && !w_.classes.is_drop_in();
        } else {
            count_slabs();
        }
    }

    void note_release() {
        w_.classes.forget_all();
        w_.slot_blocks = w_.growth_count = w_.capacity = 0;
        w_.knows_capacities = true;
        has_own_pools_ = false;
        if (w_.what.may_grow) return;
        for (class_model& c : w_.classes.all()) w_.capacity += c.capacity = c.first;
    }

private:
    // The first thread may have begun with pools of one that ended, and what they have.
    void note_adoption() {
        w_.capacity = r_.capacity();
        w_.growth_count = r_.growth_count();
        w_.knows_capacities = !w_.classes.is_drop_in() && w_.classes.count() == 1;
        if (w_.knows_capacities) {
            w_.classes[0].capacity = w_.capacity;
            w_.found.require(w_.capacity <= w_.classes[0].cap, "more slots than max_capacity");
        }
        has_own_pools_ = w_.capacity != 0;
    }

    void check_steps(const class_model& c, std::size_t added, std::size_t steps, bool several) {
        const bool counts_first = c.capacity != 0;
        if (c.growth == growth_kind::drop_in) {
            if (several) return;
            const std::size_t most = w_.classes.most_per_slab();
            w_.found.require(added <= most, "a slab exceeds max_blocks_per_chunk");
            w_.found.require(added >= 2 || added == most, "a slab of one slot");
            w_.found.require_equal(steps, counts_first, "growth_count() after growth");
        } else if (c.growth == growth_kind::custom && c.capacity != 0) {
            if (several) return;
            const bool as_told = std::ranges::any_of(
                w_.answers, [&](std::size_t a) { return added == c.next_step(c.capacity, a); });
            w_.found.require(as_told, "grew by other than the function said");
            w_.found.require_equal(steps, 1, "growth_count() after growth");
        } else if (c.growth != growth_kind::custom) {
            std::size_t held = c.capacity;
            std::size_t expected_steps = 0;
            while (held < c.capacity + added) {
                const std::size_t step = c.next_step(held, 0);
                if (step == 0) break;
                expected_steps += held != 0;
                held += step;
            }
            w_.found.require_equal(held - c.capacity, added, "slots of the growth steps");
            w_.found.require_equal(steps, expected_steps, "growth_count() after growth");
        }
    }

    // A slab is of the class of a block that is live in it.
    void count_slabs() {
        std::map<const void*, std::size_t> class_at;
        for (std::size_t i = 0; i != w_.blocks.count(); ++i) {
            class_at.emplace(w_.blocks[i].p, w_.blocks[i].class_number);
        }
        for (class_model& c : w_.classes.all()) c.capacity = 0;
        std::size_t left = 0;
        std::size_t number = no_class;
        r_.visit_slots([&](const visited_slot& s) {
            if (left == 0) {
                left = s.slab_slots;
                number = no_class;
            }
            --left;
            if (s.state == slot_state::live) {
                const auto found = class_at.find(s.address);
                number = found != class_at.end() ? found->second : w_.object_class;
            }
            if (left == 0) add_slab(s, number);
        });
    }

    void add_slab(const visited_slot& s, std::size_t number) {
        if (number == no_class) {
            // The first slab of a class of ordinary alignment may stay; others hold what is live,
            // or what a thread keeps that is not the caller.
            const bool may_stay = w_.classes.is_drop_in() && !shared;
            w_.found.require(may_stay || (shared && w_.is_visitor()), "trim() left a free slab");
            if (shared) {
                w_.knows_capacities = false;
                return;
            }
            if (!w_.classes.is_drop_in()) return;
            number = w_.classes.natural_class_of_slots(s.slot_size, true);
        }
        w_.classes[number].capacity += s.slab_slots;
    }

    world& w_;
    Resource& r_;
    bool has_own_pools_ = false;  // the first thread, where each has its own
};

}  // namespace fastalloc::fuzz
