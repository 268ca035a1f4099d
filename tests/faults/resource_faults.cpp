// SPDX-License-Identifier: MIT
// Every operation of every pool resource, with everything in turn that can fail.
#include "faults/programs.hpp"
#include "faults/resource_world.hpp"

#include <fastalloc/fastalloc.hpp>
#include <fastalloc/report/occupancy.hpp>

#include <array>
#include <cstddef>
#include <exception>
#include <list>
#include <map>
#include <memory_resource>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

namespace fastalloc::testing::faults {

namespace {

template <class Resource>
using rows = std::vector<row<resource_world<Resource>>>;

/// Effects: `f()` in a thread of its own. Throws: what it throws.
template <class F>
auto in_another_thread(F f) {
    bool result = false;
    std::exception_ptr thrown;
    std::thread([&] {
        try {
            result = f();
        } catch (...) {
            thrown = std::current_exception();
        }
    }).join();
    if (thrown) std::rethrow_exception(thrown);
    return result;
}

// Requests that fail, one way or the other, have no effects, and count once.
template <class Resource>
void add_requests(rows<Resource>& all) {
    using world = resource_world<Resource>;
    const auto request = [&](const char* name, const char* try_name, std::size_t bytes,
                             std::size_t alignment) {
        all.push_back({name,
                       [=](world& w) {
                           w.allocate(bytes, alignment);
                           return true;
                       },
                       effects::none, 1, 1});
        all.push_back({try_name, [=](world& w) { return w.try_allocate(bytes, alignment); },
                       effects::none, 1, 1});
    };
    request("allocate", "try_allocate", 64, 8);
    request("allocate of a second class", "try_allocate of a second class", 250, 8);
    request("allocate of a block", "try_allocate of a block", 100'000, 8);
    request("allocate of a block, over-aligned", "try_allocate of a block, over-aligned", 100,
            4'096);
    all.push_back({"allocate by the virtual function",
                   [](world& w) {
                       std::pmr::memory_resource& base = w.resource();
                       w.live().add(base.allocate(60, 4), 60, 4);
                       return true;
                   },
                   effects::none, 1, 1});
    all.push_back({"allocate_batch",
                   [](world& w) {
                       std::array<void*, 100> batch;
                       w.resource().allocate_batch(batch, 64, 8);
                       for (void* const p : batch) w.live().add(p, 64, 8);
                       return true;
                   },
                   effects::growth, 1, 1});
    all.push_back({"allocate_batch of blocks",
                   [](world& w) {
                       std::array<void*, 20> batch;
                       w.resource().allocate_batch(batch, 50'000, 8);
                       for (void* const p : batch) w.live().add(p, 50'000, 8);
                       return true;
                   },
                   effects::none, 1, 1});
    if constexpr (Resource::used_by != detail::threads::one) {
        all.push_back({"allocate in a new thread",
                       [](world& w) {
                           return in_another_thread([&] {
                               void* const p = w.resource().allocate(64, 8);
                               w.resource().deallocate(p, 64, 8);
                               return true;
                           });
                       },
                       effects::growth, 0, 1});
        all.push_back({"try_allocate in a new thread",
                       [](world& w) {
                           return in_another_thread([&] {
                               void* const p = w.resource().try_allocate(64, 8);
                               if (p != nullptr) w.resource().deallocate(p, 64, 8);
                               return p != nullptr;
                           });
                       },
                       effects::growth, 0, 1});
    }
}

// These have nothing that may fail.
template <class Resource>
void add_what_never_fails(rows<Resource>& all) {
    using world = resource_world<Resource>;
    const auto add = [&](const char* name, std::function<void(world&)> run) {
        all.push_back({name,
                       [run = std::move(run)](world& w) {
                           run(w);
                           return true;
                       },
                       effects::not_a_fail});
    };
    add("deallocate", [](world& w) {
        if (w.ready != nullptr) w.resource().deallocate(w.ready, 64, 8);
        w.ready = nullptr;
    });
    add("deallocate of all", [](world& w) { w.live().clear(); });
    add("trim", [](world& w) { w.resource().trim(); });
    add("trim, all free", [](world& w) {
        w.live().clear();
        w.resource().trim();
    });
    add("release", [](world& w) {
        w.live().forget();
        w.ready = nullptr;
        w.resource().release();
    });
    add("observers", [](world& w) {
        Resource& r = w.resource();
        (void)(r.capacity() + r.available() + r.in_use() + r.growth_count());
        (void)r.owns(&w);
        (void)r.has_class_for(64, 8);
        (void)r.upstream_resource();
        if constexpr (Resource::collector_type::counts) (void)r.statistics();
    });
    if constexpr (Resource::collector_type::counts) {
        add("reset_statistics", [](world& w) { w.resource().reset_statistics(); });
    }
}

// What draws on it, and what looks at it.
template <class Resource>
void add_clients(rows<Resource>& all) {
    using world = resource_world<Resource>;
    const auto add = [&](const char* name, std::size_t most_failures, auto run) {
        all.push_back({name,
                       [run](world& w) {
                           run(w);
                           return true;
                       },
                       effects::growth, 0, most_failures});
    };
    add("std::pmr::vector", 1, [](world& w) {
        std::pmr::vector<int> numbers(&w.resource());
        for (int i = 0; i != 300; ++i) numbers.push_back(i);
    });
    add("std::pmr::map", 1, [](world& w) {
        std::pmr::map<int, int> numbers(&w.resource());
        for (int i = 0; i != 40; ++i) numbers[i] = i;
    });
    add("std::pmr::unordered_map of strings", 1, [](world& w) {
        std::pmr::unordered_map<int, std::pmr::string> texts(&w.resource());
        for (int i = 0; i != 40; ++i) texts.emplace(i, "longer than what a string has in itself");
    });
    add("std::vector with resource_allocator", 1, [](world& w) {
        std::vector<int, resource_allocator<int, Resource>> numbers(w.resource());
        for (int i = 0; i != 300; ++i) numbers.push_back(i);
    });
    add("std::list with resource_allocator, rebound", 1, [](world& w) {
        using allocator = resource_allocator<int, Resource>;
        std::list<int, allocator> numbers{allocator(w.resource())};
        for (int i = 0; i != 40; ++i) numbers.push_back(i);
        std::list<int, allocator> copy(numbers);
        copy = std::move(numbers);
    });
    add("visit_slots", 0, [](world& w) {
        std::size_t live = 0;
        w.resource().visit_slots(
            [&](const visited_slot& s) { live += s.state == slot_state::live; });
        if (live < w.resource().in_use()) throw live;
    });
    add("occupancy", 0, [](world& w) { (void)occupancy::of(w.resource()); });
    add("construct", 0, [](world& w) {
        std::optional<Resource> other;
        make_resource(other, w.how, w.upstream);
        other->deallocate(other->allocate(64, 8), 64, 8);
        if (!other->invariants_hold()) throw 1;
    });
    add("construct with options", 0, [](world& w) {
        if constexpr (!is_fixed<Resource>) {
            Resource other(std::pmr::pool_options{64, 1024}, w.upstream);
            other.deallocate(other.allocate(1'000, 8), 1'000, 8);
        }
    });
    if constexpr (is_fixed<Resource>) {
        add("construct in a buffer", 0, [](world&) {
            const pool_config config = slots(64).build();
            std::vector<std::byte> buffer(Resource::required_bytes(config));
            Resource other(std::span<std::byte>(buffer), config);
            other.deallocate(other.allocate(64, 8), 64, 8);
        });
    }
}

template <class Resource>
void inject_into(const char* name, unsigned seed, tally& t) {
    rows<Resource> all;
    add_requests<Resource>(all);
    add_what_never_fails<Resource>(all);
    add_clients<Resource>(all);
    inject_everywhere(name, all, seed, t);
}

}  // namespace

void inject_into_resources(unsigned seed, tally& t) {
    inject_into<fixed_pool_resource>("fixed", seed, t);
    inject_into<growing_pool_resource>("growing", seed, t);
    inject_into<thread_local_pool_resource>("thread-local", seed, t);
    inject_into<synchronized_pool_resource>("synchronized", seed, t);
    inject_into<lock_free_pool_resource>("lock-free", seed, t);
    using counts = counting_statistics;
    inject_into<basic_fixed_pool_resource<stack_index, counts>>("fixed, counted", seed, t);
    inject_into<basic_growing_pool_resource<free_list_index, counts>>("growing, counted", seed, t);
    inject_into<basic_thread_local_pool_resource<stack_index, counts>>("thread-local, counted",
                                                                       seed, t);
    inject_into<basic_synchronized_pool_resource<free_list_index, counts>>("synchronized, counted",
                                                                           seed, t);
    inject_into<basic_lock_free_pool_resource<std::atomic, counts>>("lock-free, counted", seed, t);
}

}  // namespace fastalloc::testing::faults
