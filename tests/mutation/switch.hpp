// SPDX-License-Identifier: MIT
#pragma once

#include <cstdlib>

/// Which of the mutants that are woven into the library is the one: mutate.py includes this everywhere.

namespace fastalloc_mutation {

static const int selected = [] {
    const char* const number = std::getenv("FASTALLOC_MUTANT");
    return number == nullptr ? 0 : std::atoi(number);
}();

constexpr bool is_selected(int number) noexcept {
    return !__builtin_is_constant_evaluated() && number == selected;
}

}  // namespace fastalloc_mutation

#define FASTALLOC_MUTANT(number) ::fastalloc_mutation::is_selected(number)
