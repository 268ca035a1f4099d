// SPDX-License-Identifier: MIT
#pragma once

#include "fuzz/block_steps.hpp"
#include "fuzz/capacity_model.hpp"
#include "fuzz/object_steps.hpp"
#include "fuzz/subject.hpp"
#include "fuzz/world.hpp"

#include <cstddef>
#include <optional>
#include <thread>

namespace fastalloc::fuzz {

/// One resource under test, from its constructor to its destructor, and what an input does to it.
template <class Resource, template <class, class> class PoolOf>
class session {
    using pool_type = PoolOf<object, Resource>;
    using capacities_type = capacity_model<Resource>;

public:
    /// Effects: makes the resource, or finds that upstream refuses it.
    explicit session(world& w) : w_(w) {
        const std::size_t before = w.in.byte();
        if (before % 8 == 0) w.upstream.refuse(before / 8 % 4, 1);
        const auto when = static_cast<timing>(before / 32 % 4);
        w.begin_request();
        subject_.emplace(w);
        if (!subject_->make(when)) return;
        Resource& r = subject_->resource();
        capacities_.emplace(w, r);
        w.classes = subject_->classes();
        capacities_->note_release();
        blocks_.emplace(w, r, *capacities_);
        objects_.emplace(w, *capacities_);
        note_pool(before % 4 != 1, when);
        bytes_at_start_ = w.upstream.checked().bytes_out();
        capacities_->note_growth(w_.object_class, no_limit, true);
    }

    /// Effects: all steps that the input says, until something is wrong.
    void run() {
        if (!capacities_) return;
        while (!w_.in.at_end() && !w_.found.any()) one_step();
        if (!w_.found.any()) end();
        w_.give_one_back = nullptr;
    }

private:
    // Weights: what blocks are made of is most frequent, what begins all anew is rare.
    static step step_of(std::size_t byte) {
        static constexpr struct {
            std::uint8_t below;
            step what;
        } table[] = {{36, step::allocate},
                     {54, step::try_allocate},
                     {84, step::deallocate},
                     {96, step::allocate_run},
                     {108, step::deallocate_run},
                     {114, step::allocate_batch},
                     {120, step::deallocate_batch},
                     {124, step::trim},
                     {125, step::release},
                     {130, step::fail_upstream},
                     {132, step::heal_upstream},
                     {134, step::check_everything},
                     {136, step::on_thread},
                     {156, step::make},
                     {164, step::try_make},
                     {172, step::make_shared},
                     {174, step::make_batch},
                     {180, step::share},
                     {187, step::copy_shared},
                     {194, step::observe},
                     {201, step::lock},
                     {207, step::key},
                     {214, step::find},
                     {240, step::drop},
                     {243, step::release_object},
                     {246, step::adopt_object},
                     {248, step::drain},
                     {250, step::trim_pool},
                     {251, step::replace_pool},
                     {252, step::visit_objects}};
        for (const auto& row : table) {
            if (byte < row.below) return row.what;
        }
        return step::arm_fuse;
    }

    void one_step() {
        const step s = step_of(w_.in.byte());
        if (!is_possible(s)) return;
        w_.counts.count(s);
        if (s < step::make) {
            block_step(s);
        } else {
            object_step(s);
        }
        check();
    }

    bool is_possible(step s) const {
        // What ends the life of everything is for the first thread.
        const bool is_for_first = s == step::release || s == step::on_thread ||
                                  s == step::replace_pool || s == step::visit_objects;
        if (is_for_first && w_.is_visitor()) return false;
        if (s >= step::make) return subject_->pool() != nullptr;
        return true;
    }

