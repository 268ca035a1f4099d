// SPDX-License-Identifier: MIT
#include <fastalloc/detail/build.hpp>

namespace fastalloc {

// In the inline namespace that is named after the checks.
const char detail::library_has_these_checks = 0;

}  // namespace fastalloc
