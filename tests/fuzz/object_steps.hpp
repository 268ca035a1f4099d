// SPDX-License-Identifier: MIT
#pragma once

#include "fuzz/capacity_model.hpp"
#include "fuzz/held_objects.hpp"
#include "fuzz/world.hpp"

#include <fastalloc/error.hpp>
#include <fastalloc/object/initialization.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <new>
#include <utility>
#include <vector>

namespace fastalloc::fuzz {

/// When a typed pool constructs its objects.
enum class timing : unsigned char { lazy, eager, recycling, deferred };

inline initialization<object> initialization_of(timing t, world& w) {
    const auto init = [&w] { return object(w.ledger, w.ledger.next_id()); };
    switch (t) {
        case timing::lazy:
            break;
        case timing::eager:
            w.counts.count(event::eager);
            return initialization<object>::eager(init);
        case timing::recycling:
            w.counts.count(event::recycling);
            return initialization<object>::recycling(init, [](object& o) { o.reset(); });
        case timing::deferred:
            w.counts.count(event::deferred);
            return initialization<object>::deferred();
    }
    w.counts.count(event::lazy);
    return initialization<object>::lazy();
}

/// Steps that make, share, observe and drop objects of a typed pool.
template <class Resource, class Pool>
class object_steps {
    static constexpr bool each_its_own = capacity_model<Resource>::each_its_own;

public:
    object_steps(world& w, capacity_model<Resource>& capacities)
        : w_(w), capacities_(capacities), held_(w, each_its_own) {}

    /// Effects: steps are those of `pool` from now on.
    void use(Pool& pool, timing t) {
        pool_ = &pool;
        timing_ = t;
    }

    held_objects& held() { return held_; }

    std::size_t alive() const { return held_.alive(); }

    void make(bool try_only) {
        const bool from_arguments = timing_ == timing::lazy || timing_ == timing::deferred;
        attempt([&] {
            owned_handle<object> made;
            if (from_arguments) {
                const std::uint32_t id = w_.ledger.next_id();
                made = try_only ? pool_->try_make(w_.ledger, id) : pool_->make(w_.ledger, id);
            } else {
                made = try_only ? pool_->try_make() : pool_->make();
            }
            if (made == nullptr) return false;
            held_.add(std::move(made));
            return true;
        });
    }

    void make_shared() {
        attempt([&] {
            const bool from_arguments = timing_ == timing::lazy || timing_ == timing::deferred;
            held_.add(from_arguments ? pool_->make_shared(w_.ledger, w_.ledger.next_id())
                                     : pool_->make_shared());
            return true;
        });
    }

    void make_batch() {
        const std::size_t n = w_.in.byte() % 40;
        attempt(
            [&] {
                const std::uint32_t id = w_.ledger.next_id();
                const bool from_arguments = timing_ == timing::lazy || timing_ == timing::deferred;
                auto made = from_arguments ? pool_->make_batch(n, std::ref(w_.ledger), id)
                                           : pool_->make_batch(n);
                w_.found.require_equal(made.size(), n, "objects of a batch");
                w_.counts.operations += n;
                for (auto& handle : made) held_.add(std::move(handle));
                return true;
            },
            true);
    }

    void key() {
        held_.with_any_owner([&](auto& handle, std::uint32_t life) {
            w_.begin_request();
            try {
                held_.add(pool_->key_of(handle), life);
            } catch (const std::bad_alloc&) {
                w_.found.require(w_.upstream_refused(), "no key without a cause");
            }
        });
    }

    void find() {
        held_.with_any_key([&](object_key k, const object* expected) {
            if (expected == nullptr) w_.counts.count(event::find_failed);
            w_.found.require(pool_->find(k) == expected, "find() of a key");
        });
    }

    void find_all() {
        held_.for_each_key([&](object_key k, const object* expected) {
            w_.found.require(pool_->find(k) == expected, "find() of a key");
        });
        w_.found.require(pool_->find(object_key()) == nullptr, "find() of no key");
    }