    void block_step(step s) {
        switch (s) {
            case step::allocate:
            case step::try_allocate:
                return blocks_->allocate(s == step::try_allocate);
            case step::deallocate:
                return blocks_->deallocate();
            case step::allocate_run:
                return blocks_->allocate_run();
            case step::deallocate_run:
                return blocks_->deallocate_run();
            case step::allocate_batch:
                return blocks_->allocate_batch();
            case step::deallocate_batch:
                return blocks_->deallocate_batch();
            case step::trim:
                subject_->resource().trim();
                return capacities_->note_trim();
            case step::release:
                return release();
            case step::fail_upstream: {
                const std::size_t grants = w_.in.byte() % 16;
                return w_.upstream.refuse(grants, 1 + w_.in.byte() % 8);
            }
            case step::heal_upstream:
                return w_.upstream.heal();
            case step::check_everything:
                return check_everything();
            default:
                return visit_by_thread();
        }
    }

    void object_step(step s) {
        switch (s) {
            case step::make:
            case step::try_make:
                return objects_->make(s == step::try_make);
            case step::make_shared:
                return objects_->make_shared();
            case step::make_batch:
                return objects_->make_batch();
            case step::share:
                return held().share();
            case step::copy_shared:
                return held().copy_shared();
            case step::observe:
                return held().observe();
            case step::lock:
                return held().lock();
            case step::key:
                return objects_->key();
            case step::find:
                return objects_->find();
            case step::drop:
                return held().drop();
            case step::release_object:
                return held().release_object();
            case step::adopt_object:
                return objects_->adopt();
            case step::drain:
                return objects_->drain();
            case step::trim_pool:
                objects_->trim();
                if (subject_->owns_through_pool()) capacities_->note_trim();
                return;
            case step::replace_pool:
                return replace_pool();
            case step::visit_objects:
                return objects_->visit(subject_->owns_through_pool());
            default:
                return w_.ledger.arm_fuse(1 + w_.in.byte() % 8);
        }
    }

    held_objects& held() { return objects_->held(); }

    void note_pool(bool wanted, timing when) {
        if (subject_->pool() == nullptr && (!wanted || !subject_->make_pool(when))) return;
        objects_->use(*subject_->pool(), when);
        w_.object_class = w_.classes.class_of(sizeof(object), alignof(object));
    }

    // What is checked after each step.
    void check() {
        Resource& r = subject_->resource();
        const std::size_t taken = w_.slot_blocks + w_.ledger.constructed();
        const std::size_t capacity = r.capacity();
        if constexpr (capacities_type::each_its_own) {
            w_.found.require_equal(r.in_use_by_all(), taken, "in_use_by_all()");
            w_.found.require(r.in_use() <= capacity, "in_use() above capacity()");
        } else {
            w_.found.require_equal(r.in_use(), taken, "in_use()");
            w_.found.require_equal(r.available() + taken, capacity, "available() + in_use()");
            check_pool(taken);
        }
        if (capacities_->is_comparable()) {
            w_.found.require_equal(capacity, w_.capacity, "capacity()");
            w_.found.require_equal(r.growth_count(), w_.growth_count, "growth_count()");
        }
        w_.found.require_equal(w_.ledger.acquired(), objects_->alive(), "objects that are alive");
        w_.found.require(w_.upstream.checked().errors().empty(), "misused upstream");
        subject_->check_buffer(w_.found);
        if constexpr (Resource::collector_type::counts) check_statistics();
    }

    void check_pool(std::size_t taken) {
        const pool_type* const pool = subject_->pool();
        if (pool == nullptr) return;
        const std::size_t kept = w_.ledger.constructed() - w_.ledger.acquired();
        w_.found.require_equal(pool->in_use(), taken - kept, "in_use() of the pool");
        w_.found.require_equal(pool->available() + taken - kept, pool->capacity(),
                               "available() of the pool");
    }

    void check_statistics() {
        const pool_statistics s = subject_->resource().statistics();
        w_.found.require_equal(s.current, w_.slot_blocks + w_.ledger.constructed(),
                               "slots that are current in statistics()");
        w_.found.require_equal(s.larger_current, w_.blocks.count() - w_.slot_blocks,
                               "larger blocks in statistics()");
        w_.found.require(s.peak >= s.current, "a peak below what is current");
        w_.found.require_equal(s.allocations - s.deallocations, s.current, "statistics()");
    }

