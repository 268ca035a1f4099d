// SPDX-License-Identifier: MIT
#include "conformance/growing_fixtures.hpp"

namespace fastalloc::testing {

TEMPLATE_TEST_CASE("lock_free_pool_resource conforms", "", drop_in<lock_free_pool_resource>,
                   single<lock_free_pool_resource>, list<lock_free_pool_resource>) {
    resource_suite<TestType>();
}

TEMPLATE_TEST_CASE("containers work over lock_free_pool_resource", "",
                   drop_in<lock_free_pool_resource>, single<lock_free_pool_resource>) {
    container_suite<TestType>();
}

TEMPLATE_TEST_CASE("lock_free_pool_resource drops in", "", lock_free_pool_resource) {
    drop_in_suite<TestType>();
}

}  // namespace fastalloc::testing
