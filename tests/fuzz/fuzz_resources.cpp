// SPDX-License-Identifier: MIT
#include "fuzz/findings.hpp"
#include "fuzz/run_input.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static fastalloc::fuzz::tallies counts{};
    try {
        fastalloc::fuzz::run_input({data, size}, counts);
    } catch (const fastalloc::fuzz::violation& v) {
        std::fprintf(stderr, "violation: %s\n", v.what());
        std::abort();
    }
    return 0;
}