    void check_everything() {
        w_.blocks.check_all();
        held().check_all();
        if (subject_->pool() != nullptr) objects_->find_all();
        blocks_->check_owned();
        std::size_t slots = 0;
        std::size_t live = 0;
        subject_->resource().visit_slots([&](const visited_slot& s) {
            ++slots;
            if (s.state != slot_state::live) return;
            ++live;
            w_.found.require(w_.map.begins(s.address), "a slot is taken by nobody");
        });
        w_.found.require_equal(live, w_.slot_blocks + w_.ledger.constructed(), "taken slots");
        if (!w_.is_visitor()) check_invariants();
        if (capacities_type::each_its_own) return;
        w_.found.require_equal(slots, w_.capacity, "slots that are visited");
    }

    void check_invariants() {
        const auto for_each_taken = [&](auto f) {
            for (std::size_t i = 0; i != w_.blocks.count(); ++i) {
                if (w_.blocks[i].class_number != no_class) f(w_.blocks[i].p);
            }
            held().for_each_alive(f);
        };
        w_.found.require(subject_->resource().invariants_hold(for_each_taken),
                         "the invariants of the resource");
        if (subject_->pool() == nullptr) return;
        w_.found.require(subject_->pool()->invariants_hold(), "the invariants of the pool");
    }

    void visit_by_thread() {
        const std::size_t steps = 1 + w_.in.byte() % 48;
        for (class_model& c : w_.classes.all()) c.live_of_visitor = 0;
        std::thread visitor([&] {
            w_.current = ++w_.last_thread;
            for (std::size_t i = 0; i != steps && !w_.in.at_end() && !w_.found.any(); ++i) {
                one_step();
            }
        });
        visitor.join();
        w_.current = first_thread;
    }

    void drop_objects() {
        if (subject_->pool() == nullptr) return;
        while (held().released() != 0) objects_->adopt();
        held().drop_all();
    }

    void release() {
        drop_objects();
        if (subject_->pool() != nullptr) {
            objects_->trim();
            if (subject_->owns_through_pool()) capacities_->note_trim();
        }
        w_.blocks.check_all();
        w_.blocks.forget();
        Resource& r = subject_->resource();
        r.release();
        capacities_->note_release();
        w_.found.require_equal(r.growth_count(), 0, "growth_count() after release()");
        // A pool has tickets, and room for what it keeps.
        if (subject_->pool() != nullptr) return;
        w_.found.require_equal(w_.upstream.checked().bytes_out(), bytes_at_start_,
                               "bytes of upstream after release()");
    }

    void replace_pool() {
        const std::size_t how = w_.in.byte();
        drop_objects();
        held().forget_keys();
        if (subject_->owns_through_pool()) return;
        subject_->drop_pool();
        w_.found.require_equal(w_.ledger.constructed(), 0, "objects of a pool that is gone");
        w_.object_class = no_class;
        note_pool(true, static_cast<timing>(how % 4));
    }

    void end() {
        check_everything();
        drop_objects();
        if (w_.found.any()) return;
        // The pool's own resource goes with it, and then all has to be back.
        if (subject_->owns_through_pool()) blocks_->give_all_back();
        w_.blocks.forget();
        subject_->drop_all();
        w_.found.require_equal(w_.ledger.constructed(), 0, "objects of a pool that is gone");
        w_.found.require_equal(w_.upstream.checked().blocks_out(), 0, "blocks left of upstream");
        w_.found.require(w_.upstream.checked().errors().empty(), "misused upstream");
    }

    world& w_;
    std::optional<subject<Resource, pool_type>> subject_;
    std::optional<capacities_type> capacities_;
    std::optional<block_steps<Resource>> blocks_;
    std::optional<object_steps<Resource, pool_type>> objects_;
    std::size_t bytes_at_start_ = 0;
};

}  // namespace fastalloc::fuzz
