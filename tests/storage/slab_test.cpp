// SPDX-License-Identifier: MIT
#include "support/catch.hpp"

#include <fastalloc/detail/machine.hpp>
#include <fastalloc/storage/slab.hpp>

#include <cstddef>
#include <vector>

namespace fastalloc::detail {

TEST_CASE("pages are touched as far as the bytes go") {
    constexpr std::byte untouched{0xff};
    std::vector<std::byte> memory(3 * page, untouched);
    touch_pages(memory.data(), 0);
    CHECK(memory[0] == untouched);
    touch_pages(memory.data() + 1, 1);
    CHECK(memory[0] == untouched);
    CHECK(memory[1] == std::byte{0});
    CHECK(memory[2] == untouched);

    // The last byte is on a page that no whole number of pages leads to.
    memory.assign(memory.size(), untouched);
    const std::size_t bytes = page + 10;
    touch_pages(memory.data(), bytes);
    CHECK(memory[0] == std::byte{0});
    CHECK(memory[page] == std::byte{0});
    CHECK(memory[bytes - 2] == untouched);
    CHECK(memory[bytes - 1] == std::byte{0});
    CHECK(memory[bytes] == untouched);
}

}  // namespace fastalloc::detail
