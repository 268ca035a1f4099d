// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

namespace fastalloc::testing {

/// Calls of any global operator new, since the program began. Link counting_new.cpp.
std::size_t operator_new_calls() noexcept;

}  // namespace fastalloc::testing
