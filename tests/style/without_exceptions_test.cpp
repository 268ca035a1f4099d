// SPDX-License-Identifier: MIT
// Compiled without exceptions and without RTTI, linked with a library that has both.
#include <fastalloc/fastalloc.hpp>

#include <cstdio>
#include <list>
#include <memory_resource>

#if defined(__cpp_exceptions) || defined(__cpp_rtti)
#error "this program is to be compiled without exceptions and RTTI"
#endif

namespace {

template <class List>
bool holds_what_was_put_in(List list) {
    constexpr int count = 1'000;
    for (int i = 0; i != count; ++i) list.push_back(i);
    list.remove_if([](int i) { return i % 2 != 0; });
    int expected = 0;
    for (int i : list) {
        if (i != expected) return false;
        expected += 2;
    }
    return expected == count;
}

}  // namespace

int main() {
    fastalloc::growing_pool_resource resource;
    using allocator = fastalloc::resource_allocator<int, fastalloc::growing_pool_resource>;
    if (!holds_what_was_put_in(std::list<int, allocator>(resource))) return 1;
    if (!holds_what_was_put_in(std::pmr::list<int>(&resource))) return 2;
    if (resource.in_use() != 0) return 3;
    std::puts("ok");
}
