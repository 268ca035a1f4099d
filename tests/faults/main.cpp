// SPDX-License-Identifier: MIT
// Usage: faults [ROUNDS]: each round is about 6,000 faults, in worlds with another past.
#include "faults/harness.hpp"
#include "faults/programs.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <iostream>

int main(int argc, char** argv) {
    using namespace fastalloc::testing::faults;
    const int rounds = argc > 1 ? std::atoi(argv[1]) : 1;
    if (rounds < 1) {
        std::cerr << "usage: faults [ROUNDS]\n";
        return 2;
    }
    const bool is_watchful = planted_violations_are_noticed();
    tally t;
    for (int seed = 1; seed <= rounds && t.violations.empty(); ++seed) {
        inject_into_resources(static_cast<unsigned>(seed), t);
        inject_into_object_pools(static_cast<unsigned>(seed), t);
    }
    const std::size_t shown = std::min<std::size_t>(t.violations.size(), 50);
    for (std::size_t i = 0; i != shown; ++i) std::cerr << t.violations[i] << '\n';
    std::cout << t.injected << " faults in " << t.cells << " cells, " << t.violations.size()
              << " violations\n";
    if (!is_watchful) std::cerr << "a planted violation was not noticed\n";
    return is_watchful && t.violations.empty() && t.injected > 1'000 ? 0 : 1;
}
