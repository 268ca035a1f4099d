// SPDX-License-Identifier: MIT
#include "support/catch.hpp"

#include "../../src/upstream/system_pages.hpp"

#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

namespace fastalloc::detail {

TEST_CASE("each mapping of the process is looked at, the last one too") {
    const auto begins = [] {
        std::vector<std::uintptr_t> all;
        std::ifstream maps("/proc/self/maps");
        for (std::string line; std::getline(maps, line);)
            all.push_back(std::stoull(line, nullptr, 16));
        return all;
    };
    std::vector<std::uintptr_t> seen(begins().size() + 1'000);  // so that none is mapped meanwhile
    std::size_t count = 0;
    visit_page_usage([&](const page_usage& usage) {
        if (count != seen.size()) seen[count++] = reinterpret_cast<std::uintptr_t>(usage.begin);
    });
    seen.resize(count);
    const std::vector<std::uintptr_t> there = begins();
    REQUIRE(count != 0);
    CHECK(seen.front() == there.front());
    CHECK(seen.back() == there.back());
    CHECK(count + 10 > there.size());
}

}  // namespace fastalloc::detail
