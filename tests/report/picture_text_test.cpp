// SPDX-License-Identifier: MIT
#include "slots.hpp"
#include "support/catch.hpp"

#include <fastalloc/report/occupancy_picture.hpp>

#include <cstddef>
#include <iomanip>
#include <locale>
#include <sstream>
#include <string>
#include <vector>

namespace fastalloc::testing {

namespace {

std::string text_of(const occupancy& o, const text_picture_options& options = {}) {
    std::ostringstream out;
    write_picture_text(out, o, options);
    return out.str();
}

std::vector<std::string> lines_of(const occupancy& o, const text_picture_options& options = {}) {
    std::istringstream text(text_of(o, options));
    std::vector<std::string> lines;
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    return lines;
}

/// The lines that begin with `prefix`, without it.
std::vector<std::string> lines_after(const std::string& prefix, const occupancy& o,
                                     const text_picture_options& options = {}) {
    std::vector<std::string> found;
    for (const std::string& line : lines_of(o, options)) {
        if (line.starts_with(prefix)) found.push_back(line.substr(prefix.size()));
    }
    return found;
}

/// Columns, of UTF-8 text of characters that are one column wide.
std::size_t columns(const std::string& line) {
    std::size_t n = 0;
    for (const char c : line) n += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    return n;
}

occupancy slabs_of_one_slot(std::size_t n, std::size_t slot_size = 8) {
    occupancy o;
    for (std::size_t i = 0; i != n; ++i) {
        drawn_slab{0x1000 * (i + 1), slot_size, i % 2 == 0 ? "L" : "."}.visit_slots(
            [&](const visited_slot& slot) { o.add(slot); });
    }
    return o;
}

using strings = std::vector<std::string>;

}  // namespace

TEST_CASE("text says what there is, and shows each slot where there is room") {
    const occupancy o =
        drawn({{0x1000, 64, "LLc."}, {0x20000, 64, "L......."}, {0x30000, 96, "c"}});
    CHECK(text_of(o) ==
          "what is where\n"
          "3 slabs, 13 slots, 864 B, fragmentation 75.0 %\n"
          "█  live             3 slots    23.1 %         192 B\n"
          "░  cached           2 slots    15.4 %         160 B\n"
          "·  free             8 slots    61.5 %         512 B\n"
          "▁ to ▇: live in part, in eighths; ░ also: none live, and some cached\n"
          "\n"
          "64 B slots: 2 slabs, 12 slots, 768 B, fragmentation 75.0 %\n"
          "3 live (25.0 %), 1 cached (8.3 %), 8 free (66.7 %)\n"
          "a cell is 1 slot, 64 B\n"
          "0x1000  ██░·      50.0 % live\n"
          "0x20000 █·······  12.5 % live\n"
          "\n"
          "96 B slots: 1 slab, 1 slot, 96 B, fragmentation 0 %\n"
          "0 live (0 %), 1 cached (100 %), 0 free (0 %)\n"
          "a cell is 1 slot, 96 B\n"
          "0x30000 ░     0 % live\n");
}

TEST_CASE("text of nothing says so") {
    CHECK(text_of({}) ==
          "what is where\n"
          "0 slabs, 0 slots, 0 B, fragmentation 0 %\n"
          "█  live             0 slots       0 %           0 B\n"
          "░  cached           0 slots       0 %           0 B\n"
          "·  free             0 slots       0 %           0 B\n"
          "▁ to ▇: live in part, in eighths; ░ also: none live, and some cached\n");
}

TEST_CASE("a cell of several slots shows how many are live") {
    std::string slots;
    for (std::size_t live = 0; live <= 8; ++live) {
        slots += std::string(live, 'L') + std::string(8 - live, '.');
    }
    slots += ".......cLLLLcccc";
    const occupancy o = drawn({{0x1000, 16, slots}});
    text_picture_options options;
    options.width = 7 + 11 + 13;
    CHECK(lines_after("a cell is ", o, options) == strings{"8 slots, 128 B"});
    CHECK(lines_after("0x1000 ", o, options) == strings{"·▁▂▃▄▅▆▇█░▄  45.5 % live"});
    options.ascii = true;
    CHECK(lines_after("0x1000 ", o, options) == strings{".2345789#c5  45.5 % live"});
}

TEST_CASE("one live slot of many shows, and so does one that is not") {
    const std::string one = "L" + std::string(999, '.');
    const std::string all_but_one = "." + std::string(999, 'L');
    const occupancy o = drawn({{0x1000, 16, one + all_but_one + times(6, std::string(1000, 'c'))}});
    text_picture_options options;
    options.width = 0;
    CHECK(lines_after("0x1000 ", o, options) == strings{"▁▇░░░░░░  12.5 % live"});
    options.ascii = true;
    CHECK(lines_after("0x1000 ", o, options) == strings{"19cccccc  12.5 % live"});
}

TEST_CASE("shares are not rounded to none or all") {
    const occupancy few = drawn({{0x1000, 8, "L" + std::string(9'999, '.')}});
    const occupancy most = drawn({{0x1000, 8, "." + std::string(9'999, 'L')}});
    CHECK(lines_after("1 live", few) == strings{" (<0.1 %), 0 cached (0 %), 9,999 free (>99.9 %)"});
    CHECK(lines_after("9,999 live", most) ==
          strings{" (>99.9 %), 0 cached (0 %), 1 free (<0.1 %)"});
    CHECK(lines_after("8 B slots: 1 slab, 10,000 slots, ", few) ==
          strings{"78.1 KiB, fragmentation >99.9 %"});
}

TEST_CASE("rows are as wide as asked for at most") {
    const occupancy o = drawn({{0x1000, 16, std::string(10'000, 'L')}, {0x900000, 16, "L"}});
    for (const std::size_t width : {40u, 80u, 81u, 120u, 1'000u}) {
        text_picture_options options;
        options.width = width;
        const strings lines = lines_of(o, options);
        CAPTURE(width);
        CHECK(columns(lines.back()) == columns(lines[lines.size() - 2]));
        CHECK(columns(lines.back()) <= width);
        CHECK(columns(lines.back()) > width * 3 / 4);
    }
    text_picture_options none;
    none.width = 0;
    CHECK(lines_after("0x1000   ", o, none) == strings{"████████   100 % live"});
}

TEST_CASE("text has the title that it is given, and no line for none") {
    text_picture_options options;
    options.title = "my <pool>";
    CHECK(lines_of({}, options)[0] == "my <pool>");
    options.title = "";
    CHECK(lines_of({}, options)[0] == "0 slabs, 0 slots, 0 B, fragmentation 0 %");
}

TEST_CASE("text has addresses or numbers") {
    text_picture_options options;
    CHECK(lines_after("0x", slabs_of_one_slot(2)).size() == 2);
    CHECK(lines_after("slab ", slabs_of_one_slot(2)).empty());
    options.addresses = false;
    CHECK(lines_after("0x", slabs_of_one_slot(2), options).empty());
    CHECK(lines_after("slab ", slabs_of_one_slot(2), options) ==
          strings{"1 █   100 % live", "2 ·     0 % live"});
}

TEST_CASE("text is of ASCII and without escapes if wanted") {
    const occupancy o = drawn({{0x1000, 64, "LLc.L" + std::string(1000, 'c')}});
    text_picture_options options;
    CHECK(text_of(o, options).find('\x1b') == std::string::npos);
    options.ascii = true;
    for (const char c : text_of(o, options)) REQUIRE(((c >= ' ' && c <= '~') || c == '\n'));
}

TEST_CASE("colours tell what is cached, begin where they change, and end with the row") {
    text_picture_options options;
    options.colour = true;
    options.ascii = true;
    options.addresses = false;
    CHECK(lines_after("slab 1 ", drawn({{0x1000, 8, "LLc.."}}), options) ==
          strings{"\x1b[0;94m##\x1b[0;33mc\x1b[0;90m..\x1b[0m  40.0 % live"});
    options.width = 0;
    const occupancy mixed = drawn({{0x1000, 8, times(4, "LccLc.") + times(4, "LLLLLL")}});
    CHECK(lines_after("slab 1 ", mixed, options) ==
          strings{"\x1b[0;94;43m4444\x1b[0;94m####\x1b[0m  66.7 % live"});
    CHECK(lines_of({}, options)[2].starts_with("\x1b[0;94m#\x1b[0m  live"));
    CHECK(lines_of({}, options)[3].starts_with("\x1b[0;33mc\x1b[0m  cached"));
    CHECK(lines_of({}, options)[4].starts_with("\x1b[0;90m.\x1b[0m  free"));
}

TEST_CASE("more slabs than rows share them, and none is left out") {
    text_picture_options options;
    options.addresses = false;
    options.max_rows = 4;
    CHECK(lines_after("slab", slabs_of_one_slot(4), options).size() == 4);
    CHECK(lines_after("slabs ", slabs_of_one_slot(11), options) ==
          strings{"1-3   █·█  66.7 % live", "4-6   ·█·  33.3 % live", "7-9   █·█  66.7 % live",
                  "10-11 ·█   50.0 % live"});
    CHECK(lines_after("a cell is ", slabs_of_one_slot(11), options) ==
          strings{"1 slot, 8 B; a row is 3 slabs"});
    CHECK(lines_after("slab", slabs_of_one_slot(41)).empty());
    CHECK(lines_after("0x", slabs_of_one_slot(40)).size() == 40);
    CHECK(lines_after("0x", slabs_of_one_slot(41)).size() == 21);
}

TEST_CASE("slot sizes share the rows, and each has one at least") {
    occupancy o = slabs_of_one_slot(2, 8);
    for (const std::size_t size : {16u, 24u}) {
        for (std::size_t i = 0; i != 50; ++i) {
            drawn_slab{0x1000 * (i + 1), size, "L"}.visit_slots(
                [&](const visited_slot& slot) { o.add(slot); });
        }
    }
    text_picture_options options;
    options.max_rows = 22;
    CHECK(lines_after("0x", o, options).size() == 2 + 10 + 10);
    options.max_rows = 0;
    CHECK(lines_after("0x", o, options).size() == 3);
    options.max_rows = 102;
    CHECK(lines_after("0x", o, options).size() == 102);
}

TEST_CASE("a cell may reach from one slab into the next of its row") {
    text_picture_options options;
    options.addresses = false;
    options.max_rows = 1;
    options.width = 0;
    const occupancy o = drawn({{0x1000, 8, std::string(9, 'L')}, {0x2000, 8, std::string(7, '.')}});
    CHECK(lines_after("slabs 1-2 ", o, options) == strings{"████▄···  56.3 % live"});
}

TEST_CASE("sizes have units") {
    const auto size_of = [](std::size_t slot_size, const std::string& slots) {
        const std::string line = lines_of(drawn({{0x1000, slot_size, slots}}))[1];
        const std::string begin = "1 slab, 1 slot, ";
        return line.substr(begin.size(), line.rfind(',') - begin.size());
    };
    CHECK(size_of(1'023, "L") == "1,023 B");
    CHECK(size_of(1'024, "L") == "1 KiB");
    CHECK(size_of(1'536, "L") == "1.5 KiB");
    CHECK(size_of(1'025, "L") == "1.0 KiB");
    CHECK(size_of((1 << 20) - 1, "L") == "1.0 MiB");
    CHECK(size_of((1 << 20) - 103, "L") == "1,023.9 KiB");
    CHECK(size_of(3 << 20, "L") == "3 MiB");
    CHECK(size_of(std::size_t{5} << 30, "L") == "5 GiB");
    CHECK(size_of(std::size_t{7} << 40, "L") == "7 TiB");
    CHECK(size_of(std::size_t{1} << 60, "L") == "1,048,576 TiB");
}

TEST_CASE("text does not depend on how the stream writes numbers") {
    struct grouping : std::numpunct<char> {
        char do_thousands_sep() const override { return '\''; }
        std::string do_grouping() const override { return "\1"; }
    };
    const occupancy o = drawn({{0x1000, 64, std::string(1'000, 'L')}});
    std::ostringstream out;
    out.imbue(std::locale(std::locale::classic(), new grouping));
    out << std::hex << std::setw(1'000);
    write_picture_text(out, o);
    CHECK(out.str() == text_of(o));
}

}  // namespace fastalloc::testing
