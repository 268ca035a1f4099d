// SPDX-License-Identifier: MIT
#include "life_cycle/static_order.hpp"

namespace static_order {

namespace {

const heir of_b("b");

}  // namespace

}  // namespace static_order
