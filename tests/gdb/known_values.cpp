// SPDX-License-Identifier: MIT
// Makes one of everything that the debugger shows, in a known state, and stops. What each is to
// look like is in printers_test.py.
#include <fastalloc/fastalloc.hpp>

#include <atomic>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <memory_resource>
#include <thread>
#include <vector>

extern "C" [[gnu::noinline]] void stop_here() { asm volatile(""); }

namespace {

struct particle {
    int x = 1;
    int y = 2;
};

struct named {
    virtual ~named() = default;
    int name = 7;
};

struct other {
    virtual ~other() = default;
    int number = 8;
};

struct both : named, other {};

struct node {
    fastalloc::weak_handle<node> itself;
};

fastalloc::pool_config slots_of(std::size_t bytes, std::size_t capacity) {
    return fastalloc::pool_config::builder().slot_size(bytes).capacity(capacity).build();
}

// Takes `count` slots, which are never given back.
template <class Resource>
void take(Resource& resource, std::size_t bytes, std::size_t count) {
    for (std::size_t i = 0; i != count; ++i) (void)resource.allocate(bytes, 8);
}

// Memory in which a resource is looked at that was never made there.
template <class T>
class memory_for {
public:
    explicit memory_for(int byte) { std::memset(bytes_, byte, sizeof(bytes_)); }

    T& not_made() { return *reinterpret_cast<T*>(bytes_); }

private:
    alignas(T) std::byte bytes_[sizeof(T)];
};

template <class T>
struct bad_memory {
    memory_for<T> zeros{0};
    memory_for<T> noise{0x5a};
    memory_for<T> ones{0xff};
    T& zeroed = zeros.not_made();
    T& random = noise.not_made();
    T& filled = ones.not_made();
};

template <class T>
using pool_of = fastalloc::growing_pool<T>;

// What the resource says itself.
template <class Resource>
void tell(const char* name, const Resource& resource) {
    std::printf("%s: capacity %zu, available %zu, in use %zu slots\n", name, resource.capacity(),
                resource.available(), resource.in_use());
}

}  // namespace

// As it would be if the names were in a namespace of their own one day.
namespace fastalloc::later {

struct object_key {
    unsigned slot_ = 5;
    unsigned generation_ = 6;
};

}  // namespace fastalloc::later

