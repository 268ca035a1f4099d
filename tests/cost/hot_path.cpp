// SPDX-License-Identifier: MIT
/// Calls the entry points, for callgrind to count their instructions: see hot_path_test.py.
///
/// It writes parts, each with a title. `hot NAME` has calls that all take the hot path; what of it
/// is called for the first time was called before. `once NAME` has a single call.

#include "entry_points.hpp"

#include <valgrind/callgrind.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace fastalloc;

/// Effects: calls `f`, of which callgrind writes a part with that title.
template <class F>
void part(const std::string& title, F f) {
    CALLGRIND_ZERO_STATS;
    f();
    CALLGRIND_DUMP_STATS_AT(title.c_str());
}

/// Calls so many that a cost which is not the same each time cannot pass for one that is.
constexpr int calls = 101;

/// Effects: calls `round`, which takes each way once, until all is warm, and then in a part.
template <class F>
void hot(const std::string& name, F round) {
    for (int i = 0; i != 5; ++i) round();
    part("hot " + name, [&] {
        for (int i = 0; i != calls; ++i) round();
    });
}

/// The ways into a resource that differ from one to the next.
template <class Resource>
struct ways {
    void* (*allocate_64)(Resource&);
    void (*deallocate_64)(Resource&, void*);
    void* (*try_allocate_64)(Resource&);
    void* (*allocate)(Resource&, std::size_t, std::size_t);
    void (*deallocate)(Resource&, void*, std::size_t, std::size_t);
    void (*make)(object_pool<object, Resource>&, owned_handle<object>*);
    void (*make_shared)(object_pool<object, Resource>&, shared_handle<object>*);
    object* (*find)(object_pool<object, Resource>&, object_key);
};

/// Effects: `use(handle)` by a handle that `make` makes there. Its destructor has nothing left to drop.
template <class Handle, class Make, class Use>
void with_handle(Make make, Use use) {
    alignas(Handle) std::byte memory[sizeof(Handle)];
    auto* const handle = reinterpret_cast<Handle*>(memory);
    make(handle);
    use(*handle);
    std::destroy_at(handle);
}

template <class Resource>
void hot_resource(const std::string& name, Resource& resource, const ways<Resource>& w) {
    object_pool<object, Resource> pool(pool_config::builder().capacity(1'000).build());
    std::pmr::memory_resource& any = resource;
    auto named = pool.make();
    const object_key key = pool.key_of(named);
    hot(name, [&] {
        w.deallocate_64(resource, w.allocate_64(resource));
        w.deallocate_64(resource, w.try_allocate_64(resource));
        w.deallocate(resource, w.allocate(resource, 64, 8), 64, 8);
        pointer_deallocate_64(any, pointer_allocate_64(any));
        with_handle<owned_handle<object>>([&](auto* h) { w.make(pool, h); }, drop);
        with_handle<shared_handle<object>>([&](auto* h) { w.make_shared(pool, h); }, drop_shared);
        w.find(pool, key);
    });
}

#define FASTALLOC_WAYS(name)                                                               \
    {                                                                                      \
        name##_allocate_64, name##_deallocate_64, name##_try_allocate_64, name##_allocate, \
            name##_deallocate, name##_make, name##_make_shared, name##_find                \
    }

pool_config config_64(std::size_t capacity) {
    return pool_config::builder().slot_size(64).alignment(8).capacity(capacity).build();
}

/// Uses up a fixed pool and frees every `step`-th block, at random, round after round. Where slots are
/// exchanged with the slabs, the one call is a part: `fixed_refill_N` or `fixed_spill_N`, of N slots.
void worst_calls(std::size_t capacity, std::size_t step) {
    fixed_pool_resource resource(config_64(capacity));
    const detail::magazine<>& magazine = *resource.magazine_of(64, 8);
    const auto exchanged =
        std::to_string(std::min((magazine.capacity() + 1) / 2, detail::largest_exchange));
    std::vector<void*> blocks(capacity);
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < capacity; i += step) order.push_back(i);
    std::shuffle(order.begin(), order.end(), std::mt19937());
    const auto take = [&](void*& p) {
        if (!magazine.empty()) {
            p = resource.allocate(64, 8);
        } else {
            part("once fixed_refill_" + exchanged, [&] { p = fixed_allocate_64(resource); });
        }
    };
    for (void*& p : blocks) take(p);
    for (const std::size_t i : order) {
        if (!magazine.full()) {
            resource.deallocate(blocks[i], 64, 8);
        } else {
            part("once fixed_spill_" + exchanged,
                 [&] { fixed_deallocate_64(resource, blocks[i]); });
        }
    }
    for (const std::size_t i : order) take(blocks[i]);
}

}  // namespace

int main() {
    fixed_pool_resource fixed(config_64(1'000));
    growing_pool_resource growing;
    thread_local_pool_resource each_its_own;
    synchronized_pool_resource synchronized;
    lock_free_pool_resource lock_free;
    hot_resource<fixed_pool_resource>("fixed", fixed, FASTALLOC_WAYS(fixed));
    hot_resource<growing_pool_resource>("growing", growing, FASTALLOC_WAYS(growing));
    hot_resource<thread_local_pool_resource>("thread_local", each_its_own,
                                             FASTALLOC_WAYS(thread_local));
    hot_resource<synchronized_pool_resource>("synchronized", synchronized,
                                             FASTALLOC_WAYS(synchronized));
    hot_resource<lock_free_pool_resource>("lock_free", lock_free, FASTALLOC_WAYS(lock_free));
    hot("allocator", [] { allocator_deallocate_64(allocator_allocate_64()); });
    for (const std::size_t step : {1u, 2u}) worst_calls(1'000, step);
    // With 64, each free slot has a word of the bitmap of its own, and a magazine takes not all.
    for (const std::size_t step : {1u, 2u, 64u}) worst_calls(1u << 20, step);
}
