// SPDX-License-Identifier: MIT
// A program of somebody else's, which uses the library as it is installed or as a subproject.
#include <fastalloc/fastalloc.hpp>

#include <cstdio>
#include <list>
#include <memory_resource>
#include <numeric>

template <class List>
bool sums_up(List list) {
    for (int i = 1; i <= 1'000; ++i) list.push_back(i);
    return std::accumulate(list.begin(), list.end(), 0) == 500'500;
}

int main() {
    fastalloc::growing_pool_resource resource;
    using allocator = fastalloc::resource_allocator<int, fastalloc::growing_pool_resource>;
    if (!sums_up(std::pmr::list<int>(&resource))) return 1;
    if (!sums_up(std::list<int, allocator>(resource))) return 2;
    if (resource.in_use() != 0 || resource.capacity() < 1'000) return 3;

    // An exception of the library is caught outside it.
    const auto config = fastalloc::pool_config::builder().slot_size(64).capacity(1).build();
    fastalloc::fixed_pool_resource fixed(config);
    void* const only = fixed.allocate(64);
    bool exhausted = false;
    try {
        fixed.deallocate(fixed.allocate(64), 64);
    } catch (const fastalloc::pool_exhausted&) {
        exhausted = true;
    }
    fixed.deallocate(only, 64);
    if (!exhausted) return 4;
    std::puts("ok");
}
