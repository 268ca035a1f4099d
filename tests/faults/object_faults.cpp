// SPDX-License-Identifier: MIT
// Every operation of every typed pool, with everything in turn that can fail.
#include "faults/object_world.hpp"
#include "faults/programs.hpp"

#include <fastalloc/fastalloc.hpp>
#include <fastalloc/report/occupancy.hpp>

#include <cstddef>
#include <functional>
#include <list>
#include <memory_resource>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

namespace fastalloc::testing::faults {

namespace {

template <class Resource>
using rows = std::vector<row<object_world<Resource>>>;

void require_here(bool is_so, const char* what) {
    if (!is_so) throw std::logic_error(what);
}

bool has_objects(const object_parameter& p) { return p.before != history::none; }
bool has_arguments(const object_parameter& p) {
    return p.constructed == when::lazy || p.constructed == when::deferred;
}
bool owns(const object_parameter& p) { return p.owns; }
bool borrows(const object_parameter& p) { return !p.owns; }

// A pool that grew for an object which then failed keeps what it grew by. One that defers asks its
// resource twice.
template <class Resource>
void add_makers(rows<Resource>& all) {
    using world = object_world<Resource>;
    const auto add = [&](const char* name, std::function<bool(world&)> run,
                         std::function<bool(const object_parameter&)> fits = {}) {
        all.push_back({name, std::move(run), effects::growth, 0, 2, std::move(fits)});
    };
    add("make", [](world& w) {
        w.owned.push_back(w.pool().make());
        return true;
    });
    add(
        "make from arguments",
        [](world& w) {
            w.owned.push_back(w.pool().make(0));
            return true;
        },
        has_arguments);
    add("try_make", [](world& w) {
        auto made = w.pool().try_make();
        if (!made) return false;
        w.owned.push_back(std::move(made));
        return true;
    });
    // Each of them may be one that was kept, when the resource has been asked in vain.
    all.push_back({"make_batch",
                   [](world& w) {
                       for (auto& made : w.pool().make_batch(30))
                           w.owned.push_back(std::move(made));
                       return true;
                   },
                   effects::growth, 0, 31});
    add("make_shared", [](world& w) {
        w.shared.push_back(w.pool().make_shared());
        return true;
    });
    add("make, observe and drop", [](world& w) {
        auto made = w.pool().make_shared();
        const weak_handle<subject> observer = made;
        const object_key key = w.pool().key_of(made);
        require_here(w.pool().find(key) == made.get(), "a key finds its object");
        require_here(observer.lock() == made, "a weak handle knows its object");
        made.reset();
        require_here(observer.expired() && w.pool().find(key) == nullptr, "it is gone");
        return true;
    });
}

// An operation on objects that there are, which always comes to something.
template <class Resource>
void add_for_objects(rows<Resource>& all, const char* name, effects when_it_fails,
                     std::function<void(object_world<Resource>&)> run) {
    all.push_back({name,
                   [run = std::move(run)](object_world<Resource>& w) {
                       run(w);
                       return true;
                   },
                   when_it_fails, 0, 0, has_objects});
}

// What owners ask of upstream: a failure leaves the object with who had it.
template <class Resource>
void add_owners(rows<Resource>& all) {
    using world = object_world<Resource>;
    const auto add = [&](const char* name, std::function<void(world&)> run) {
        add_for_objects(all, name, effects::none, std::move(run));
    };
    add("owned to shared", [](world& w) {
        w.shared.emplace_back(std::move(w.owned.front()));
        std::swap(w.owned.front(), w.owned.back());
        w.owned.pop_back();
    });
    add("key_of owned", [](world& w) {
        auto& object = w.owned.back();
        w.keys.emplace_back(w.pool().key_of(object), object.get());
        require_here(w.pool().find(w.keys.back().first) == object.get(), "it is found");
    });
    add("key_of shared", [](world& w) {
        const auto& object = w.shared.back();
        w.keys.emplace_back(w.pool().key_of(object), object.get());
        require_here(w.pool().find(w.keys.back().first) == object.get(), "it is found");
    });
    add("key_of many", [](world& w) {
        for (auto& object : w.owned) (void)w.pool().key_of(object);
        for (auto& object : w.shared) (void)w.pool().key_of(object);
    });
    add("release and adopt, with a key", [](world& w) {
        auto& object = w.owned.back();
        const object_key key = w.pool().key_of(object);
        subject* const released = object.release();
        require_here(w.pool().find(key) == released, "a key outlasts the handle");
        object = w.pool().adopt(released);
        require_here(w.pool().key_of(object) == key, "and comes with the next");
    });
}

// Whatever fails is made good.
template <class Resource>
void add_what_never_fails(rows<Resource>& all) {
    using world = object_world<Resource>;
    const auto add = [&](const char* name, std::function<void(world&)> run) {
        add_for_objects(all, name, effects::not_a_fail, std::move(run));
    };
    const auto one_less = [](world& w, auto drop) {
        const std::size_t in_use = w.pool().in_use();
        drop();
        require_here(w.pool().in_use() == in_use - 1, "it is in use no more");
    };
    add("drop an owned object", [=](world& w) { one_less(w, [&] { w.owned.pop_back(); }); });
    add("drop a shared object", [=](world& w) {
        w.weak.resize(std::min(w.weak.size(), w.shared.size() - 1));
        one_less(w, [&] { w.shared.pop_back(); });
    });
    add("drop a constant", [=](world& w) {
        one_less(w, [&] {
            const owned_handle<const subject> constant = std::move(w.owned.back());
            w.owned.pop_back();
        });
    });
    add("drop all", [](world& w) {
        w.weak.clear();
        w.shared.clear();
        w.owned.clear();
        require_here(w.pool().in_use() == 0, "none is in use");
    });
    add("copy, lock and compare", [](world& w) {
        const shared_handle<subject> copy = w.shared.front();
        const shared_handle<const subject> constant = copy;
        const weak_handle<const subject> weak = constant;
        require_here(copy.use_count() == 3, "each counts");
        require_here(weak.lock() == copy, "all are the same");
    });
    add("release and adopt", [](world& w) {
        subject* const released = w.owned.back().release();
        w.owned.back() = w.pool().adopt(released);
    });
    add("drain", [](world& w) { w.pool().drain(); });
    add("drain of one", [](world& w) { w.pool().drain(1); });
    add("trim", [](world& w) { w.pool().trim(); });
    add("observers", [](world& w) {
        auto& pool = w.pool();
        require_here(pool.capacity() >= pool.in_use() && pool.empty() == (pool.in_use() == 0),
                     "they agree");
        (void)pool.full();
        if constexpr (Resource::collector_type::counts) pool.reset_statistics();
    });
}

template <class Resource>
void add_others(rows<Resource>& all) {
    using world = object_world<Resource>;
    const auto add = [&](const char* name, std::function<void(world&)> run,
                         std::function<bool(const object_parameter&)> fits = {},
                         effects allowed = effects::none, std::size_t most_failures = 0) {
        all.push_back({name,
                       [run = std::move(run)](world& w) {
                           run(w);
                           return true;
                       },
                       allowed, 0, most_failures, std::move(fits)});
    };
    add(
        "for_each_live",
        [](world& w) {
            std::size_t live = 0;
            w.pool().for_each_live([&](const subject& s) { live += s.value() == 0; });
            require_here(live == w.pool().in_use(), "all are visited");
        },
        owns);
    add("visit_slots", [](world& w) {
        std::size_t live = 0;
        w.pool().resource().visit_slots(
            [&](const visited_slot& s) { live += s.state == slot_state::live; });
        require_here(live == w.pool().resource().in_use(), "all are visited");
    });
    add("occupancy", [](world& w) { (void)occupancy::of(w.pool().resource()); });
    add(
        "construct",
        [](world& w) {
            object_pool<subject, Resource> other(world::config(w.parameter.how),
                                                 initialization_of(w.parameter.constructed),
                                                 w.upstream);
            (void)other.make_shared();
            require_here(other.invariants_hold(), "in order");
        },
        owns);
    add(
        "construct on a resource",
        [](world& w) {
            object_pool<subject, Resource> other(w.pool().resource(),
                                                 initialization_of(w.parameter.constructed));
            (void)other.make_shared();
            require_here(other.invariants_hold(), "in order");
        },
        borrows, effects::growth, 2);
    add(
        "a list beside",
        [](world& w) {
            std::pmr::list<int> list(&w.pool().resource());
            for (int i = 0; i != 40; ++i) list.push_back(i);
        },
        borrows, effects::growth, 1);
}

template <class Resource>
void inject_into(const char* name, unsigned seed, tally& t) {
    rows<Resource> all;
    add_makers<Resource>(all);
    add_owners<Resource>(all);
    add_what_never_fails<Resource>(all);
    add_others<Resource>(all);
    inject_everywhere(name, all, seed, t);
    t.expect(object_world<Resource>::leaks() == 0, name, "no object outlives its world");
}

}  // namespace

void inject_into_object_pools(unsigned seed, tally& t) {
    inject_into<fixed_pool_resource>("fixed pool", seed, t);
    inject_into<growing_pool_resource>("growing pool", seed, t);
    inject_into<thread_local_pool_resource>("thread-local pool", seed, t);
    inject_into<synchronized_pool_resource>("synchronized pool", seed, t);
    inject_into<lock_free_pool_resource>("lock-free pool", seed, t);
    using counts = counting_statistics;
    inject_into<basic_fixed_pool_resource<stack_index, counts>>("fixed pool, counted", seed, t);
    inject_into<basic_growing_pool_resource<free_list_index, counts>>("growing pool, counted", seed,
                                                                      t);
    inject_into<basic_thread_local_pool_resource<stack_index, counts>>("thread-local pool, counted",
                                                                       seed, t);
    inject_into<basic_synchronized_pool_resource<free_list_index, counts>>(
        "synchronized pool, counted", seed, t);
    inject_into<basic_lock_free_pool_resource<std::atomic, counts>>("lock-free pool, counted", seed,
                                                                    t);
}

}  // namespace fastalloc::testing::faults
