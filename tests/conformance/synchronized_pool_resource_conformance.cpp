// SPDX-License-Identifier: MIT
#include "conformance/container_suite.hpp"
#include "conformance/drop_in_suite.hpp"
#include "conformance/listed.hpp"
#include "conformance/resource_suite.hpp"

namespace fastalloc::testing {

template <class Index>
struct synchronized_drop_in {
    static constexpr bool serves_larger = true;
    static constexpr bool can_grow = true;
    static bool fits(std::size_t bytes, std::size_t alignment) {
        return smallest_slot(bytes, alignment) <= 4096;
    }
    static std::pmr::memory_resource* upstream_of(std::pmr::memory_resource* u) { return u; }

    explicit synchronized_drop_in(std::pmr::memory_resource* upstream) : resource(upstream) {}
    basic_synchronized_pool_resource<Index> resource;
};

template <class Index>
struct synchronized_single {
    static constexpr listed_class_spec classes[] = {{240, 16, 10}};
    static constexpr bool serves_larger = true;
    static constexpr bool can_grow = true;
    static bool fits(std::size_t bytes, std::size_t alignment) {
        return fits_listed(classes, bytes, alignment);
    }
    static std::pmr::memory_resource* upstream_of(std::pmr::memory_resource* u) { return u; }

    explicit synchronized_single(std::pmr::memory_resource* upstream)
        : resource(configs_of(classes).front(), upstream) {}
    basic_synchronized_pool_resource<Index> resource;
};

template <class Index>
struct synchronized_list {
    static constexpr bool serves_larger = false;
    static constexpr bool can_grow = true;
    static bool fits(std::size_t bytes, std::size_t alignment) {
        return fits_listed(odd_classes, bytes, alignment);
    }
    static std::pmr::memory_resource* upstream_of(std::pmr::memory_resource* u) { return u; }

    explicit synchronized_list(std::pmr::memory_resource* upstream)
        : resource(configs_of(odd_classes, larger_requests::refuse), upstream) {}
    basic_synchronized_pool_resource<Index> resource;
};

TEMPLATE_TEST_CASE("synchronized_pool_resource conforms", "", synchronized_drop_in<bitmap_index>,
                   synchronized_drop_in<free_list_index>, synchronized_drop_in<stack_index>,
                   synchronized_single<bitmap_index>, synchronized_single<free_list_index>,
                   synchronized_single<stack_index>, synchronized_list<bitmap_index>,
                   synchronized_list<free_list_index>, synchronized_list<stack_index>) {
    resource_suite<TestType>();
}

TEMPLATE_TEST_CASE("containers work over synchronized_pool_resource", "",
                   synchronized_drop_in<bitmap_index>, synchronized_drop_in<free_list_index>,
                   synchronized_drop_in<stack_index>, synchronized_single<bitmap_index>) {
    container_suite<TestType>();
}

TEMPLATE_TEST_CASE("synchronized_pool_resource drops in", "",
                   basic_synchronized_pool_resource<bitmap_index>,
                   basic_synchronized_pool_resource<free_list_index>,
                   basic_synchronized_pool_resource<stack_index>) {
    drop_in_suite<TestType>();
}

}  // namespace fastalloc::testing
