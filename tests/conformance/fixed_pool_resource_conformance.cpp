// SPDX-License-Identifier: MIT
#include "conformance/container_suite.hpp"
#include "conformance/listed.hpp"
#include "conformance/resource_suite.hpp"

#include <cstddef>
#include <vector>

namespace fastalloc::testing {

inline constexpr listed_class_spec one_class[] = {{640, 128, 5'000}};

template <class Index>
struct fixed_single {
    static constexpr bool serves_larger = false;
    static constexpr bool can_grow = false;
    static bool fits(std::size_t bytes, std::size_t alignment) {
        return fits_listed(one_class, bytes, alignment);
    }
    static std::pmr::memory_resource* upstream_of(std::pmr::memory_resource* u) { return u; }
    static std::size_t capacity_of_each_class() { return 5'000; }

    explicit fixed_single(std::pmr::memory_resource* upstream)
        : resource(configs_of(one_class).front(), upstream) {}
    basic_fixed_pool_resource<Index> resource;
};

template <class Index>
struct fixed_list {
    static constexpr bool serves_larger = true;
    static constexpr bool can_grow = false;
    static bool fits(std::size_t bytes, std::size_t alignment) {
        return fits_listed(odd_classes, bytes, alignment);
    }
    static std::pmr::memory_resource* upstream_of(std::pmr::memory_resource* u) { return u; }
    static std::size_t capacity_of_each_class() { return 4'000; }

    explicit fixed_list(std::pmr::memory_resource* upstream)
        : resource(configs_of(odd_classes, larger_requests::to_upstream), upstream) {}
    basic_fixed_pool_resource<Index> resource;
};

template <class Index>
struct fixed_in_buffer {
    static constexpr bool serves_larger = false;
    static constexpr bool can_grow = false;
    static bool fits(std::size_t bytes, std::size_t alignment) {
        return fits_listed(one_class, bytes, alignment);
    }
    static std::pmr::memory_resource* upstream_of(std::pmr::memory_resource*) {
        return std::pmr::null_memory_resource();
    }
    static std::size_t capacity_of_each_class() { return 5'000; }

    explicit fixed_in_buffer(std::pmr::memory_resource*) : resource(buffer, config) {}
    pool_config config = configs_of(one_class).front();
    std::vector<std::byte> buffer =
        std::vector<std::byte>(basic_fixed_pool_resource<Index>::required_bytes(config));
    basic_fixed_pool_resource<Index> resource;
};

// Each form, and each index once.
TEMPLATE_TEST_CASE("fixed_pool_resource conforms", "", fixed_single<bitmap_index>,
                   fixed_single<free_list_index>, fixed_single<stack_index>,
                   fixed_list<bitmap_index>, fixed_in_buffer<bitmap_index>) {
    resource_suite<TestType>();
}

TEMPLATE_TEST_CASE("containers work over fixed_pool_resource", "", fixed_list<bitmap_index>) {
    container_suite<TestType>();
}

}  // namespace fastalloc::testing
