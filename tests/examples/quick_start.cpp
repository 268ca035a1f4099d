// SPDX-License-Identifier: MIT
#include <fastalloc/fastalloc.hpp>

#include <list>
#include <map>
#include <memory_resource>
#include <string>

int main() {
    // Where a std::pmr::unsynchronized_pool_resource was:
    fastalloc::unsynchronized_pool_resource pool;
    std::pmr::map<int, std::pmr::string> names(&pool);
    names.emplace(1, "a name that is too long for the string's own buffer");

    // Where std::make_unique and std::make_shared were; any thread may use it:
    const auto hundreds = fastalloc::pool_config::builder().capacity(100).build();
    fastalloc::synchronized_pool<std::string> strings(hundreds);
    auto owned = strings.make(80u, 'x');
    auto shared = strings.make_shared("goes home with its last owner");
    fastalloc::weak_handle<std::string> observer = shared;
    if (const auto alive = observer.lock()) owned->append(*alive);

    // Where std::allocator was; any thread may use it:
    std::list<int, fastalloc::allocator<int>> anywhere{1, 2, 3};

    // A thousand slots of 32 bytes, reserved now, for containers that name their allocator:
    const auto config = fastalloc::pool_config::builder().slot_size(32).capacity(1'000).build();
    fastalloc::fixed_pool_resource slots(config);
    using allocator = fastalloc::resource_allocator<int, fastalloc::fixed_pool_resource>;
    std::list<int, allocator> queue(slots);
    queue.push_back(42);
    return slots.in_use() == 1 && pool.in_use() == 2 && strings.in_use() == 2 ? 0 : 1;
}