int main() {
    using fastalloc::growth_strategy;
    using fastalloc::initialization;
    using fastalloc::pool_config;

    const auto growth_none = growth_strategy::none();
    const auto growth_linear = growth_strategy::linear(10);
    const auto growth_exponential = growth_strategy::exponential(1.5);
    const auto growth_custom =
        growth_strategy::custom([](std::size_t capacity) { return capacity; });
    const pool_config config_small = pool_config::builder().capacity(1).build();
    const pool_config config_full = pool_config::builder()
                                        .slot_size(48)
                                        .alignment(16)
                                        .capacity(100)
                                        .max_capacity(400)
                                        .growth(growth_strategy::linear(50))
                                        .pre_initialize(true)
                                        .larger_requests(fastalloc::larger_requests::refuse)
                                        .build();

    std::pmr::monotonic_buffer_resource upstream;
    const std::vector classes{slots_of(16, 100), slots_of(64, 40)};
    fastalloc::fixed_pool_resource fixed(classes, &upstream);
    take(fixed, 16, 30);
    take(fixed, 64, 40);
    fastalloc::growing_pool_resource growing(slots_of(32, 64));
    take(growing, 32, 65);
    fastalloc::growing_pool_resource drop_in;
    take(drop_in, 24, 3);
    take(drop_in, 200, 2);
    (void)drop_in.allocate(64, 64);
    (void)drop_in.allocate(60, 4);
    fastalloc::basic_growing_pool_resource<fastalloc::stack_index> unused;

    fastalloc::thread_local_pool_resource thread_local_resource(classes);
    fastalloc::synchronized_pool_resource synchronized(slots_of(32, 256));
    fastalloc::lock_free_pool_resource lock_free(slots_of(32, 256));
    const auto use_all = [&](std::size_t count) {
        take(thread_local_resource, 16, count);
        take(synchronized, 32, count);
        take(lock_free, 32, count);
    };
    use_all(2);
    std::thread(use_all, 3).join();
    // Numbers from 32 on are in a segment of the table of rows.
    fastalloc::synchronized_pool_resource many_threads(slots_of(8, 4096));
    {
        std::vector<std::jthread> threads;
        std::atomic<int> waiting = 0;
        for (int i = 0; i != 40; ++i) {
            threads.emplace_back([&] {
                take(many_threads, 8, 1);
                ++waiting;
                while (waiting != 40) std::this_thread::yield();
            });
        }
    }

    pool_of<particle> pool(slots_of(8, 64));
    fastalloc::owned_handle<particle> owned = pool.make();
    const fastalloc::owned_handle<particle> owned_empty;
    fastalloc::owned_handle<particle> owned_with_key = pool.make(3, 4);
    [[maybe_unused]] const fastalloc::object_key key = pool.key_of(owned_with_key);
    [[maybe_unused]] const fastalloc::object_key key_empty;
    fastalloc::shared_handle<particle> shared = pool.make_shared();
    const fastalloc::shared_handle<particle> shared_again = shared;
    [[maybe_unused]] const fastalloc::weak_handle<particle> weak = shared;
    const fastalloc::shared_handle<particle> shared_alone = pool.make_shared(5, 6);
    const fastalloc::shared_handle<particle> shared_empty;
    [[maybe_unused]] const fastalloc::weak_handle<particle> weak_empty;
    [[maybe_unused]] const fastalloc::weak_handle<particle> weak_dead = pool.make_shared();
    pool_of<both> pool_of_both(pool_config::builder().capacity(8).build());
    const fastalloc::owned_handle<other> owned_part = pool_of_both.make();

    pool_of<node> pool_of_nodes(pool_config::builder().capacity(8).build());
    const fastalloc::shared_handle<node> knows_itself = pool_of_nodes.make_shared();
    knows_itself->itself = knows_itself;

    pool_of<particle> recycling(
        pool_config::builder().capacity(64).build(),
        initialization<particle>::recycling([] { return particle(); }, [](particle&) {}));
    const auto recycled = recycling.make_batch(3);
    (void)recycling.make_batch(2);
    fastalloc::lock_free_pool<particle> drawing(lock_free, initialization<particle>::deferred());
    const auto drawn = drawing.make();
    (void)drawing.make();
    fastalloc::thread_local_pool<particle> eager(
        slots_of(8, 4), initialization<particle>::eager([] { return particle(); }));
    const auto fresh = eager.make();

    using counting =
        fastalloc::basic_lock_free_pool_resource<std::atomic, fastalloc::counting_statistics>;
    counting counted(slots_of(32, 256));
    take(counted, 32, 3);
    fastalloc::object_pool<particle, counting> counted_objects(counted);
    const auto counted_object = counted_objects.make();
    (void)counted_objects.make();

    bad_memory<fastalloc::fixed_pool_resource> bad_fixed;
    bad_memory<fastalloc::growing_pool_resource> bad_growing;
    bad_memory<fastalloc::thread_local_pool_resource> bad_thread_local;
    bad_memory<fastalloc::synchronized_pool_resource> bad_synchronized;
    bad_memory<fastalloc::lock_free_pool_resource> bad_lock_free;
    bad_memory<pool_of<particle>> bad_pool;
    bad_memory<fastalloc::owned_handle<particle>> bad_owned;
    bad_memory<fastalloc::shared_handle<particle>> bad_shared;
    bad_memory<fastalloc::weak_handle<particle>> bad_weak;
    bad_memory<fastalloc::object_key> bad_key;
    bad_memory<pool_config> bad_config;
    bad_memory<growth_strategy> bad_growth;

    [[maybe_unused]] const fastalloc::later::object_key key_later;

    tell("fixed", fixed);
    tell("growing", growing);
    tell("drop_in", drop_in);
    tell("unused", unused);
    tell("synchronized", synchronized);
    tell("lock_free", lock_free);
    tell("many_threads", many_threads);
    tell("counted", counted);
    std::fflush(stdout);
    stop_here();
}
