// SPDX-License-Identifier: MIT
#include "conformance/growing_fixtures.hpp"

namespace fastalloc::testing {

// Each form, and each index once.
TEMPLATE_TEST_CASE("growing_pool_resource conforms", "",
                   drop_in<basic_growing_pool_resource<bitmap_index>>,
                   drop_in<basic_growing_pool_resource<free_list_index>>,
                   drop_in<basic_growing_pool_resource<stack_index>>,
                   single<basic_growing_pool_resource<bitmap_index>>,
                   list<basic_growing_pool_resource<bitmap_index>>) {
    resource_suite<TestType>();
}

TEMPLATE_TEST_CASE("containers work over growing_pool_resource", "",
                   drop_in<basic_growing_pool_resource<bitmap_index>>,
                   single<basic_growing_pool_resource<bitmap_index>>) {
    container_suite<TestType>();
}

TEMPLATE_TEST_CASE("growing_pool_resource drops in", "",
                   basic_growing_pool_resource<bitmap_index>) {
    drop_in_suite<TestType>();
}

}  // namespace fastalloc::testing
