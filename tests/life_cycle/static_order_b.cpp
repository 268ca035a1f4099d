// SPDX-License-Identifier: MIT
#include "life_cycle/static_order.hpp"

namespace static_order {

namespace {

/// Frees, when it is destroyed, what others handed on.
struct heir {
    const early_and_late own{"b"};
    heir() { handed_on().emplace(__LINE__ + 'b', text(200, 'b')); }
    heir(const heir&) = delete;
    heir& operator=(const heir&) = delete;
    ~heir() {
        if (!handed_on().empty()) handed_on().erase(handed_on().begin());
        handed_on().emplace(__LINE__ + 'b', text(300, 'b'));
    }
};

const heir of_b;

}  // namespace

}  // namespace static_order
