// SPDX-License-Identifier: MIT
// Compiled without exceptions and without RTTI, linked with a library that has both: a user of every
// resource, pool, handle, allocator and adaptor, with containers.
#include <fastalloc/fastalloc.hpp>

#include <array>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <list>
#include <map>
#include <memory_resource>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#if defined(__cpp_exceptions) || defined(__cpp_rtti)
#error "this program is to be compiled without exceptions and RTTI"
#endif

namespace {

using namespace fastalloc;

void expect(bool condition, const char* what) {
    if (condition) return;
    std::fprintf(stderr, "%s\n", what);
    std::exit(1);
}

pool_config config_of(std::size_t bytes, std::size_t capacity) {
    return pool_config::builder().slot_size(bytes).capacity(capacity).build();
}

/// A user's upstream, which cannot throw.
class own_upstream final : public std::pmr::memory_resource {
public:
    std::size_t blocks_out = 0;

private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        ++blocks_out;
        return std::pmr::new_delete_resource()->allocate(bytes, alignment);
    }

    void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) override {
        --blocks_out;
        std::pmr::new_delete_resource()->deallocate(p, bytes, alignment);
    }

    bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
        return this == &other;
    }
};

template <class List>
void check_list(List list) {
    constexpr int count = 1'000;
    for (int i = 0; i != count; ++i) list.push_back(i);
    list.remove_if([](int i) { return i % 2 != 0; });
    int expected = 0;
    for (int i : list) expect(std::exchange(expected, expected + 2) == i, "a list");
    expect(expected == count, "the end of a list");
}

template <class Resource>
void check_requests(Resource& resource) {
    check_list(std::list<int, resource_allocator<int, Resource>>(resource));
    check_list(std::pmr::list<int>(&resource));
    std::array<void*, 100> batch{};
    resource.allocate_batch(batch, 24, 8);
    expect(resource.owns(batch[7]) && resource.in_use() == batch.size(), "a batch");
    resource.deallocate_batch(batch, 24, 8);
    resource.trim();
    expect(resource.in_use() == 0, "what is in use");
}

template <class Resource>
void check_resource() {
    own_upstream upstream;
    {
        Resource resource(&upstream);
        check_requests(resource);
        std::pmr::map<int, std::pmr::string> texts(&resource);
        for (int i = 0; i != 500; ++i) texts[i].assign(static_cast<std::size_t>(i), 'x');
        expect(texts.at(499).size() == 499, "a map");
    }
    {
        Resource resource(config_of(24, 10), &upstream);
        check_requests(resource);
        void* const larger = resource.try_allocate(1'000, 8);
        expect(larger != nullptr, "a larger request");
        resource.deallocate(larger, 1'000, 8);
    }
    expect(upstream.blocks_out == 0, "what upstream lacks");
}

void check_fixed() {
    fixed_pool_resource resource(config_of(24, 1'000));
    check_requests(resource);
    const std::vector<pool_config> classes{config_of(16, 8), config_of(64, 8)};
    fixed_pool_resource listed(classes);
    expect(listed.try_allocate(65, 8) == nullptr, "a request that fits no class");
    alignas(64) std::array<std::byte, 8'192> buffer;
    fixed_pool_resource placed(std::span<std::byte>(buffer), config_of(32, 16));
    std::array<void*, 16> all{};
    placed.allocate_batch(all, 32, 8);
    expect(placed.try_allocate(32, 8) == nullptr, "a pool that is exhausted");
    placed.deallocate_batch(all, 32, 8);
}

struct named {
    virtual ~named() = default;
    std::string name = "name";
};

struct padding {
    int number = 1;
};

struct thing : padding, named {
    bool is_acquired = false;
    void on_acquire() { is_acquired = true; }
    void on_release() { is_acquired = false; }
};

template <class Pool>
void check_handles(Pool& pool) {
    auto one = pool.make();
    expect(one->is_acquired && one->name == "name", "an object");
    const object_key key = pool.key_of(one);
    expect(pool.find(key) == one.get(), "a key");
    owned_handle<named> part = std::move(one);
    part.reset();
    expect(pool.find(key) == nullptr, "the key of an object that is gone");
    const shared_handle<thing> shared = pool.make_shared();
    weak_handle<thing> weak = shared;
    {
        const shared_handle<named> another = weak.lock();
        expect(another->name == "name", "a shared object");
    }
    const auto batch = pool.make_batch(3);
    expect(batch.size() == 3 && pool.in_use() == 4, "a batch of objects");
    expect(bool(pool.try_make()), "try_make");
    thing* const raw = pool.make().release();
    expect(pool.adopt(raw)->number == 1, "an object that is adopted");
}

template <class Pool>
void check_pool() {
    const auto config = pool_config::builder().capacity(20).build();
    for (const auto& how :
         {initialization<thing>::lazy(), initialization<thing>::eager([] { return thing(); }),
          initialization<thing>::recycling([] { return thing(); }, [](thing&) {}),
          initialization<thing>::deferred()}) {
        Pool pool(config, how);
        check_handles(pool);
        expect(pool.in_use() == 0, "objects in use");
    }
}

void check_process_pool() {
    check_list(std::list<int, allocator<int>>());
    std::thread([] { check_list(std::list<int, allocator<int>>()); }).join();
    check_list(std::pmr::list<int>(default_resource()));
}

void check_others() {
    page_resource pages;
    limit_resource limit(64 << 20, &pages);
    basic_growing_pool_resource<bitmap_index, counting_statistics> counted(&limit);
    check_list(std::pmr::list<int>(&counted));
    const pool_statistics s = counted.statistics();
    expect(s.allocations == s.deallocations && s.allocations != 0, "statistics");
    statistics_resource watched(std::pmr::new_delete_resource());
    check_list(std::pmr::list<int>(&watched));
    fault_injection_resource faulty(&watched);
    check_list(std::pmr::list<int>(&faulty));
}

}  // namespace

int main() {
    check_resource<growing_pool_resource>();
    check_resource<synchronized_pool_resource>();
    check_resource<lock_free_pool_resource>();
    check_resource<thread_local_pool_resource>();
    check_resource<basic_growing_pool_resource<stack_index>>();
    check_resource<basic_synchronized_pool_resource<free_list_index>>();
    check_fixed();
    check_pool<fixed_pool<thing>>();
    check_pool<growing_pool<thing>>();
    check_pool<thread_local_pool<thing>>();
    check_pool<synchronized_pool<thing>>();
    check_pool<lock_free_pool<thing>>();
    check_process_pool();
    check_others();
    std::puts("ok");
}
