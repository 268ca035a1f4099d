// SPDX-License-Identifier: MIT
#include "conformance/object_pool_suite.hpp"

namespace fastalloc::testing {

TEMPLATE_TEST_CASE("typed pools conform", "", fixed, growing, thread_local_, synchronized,
                   lock_free) {
    object_pool_suite<TestType>();
}

}  // namespace fastalloc::testing
