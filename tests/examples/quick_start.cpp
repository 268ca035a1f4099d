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

    // Where std::allocator was; any thread may use it:
    std::list<int, fastalloc::allocator<int>> anywhere{1, 2, 3};

    // A thousand slots of 32 bytes, reserved now, for containers that name their allocator:
    const auto config = fastalloc::pool_config::builder().slot_size(32).capacity(1'000).build();
    fastalloc::fixed_pool_resource slots(config);
    using allocator = fastalloc::resource_allocator<int, fastalloc::fixed_pool_resource>;
    std::list<int, allocator> queue(slots);
    queue.push_back(42);
    return slots.in_use() == 1 && pool.in_use() == 2 ? 0 : 1;
}
