// SPDX-License-Identifier: MIT
#include "life_cycle/static_order.hpp"

namespace static_order {

namespace {

/// Frees, when it is destroyed, what others handed on.
struct heir {
    const early_and_late own{"a"};
    heir() { handed_on().emplace(__LINE__ + 'a', text(200, 'a')); }
    heir(const heir&) = delete;
    heir& operator=(const heir&) = delete;
    ~heir() {
        if (!handed_on().empty()) handed_on().erase(handed_on().begin());
        handed_on().emplace(__LINE__ + 'a', text(300, 'a'));
    }
};

const heir of_a;

}  // namespace

}  // namespace static_order
