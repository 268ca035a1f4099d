// SPDX-License-Identifier: MIT
#include "slots.hpp"
#include "support/catch.hpp"

#include <fastalloc/report/occupancy_picture.hpp>

#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <iomanip>
#include <iterator>
#include <map>
#include <random>
#include <regex>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace fastalloc::testing {

namespace {

std::string svg_of(const occupancy& o, const svg_picture_options& options = {}) {
    std::ostringstream out;
    write_picture_svg(out, o, options);
    return out.str();
}

/// What is wrong with a document; empty if it is well-formed, as far as ours can fail to be.
std::string malformed(const std::string& document) {
    std::vector<std::string> open;
    std::size_t at = document.find("?>");
    if (!document.starts_with("<?xml ") || at == std::string::npos) return "no declaration";
    static const std::regex tag(
        R"(<(/?)([a-z]+)((?: [a-z:-]+='[^'<&]*'| [a-zA-Z]+='[^'<&]*')*)(/?)>|([^<]+))");
    static const std::regex bad_text(R"(&(?!(amp|lt|gt|quot|apos);)|[\x01-\x08\x0b-\x1f])");
    for (std::sregex_iterator
             i(document.begin() + static_cast<std::ptrdiff_t>(at) + 2, document.end(), tag),
         last;
         i != last; ++i) {
        if (!i->prefix().str().empty()) return "no markup: " + i->prefix().str().substr(0, 80);
        if ((*i)[5].matched) {
            if (std::regex_search((*i)[5].first, (*i)[5].second, bad_text)) return (*i)[5].str();
        } else if ((*i)[1].length() != 0) {
            if (open.empty() || open.back() != (*i)[2].str()) return "ends: " + (*i)[2].str();
            open.pop_back();
        } else if ((*i)[4].length() == 0) {
            open.push_back((*i)[2].str());
        }
        at = static_cast<std::size_t>(i->position()) + static_cast<std::size_t>(i->length());
    }
    return open.empty() ? "" : "does not end: " + open.back();
}

bool has_text(const std::string& document, const std::string& text) {
    return document.find('>' + text + "</text>") != std::string::npos;
}

/// A row: what it says when pointed at, and how many pixels it has of each colour.
struct drawn_row {
    std::string tip;
    std::map<std::string, std::size_t> pixels;
    std::size_t width = 0;  // where the last run ends
    std::size_t sum = 0;    // of all runs
};

std::vector<drawn_row> rows_of(const std::string& document) {
    static const std::regex row_markup(
        R"(<g [^>]*>\n<title>([^<]*)</title>\n((?:<path[^>]*>\n)*)</g>)");
    static const std::regex path_markup(R"(<path stroke='(#[0-9a-f]{6})' d='([^']*)'/>)");
    static const std::regex run(R"(m(\d+) 0h(\d+))");
    std::vector<drawn_row> rows;
    const std::sregex_iterator last;
    for (std::sregex_iterator r(document.begin(), document.end(), row_markup); r != last; ++r) {
        drawn_row& row = rows.emplace_back();
        row.tip = (*r)[1];
        const std::string paths = (*r)[2];
        for (std::sregex_iterator p(paths.begin(), paths.end(), path_markup); p != last; ++p) {
            std::size_t x = 0;
            const std::string d = (*p)[2];
            for (std::sregex_iterator i(d.begin(), d.end(), run); i != last; ++i) {
                const std::size_t length = std::stoul((*i)[2]);
                x += std::stoul((*i)[1]) + length;
                row.pixels[(*p)[1]] += length;
                row.sum += length;
                row.width = std::max(row.width, x);
            }
        }
    }
    return rows;
}

const std::string live = "#0072b2";
const std::string cached = "#e69f00";
const std::string free_ = "#dde0e4";

using pixels = std::map<std::string, std::size_t>;

occupancy random_slabs(std::size_t slabs, std::size_t slots, std::size_t longest_run) {
    std::mt19937 random(1);
    occupancy o;
    for (std::size_t i = 0; i != slabs; ++i) {
        std::string states;
        while (states.size() < slots) {
            states.append(1 + random() % longest_run, "LLLLLc...."[random() % 10]);
        }
        states.resize(slots);
        drawn_slab{0x10000000 * (i + 1), 64, states}.visit_slots(
            [&](const visited_slot& slot) { o.add(slot); });
    }
    return o;
}

}  // namespace

TEST_CASE("the check of documents finds what is wrong with one") {
    const std::string begin = "<?xml version='1.0'?>\n";
    CHECK(malformed(begin + "<a b='c'><d/>e &amp; f</a>\n") == "");
    CHECK(malformed("<a></a>") != "");
    CHECK(malformed(begin + "<a>") != "");
    CHECK(malformed(begin + "<a></b>") != "");
    CHECK(malformed(begin + "<a b='<'></a>") != "");
    CHECK(malformed(begin + "<a b=1></a>") != "");
    CHECK(malformed(begin + "<a>b & c</a>") != "");
    CHECK(malformed(begin + "<a>\x01</a>") != "");
}

