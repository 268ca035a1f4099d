// SPDX-License-Identifier: MIT
#include "support/catch.hpp"

#include "../../src/report/report_writer.hpp"

#include <array>
#include <cstddef>
#include <sstream>
#include <string>

namespace fastalloc::detail {

TEST_CASE("what is appended to a number ends where the room does") {
    number_text text(std::uint64_t{12});
    text.append(" KiB").append(std::string(100, 'a'));
    CHECK(text.view() == "12 KiB" + std::string(34, 'a'));
    CHECK(text.append("b").view().size() == 40);
}

TEST_CASE("a writer pads with as many spaces as are asked for") {
    for (const std::size_t columns : {0u, 1u, 31u, 32u, 33u, 64u, 1'000u}) {
        std::ostringstream out;
        report_writer writer(out);
        writer.write("a");
        writer.pad(columns);
        writer.write("b");
        CHECK(writer.finish() == columns + 2);
        CHECK(out.str() == 'a' + std::string(columns, ' ') + 'b');
    }
}

TEST_CASE("a buffer is filled as far as it goes, and what is missing is counted") {
    std::array<char, 10> buffer{};
    report_writer writer{std::span<char>(buffer)};
    writer.write("0123456", "789ab");
    CHECK(writer.finish() == 12);
    CHECK(std::string(buffer.data(), buffer.size()) == "0123456789");
}

}  // namespace fastalloc::detail