    void adopt() {
        held_.with_any_released([&](object* o) { return pool_->adopt(o); });
    }

    void drain() {
        const std::size_t before = w_.ledger.constructed();
        const std::size_t most = w_.in.byte() % 4 == 0 ? no_limit : w_.in.byte() % 8;
        const std::size_t drained = pool_->drain(most);
        w_.found.require(drained <= most, "drain() destroyed too many");
        w_.found.require_equal(w_.ledger.constructed(), before - drained, "objects after drain()");
        if (timing_ != timing::deferred) w_.found.require_equal(drained, 0, "drained");
        const bool sees_all = most == no_limit && timing_ == timing::deferred;
        if (sees_all && capacities_.is_comparable()) require_none_kept();
    }

    void trim() {
        pool_->trim();
        if (capacities_.is_comparable()) require_none_kept();
    }

    void visit(bool owns_resource) {
        // Blocks of others in its own resource would be taken for objects.
        if (owns_resource && w_.slot_blocks != 0) return;
        std::size_t visited = 0;
        try {
            pool_->for_each_live([&](object& o) {
                ++visited;
                o.check();
                w_.found.require(o.is_acquired(), "visited an object that nobody has");
            });
            w_.found.require(owns_resource, "visited objects in a resource of others");
            w_.found.require_equal(visited, alive(), "visited objects");
        } catch (const invalid_configuration&) {
            w_.found.require(!owns_resource, "does not visit its objects");
        }
    }

    void require_none_kept() {
        w_.found.require_equal(w_.ledger.constructed(), alive(), "objects that are left");
    }

private:
    enum class ending : unsigned char { made, none, exhausted, user_error, bad_alloc };

    template <class Make>
    static ending call(Make make) {
        try {
            return make() ? ending::made : ending::none;
        } catch (const pool_exhausted&) {
            return ending::exhausted;
        } catch (const user_error&) {
            return ending::user_error;
        } catch (const std::bad_alloc&) {
            return ending::bad_alloc;
        }
    }

    // Effects: `make()`, which says whether there was a slot, and what follows from that.
    template <class Make>
    void attempt(Make make, bool several = false) {
        ++w_.counts.operations;
        w_.begin_request();
        const std::size_t taken = capacities_.taken(w_.object_class);
        const std::size_t alive_before = alive();
        const std::size_t constructed = w_.ledger.constructed();
        const ending how = call(make);
        capacities_.note_growth(w_.object_class, taken, true);
        if (how == ending::made) {
            const bool drained = timing_ == timing::deferred && alive() != alive_before &&
                                 w_.ledger.constructed() <= constructed;
            if (drained) w_.counts.count(event::drained_to_make);
            return;
        }
        w_.found.require_equal(alive(), alive_before, "objects after a failed make()");
        if (how == ending::user_error) {
            w_.counts.count(event::user_code_threw);
            w_.found.require(w_.user_code_threw(), "an exception of nobody");
        } else if (!w_.upstream_refused() && !w_.user_code_threw()) {
            check_exhausted(how, several);
        }
    }

    // Those of a batch that there was room for have gone again.
    void check_exhausted(ending how, bool several) {
        w_.counts.count(event::exhausted);
        w_.found.require(how != ending::bad_alloc, "no object without a cause");
        if (several) return;
        w_.found.require(capacities_.may_be_exhausted(w_.object_class), "exhausted, and is not");
        // Objects that are kept are handed out, or make room, before others are refused; those of
        // another thread only make room.
        const bool takes_kept =
            timing_ == timing::deferred || (timing_ != timing::lazy && !each_its_own);
        if (takes_kept && capacities_.is_comparable()) {
            w_.found.require_equal(w_.ledger.constructed() - w_.ledger.acquired(), 0,
                                   "objects kept by an exhausted pool");
        }
    }

    world& w_;
    capacity_model<Resource>& capacities_;
    held_objects held_;
    Pool* pool_ = nullptr;
    timing timing_ = timing::lazy;
};

}  // namespace fastalloc::fuzz
