// SPDX-License-Identifier: MIT
#include "report/fake_sources.hpp"
#include "support/catch.hpp"

#include <fastalloc/report/report.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <sstream>
#include <string>
#include <vector>

namespace fastalloc::testing {

namespace {

std::string text_of(report_sources sources) {
    std::ostringstream out;
    report_text(out, sources);
    return out.str();
}

void check_holds(const std::string& text, const std::string& part) {
    CAPTURE(text, part);
    CHECK(text.find(part) != std::string::npos);
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
}

}  // namespace

TEST_CASE("text shows each number of a resource") {
    const fake_timed_resource r = a_timed_resource();
    CHECK(text_of(report_source("orders", r).fragmentation(0.125)) ==
          R"(orders (fake_timed_resource)
  allocations                  50,800
  deallocations                50,702
  misses                        5,003  hit rate 90.15 %
  growth count                 50,004
  current                      50,105  utilization 99.40 %
  peak                         50,306
  capacity                     50,407
  current bytes                 1,536  1.5 KiB
  capacity bytes        3,221,225,472  3.0 GiB
  larger allocations               71
  larger deallocations             62
  larger current                    9
  failures                    200,050
    exhausted                  50,011
    at cap                     50,012
    upstream                   50,013
    no class                   50,014
  fragmentation               12.50 %  of the memory in slabs that hold a live slot is not live

  nanoseconds  count  p50  p90    p99  p99.9     max
  allocate     1,000   15  127  1,023  8,191  65,535
  deallocate       3    7    7      7      7       7

    slot size  alignment  allocations  deallocations  misses  hit rate  growth count  current)"
          R"(  utilization    peak  capacity  failures
           64         16       10,800         10,702   1,003   90.71 %        10,004   10,105)"
          R"(      97.10 %  10,306    10,407    40,050
           64         64       20,800         20,702   2,003   90.37 %        20,004   20,105)"
          R"(      98.52 %  20,306    20,407    80,050
        4,096         32       30,800         30,702   3,003   90.25 %        30,004   30,105)"
          R"(      99.01 %  30,306    30,407   120,050
)");
}

TEST_CASE("text shows each number of a typed pool, before its resource") {
    const fake_object_pool pool = an_object_pool();
    CHECK(text_of(report_source("users", pool).without_resource()) == R"(users (fake_resource)
  made     201
  dropped  152
  alive     49
  peak      63
  kept      17
)");
    const std::string text = text_of(report_source("users", pool));
    check_holds(text, "  kept      17\n\n  allocations                  50,800\n");
    check_holds(text, "    slot size  alignment  ");
}

TEST_CASE("text shows each number of an adaptor, and of several sources") {
    const fake_adaptor a = an_adaptor();
    const fake_object_pool pool = an_object_pool();
    CHECK(text_of({{"all", a}, report_source("users", pool).without_resource()}) == R"(all
  allocations       901
  deallocations     802
  failures            3
  current            99
  peak              104
  current bytes   2,048  2.0 KiB
  peak bytes      4,096  4.0 KiB
  largest bytes   1,025  1.0 KiB
  total bytes    65,537  64.0 KiB

users (fake_resource)
  made     201
  dropped  152
  alive     49
  peak      63
  kept      17
)");
    CHECK(text_of(std::span<const report_source>()).empty());
}

TEST_CASE("text shows each number of an upstream of pages") {
    fake_pages p = some_pages();
    const std::string numbers = R"(pages (fake_pages)
  current bytes       5,001  4.9 KiB
  mapped bytes    9,437,184  9.0 MiB
  resident bytes  6,291,456  6.0 MiB
  huge bytes      4,194,304  4.0 MiB
  locked bytes    2,097,152  2.0 MiB
  mappings                3
  huge fallbacks          4
)";
    CHECK(text_of(report_source("pages", p)) == numbers + "  numa node               1\n");
    p.numbers.numa_node.reset();
    CHECK(text_of(report_source("pages", p)) == numbers);
}

TEST_CASE("columns of text stay in line, however wide the numbers") {
    const std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
    fake_resource r = a_resource();
    r.numbers.allocations = most;
    r.classes[1].misses = most;
    r.classes[1].slot_size = most;
    r.classes[2].failures = {most, 0, 0, 0};
    const std::vector<std::string> lines = lines_of(text_of(report_source("r", r)));
    REQUIRE(lines.size() == 23);
    check_holds(lines[1], "  18,446,744,073,709,551,615");
    for (std::size_t i = 1; i != 18; ++i) {
        CAPTURE(lines[i]);
        const std::size_t end = lines[1].size();
        REQUIRE(lines[i].size() >= end);
        CHECK(lines[i][end - 1] != ' ');
        CHECK(lines[i].find_first_not_of(' ', end) >= std::min(end + 2, lines[i].size()));
    }
    check_holds(lines[21], " 18,446,744,073,709,551,615 ");
    for (std::size_t i = 19; i != lines.size(); ++i) {
        CAPTURE(lines[i]);
        CHECK(lines[i].size() == lines[19].size());
    }
}

TEST_CASE("text shows shares that are nearly nothing or nearly all as such") {
    const auto shown = [](double share) {
        const fake_adaptor a;
        const std::string text = text_of(report_source("a", a).fragmentation(share));
        const std::size_t at = text.find("fragmentation  ") + 15;
        return text.substr(at, text.find('%') + 1 - at);
    };
    CHECK(shown(0) == "0.00 %");
    CHECK(shown(1e-9) == "0.01 %");
    CHECK(shown(0.29) == "29.00 %");
    CHECK(shown(2 / 3.0) == "66.67 %");
    CHECK(shown(1 - 1e-9) == "99.99 %");
    CHECK(shown(1) == "100.00 %");
}

TEST_CASE("text shows bytes in the unit that suits them") {
    const auto shown = [](std::size_t bytes) {
        const fake_adaptor a{{.largest_bytes = bytes}};
        const std::string text = text_of(report_source("a", a));
        const std::size_t line = text.find("largest bytes");
        const std::size_t at = text.rfind("  ", text.find('\n', line)) + 2;
        return text.substr(at, text.find('\n', line) - at);
    };
    CHECK(shown(0) == "0 B");
    CHECK(shown(1'023) == "1023 B");
    CHECK(shown(1'024) == "1.0 KiB");
    CHECK(shown(1'536) == "1.5 KiB");
    CHECK(shown(1'023 * 1'024) == "1023.0 KiB");
    CHECK(shown(1'024 * 1'024 - 1) == "1.0 MiB");
    CHECK(shown(std::size_t{5} << 30) == "5.0 GiB");
    CHECK(shown(std::size_t{6} << 40) == "6.0 TiB");
    CHECK(shown(std::size_t{7} << 50) == "7.0 PiB");
    CHECK(shown(std::numeric_limits<std::size_t>::max()) == "16.0 EiB");
}

TEST_CASE("text replaces what a terminal takes for commands") {
    const fake_adaptor a;
    const std::string replacement = "\uFFFD";
    CHECK(lines_of(text_of(report_source("a\nb\x1b[31m\x7f\u009b \"\u00fc\\\" \xff", a)))[0] ==
          "a" + replacement + "b" + replacement + "[31m" + replacement + replacement +
              " \"\u00fc\\\" " + replacement);
}

}  // namespace fastalloc::testing