TEST_CASE("a document is well-formed and stands alone") {
    for (const occupancy& o :
         {occupancy(), drawn({{0x1000, 8, "L"}}), drawn({{0x1000, 8, "Lc."}, {0x2000, 48, "."}}),
          random_slabs(3, 1'000, 5), random_slabs(30, 10, 5), random_slabs(200, 10, 5)}) {
        const std::string document = svg_of(o);
        REQUIRE(malformed(document) == "");
        CHECK(document.find("<svg xmlns='http://www.w3.org/2000/svg' version='1.1' width='900' ") !=
              std::string::npos);
        CHECK(document.find("href") == std::string::npos);
        CHECK(document.find("script") == std::string::npos);
        CHECK(document.find("fill='#fff'/>") != std::string::npos);
    }
}

TEST_CASE("a document says what there is") {
    const std::string document =
        svg_of(drawn({{0x1000, 64, "LLc."}, {0x20000, 64, "L......."}, {0x30000, 96, "c"}}));
    CHECK(document.find("<title>what is where</title>") != std::string::npos);
    CHECK(has_text(document, "what is where"));
    CHECK(has_text(document, "3 slabs, 13 slots, 864 B, fragmentation 75.0 %"));
    CHECK(has_text(document,
                   "Fragmentation: the share of memory that is not live, in the 2 slabs "
                   "that cannot go back to upstream because a slot is live."));
    for (const char* text : {"live", "3 slots", "23.1 %", "192 B"}) CHECK(has_text(document, text));
    for (const char* text : {"cached", "2 slots", "15.4 %", "160 B"}) {
        CHECK(has_text(document, text));
    }
    for (const char* text : {"free", "8 slots", "61.5 %", "512 B"}) CHECK(has_text(document, text));
    for (const std::string& colour : {live, cached, free_}) {
        CHECK(document.find("height='12' fill='" + colour + "'/>") != std::string::npos);
    }
    CHECK(has_text(document, "64 B slots: 2 slabs, 12 slots, 768 B"));
    CHECK(has_text(document, "fragmentation 75.0 %"));
    CHECK(has_text(document,
                   "3 live (25.0 %), 1 cached (8.3 %), 8 free (66.7 %); "
                   "a cell is 1 slot, 64 B"));
    CHECK(has_text(document, "96 B slots: 1 slab, 1 slot, 96 B"));
    CHECK(has_text(document, "fragmentation 0 %"));
    CHECK(has_text(document, "slab 2"));
    CHECK(has_text(document, "12.5 % live"));
    CHECK(has_text(document, "slots (size)"));
    CHECK(has_text(document, "5 (320 B)"));
    CHECK(has_text(document, "1 (96 B)"));
}

TEST_CASE("an axis has round numbers of slots at its ticks, where they are") {
    std::string document = svg_of(drawn({{0x1000, 64, std::string(40, 'L')}}));
    const auto is_at = [&](std::size_t x, const std::string& label) {
        const std::regex text("<text x='" + std::to_string(x) + "' y='[0-9]+'[^>]*>" + label +
                              "</text>");
        return std::regex_search(document, text);
    };
    CHECK(is_at(124, "0"));
    CHECK(is_at(124 + 10 * 16, "10 \\(640 B\\)"));
    CHECK(is_at(124 + 20 * 16, "20 \\(1.3 KiB\\)"));
    CHECK(is_at(124 + 40 * 16, "40 \\(2.5 KiB\\)"));
    document = svg_of(drawn({{0x1000, 8, std::string(115'000, 'L')}}));
    CHECK(has_text(document,
                   "115,000 live (100 %), 0 cached (0 %), 0 free (0 %); "
                   "a cell is 500 slots, 3.9 KiB"));
    CHECK(is_at(124 + 3 * 100, "50,000 \\(390.6 KiB\\)"));
    CHECK(is_at(124 + 3 * 200, "100,000 \\(781.3 KiB\\)"));
}

TEST_CASE("where no slab is held, fragmentation needs no words") {
    CHECK(svg_of(drawn({{0x1000, 64, "c."}})).find("Fragmentation:") == std::string::npos);
}

TEST_CASE("each slot has its colour, and a row the length of its slabs") {
    const std::string document =
        svg_of(drawn({{0x1000, 64, "LLc."}, {0x20000, 64, "L.LL...."}, {0x30000, 96, "c"}}));
    const std::vector<drawn_row> rows = rows_of(document);
    REQUIRE(rows.size() == 3);
    CHECK(rows[0].pixels == pixels{{live, 32}, {cached, 16}, {free_, 16}});
    CHECK(rows[0].width == 64);
    CHECK(rows[1].pixels == pixels{{live, 48}, {free_, 80}});
    CHECK(rows[1].width == 128);
    CHECK(rows[2].pixels == pixels{{cached, 16}});
    // One line for each run of equal slots, which begins where the run before it ends.
    CHECK(document.find("<path stroke='" + live + "' d='m0 0h16m16 0h32'/>") != std::string::npos);
    CHECK(document.find("<path stroke='" + free_ + "' d='m16 0h16m32 0h64'/>") !=
          std::string::npos);
    CHECK(document.find("stroke-dasharray='15 1'") != std::string::npos);
    // What is said of a row stands 8 to the right of its end, and begins 124 from the left.
    const std::regex label("<text x='(\\d+)' [^>]*>[\\d.]+ % live<");
    std::vector<std::string> places;
    const std::sregex_iterator last;
    for (std::sregex_iterator l(document.begin(), document.end(), label); l != last; ++l) {
        places.push_back((*l)[1]);
    }
    CHECK(places == std::vector<std::string>{"196", "260", "148"});
}

TEST_CASE("runs add up to their row, which fits") {
    for (const std::size_t slots : {1u, 43u, 44u, 230u, 231u, 460u, 461u, 1'000u, 99'999u}) {
        CAPTURE(slots);
        const std::vector<drawn_row> rows = rows_of(svg_of(random_slabs(3, slots, 7)));
        REQUIRE(rows.size() == 3);
        for (const drawn_row& row : rows) {
            CHECK(row.sum == row.width);
            CHECK(row.width == rows[0].width);
            CHECK(row.width <= 690);
            CHECK((slots < 44 || row.width > 690 * 2 / 3));
        }
    }
}

TEST_CASE("a cell of several slots has the colour between") {
    const auto colour_of = [](const std::string& cell) {
        const std::vector<drawn_row> rows = rows_of(svg_of(drawn({{0x1000, 8, times(230, cell)}})));
        REQUIRE(rows.size() == 1);
        REQUIRE(rows[0].pixels.size() == 1);
        return rows[0].pixels.begin()->first;
    };
    CHECK(colour_of("LLLL") == live);
    CHECK(colour_of("cccc") == cached);
    CHECK(colour_of("....") == free_);
    CHECK(colour_of("LL..") == "#6fa9cb");
    CHECK(colour_of("LLcc") == "#738959");
    CHECK(colour_of("L...") != colour_of("LL.."));
    CHECK(colour_of("cc..") == "#e2c072");
    CHECK(colour_of("LLc.") == "#719992");
    // What there is shows, however little.
    CHECK(colour_of("L" + std::string(99, '.')) == colour_of("L..."));
    CHECK(colour_of("." + std::string(99, 'L')) == colour_of(".LLL"));
    CHECK(colour_of("c" + std::string(99, '.')) == colour_of("c..."));
    CHECK(colour_of("." + std::string(99, 'c')) == colour_of(".ccc"));
    CHECK(colour_of("Lc" + std::string(98, '.')) == colour_of("Lc.."));
    CHECK(colour_of("c." + std::string(98, 'L')) == colour_of("c.LL"));
    CHECK(colour_of("L." + std::string(98, 'c')) == colour_of("L.cc"));
}

TEST_CASE("what mixed colours mean is said where there are any") {
    const std::string said = "A cell of several slots has the colour between.";
    CHECK(has_text(svg_of(random_slabs(1, 231, 3)), said));
    CHECK_FALSE(has_text(svg_of(random_slabs(1, 230, 3)), said));
}

TEST_CASE("more slabs than rows of a document share them, and none is left out") {
    const occupancy o = random_slabs(1'001, 10, 3);
    svg_picture_options options;
    const std::vector<drawn_row> hundred = rows_of(svg_of(o, options));
    CHECK(hundred.size() == 91);
    CHECK(svg_of(o, options).find("; a row is 11 slabs</text>") != std::string::npos);
    options.max_rows = 2;
    const std::string document = svg_of(o, options);
    const std::vector<drawn_row> rows = rows_of(document);
    REQUIRE(rows.size() == 2);
    CHECK(rows[0].tip.starts_with("slabs 1-501 at 0x10000000: 5,010 slots, "));
    CHECK(rows[1].tip.starts_with("slabs 502-1,001 at 0x1f60000000: 5,000 slots, "));
    CHECK(has_text(document, "slabs 502-1,001"));
    options.max_rows = 0;
    CHECK(rows_of(svg_of(o, options)).size() == 1);
}

TEST_CASE("the more rows there are, the lower they are, and the fewer have a label") {
    const auto check_rows = [](std::size_t rows, int height, int pitch, std::size_t labels) {
        const std::string document = svg_of(random_slabs(rows, 10, 3));
        const std::regex markup("translate\\(124 (\\d+)\\)' [^>]*stroke-width='(\\d+)'");
        const std::regex label("<text x='116' [^>]*>slab \\d+<");
        const std::sregex_iterator first(document.begin(), document.end(), markup);
        const std::sregex_iterator last;
        CAPTURE(rows);
        CHECK(static_cast<std::size_t>(std::distance(first, last)) == rows);
        int y = std::stoi((*first)[1]) - pitch;
        for (auto row = first; row != last; ++row) {
            CHECK(std::stoi((*row)[1]) == (y += pitch));
            CHECK(std::stoi((*row)[2]) == height);
        }
        const std::sregex_iterator labelled(document.begin(), document.end(), label);
        CHECK(static_cast<std::size_t>(std::distance(labelled, last)) == labels);
    };
    check_rows(16, 14, 18, 16);
    check_rows(17, 10, 12, 9);
    check_rows(40, 10, 12, 20);
    check_rows(41, 4, 5, 9);
}

TEST_CASE("numbers that do not fit beside a row are shortened") {
    const std::string document = svg_of(random_slabs(20'000, 1, 1));
    CHECK(has_text(document, "slabs 9,001-9,200"));
    CHECK(has_text(document, "from 10,001"));
}

TEST_CASE("rows say where they are, unless addresses are not wanted") {
    const occupancy o = drawn({{0x1000, 64, "LLc."}});
    svg_picture_options options;
    CHECK(rows_of(svg_of(o, options))[0].tip ==
          "slab 1 at 0x1000: 4 slots, 2 live (50.0 %), 1 cached (25.0 %), 1 free (25.0 %)");
    options.addresses = false;
    CHECK(rows_of(svg_of(o, options))[0].tip ==
          "slab 1: 4 slots, 2 live (50.0 %), 1 cached (25.0 %), 1 free (25.0 %)");
    CHECK(svg_of(o, options).find("0x") == std::string::npos);
}

TEST_CASE("a title is escaped, and broken where it does not fit a line") {
    svg_picture_options options;
    options.title = "<a> & \"b\"\n'c'\x01";
    std::string document = svg_of({}, options);
    CHECK(malformed(document) == "");
    CHECK(document.find("<title>&lt;a&gt; &amp; \"b\" 'c' </title>") != std::string::npos);
    CHECK(has_text(document, "&lt;a&gt; &amp; \"b\" 'c' "));

    options.title = std::string(60, 'a') + ' ' + std::string(60, 'b');
    document = svg_of({}, options);
    CHECK(has_text(document, std::string(60, 'a')));
    CHECK(has_text(document, std::string(60, 'b')));

    options.title = times(50, "ä") + std::string(40, 'W');
    document = svg_of({}, options);
    CHECK(has_text(document, times(34, "ä")));
    CHECK(has_text(document, times(16, "ä") + std::string(18, 'W')));
    CHECK(has_text(document, std::string(22, 'W')));

    options.title = "";
    CHECK(malformed(svg_of({}, options)) == "");
}

TEST_CASE("a document of a million slots is small") {
    for (const std::size_t longest_run : {1u, 20u, 60u, 200u}) {
        CAPTURE(longest_run);
        CHECK(svg_of(random_slabs(100, 10'000, longest_run)).size() < 300'000);
    }
    CHECK(svg_of(random_slabs(1, 1'000'000, 3'000)).size() < 10'000);
    CHECK(svg_of(random_slabs(2'000, 500, 20)).size() < 300'000);
}

// To change it, run this with FASTALLOC_UPDATE=1 in the environment, and look at it.
TEST_CASE("a document looks as the one in the tree") {
    const std::string path = FASTALLOC_TESTS "/report/slabs.svg";
    const std::string used = times(20, "LLLLc..L.L");
    svg_picture_options options;
    options.title = "some slabs of two sizes";
    const std::string document =
        svg_of(drawn({{0x10000, 64, times(400, "L")},
                      {0x20000, 64, used + times(150, "c") + times(50, ".")},
                      {0x30000, 64, times(200, ".")},
                      {0x40000, 1'024, times(8, "LLL..")}}),
               options);
    if (std::getenv("FASTALLOC_UPDATE") != nullptr) std::ofstream(path) << document;
    std::ostringstream expected;
    expected << std::ifstream(path).rdbuf();
    CHECK(document == expected.str());
}

TEST_CASE("a document does not depend on how the stream writes numbers") {
    const occupancy o = drawn({{0x1000, 64, std::string(1'000, 'L')}});
    std::ostringstream out;
    out << std::hex << std::setw(1'000);
    write_picture_svg(out, o);
    CHECK(out.str() == svg_of(o));
}

}  // namespace fastalloc::testing
