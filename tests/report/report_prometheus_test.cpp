// SPDX-License-Identifier: MIT
#include "report/fake_sources.hpp"
#include "support/catch.hpp"

#include <fastalloc/report/report.hpp>

#include <algorithm>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace fastalloc::testing {

namespace {

std::vector<std::string> lines_of(report_sources sources) {
    std::stringstream text;
    report_prometheus(text, sources);
    std::vector<std::string> lines;
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    return lines;
}

void check_has(const std::vector<std::string>& lines, const std::string& line) {
    CAPTURE(lines, line);
    CHECK(std::ranges::count(lines, line) == 1);
}

// The labels of a source of that name.
std::string label(std::string_view name) {
    const fake_adaptor a;
    const std::string sample = lines_of(report_source(name, a))[2];
    const std::size_t begin = sample.find('{');
    return sample.substr(begin, sample.rfind(' ') - begin);
}

}  // namespace

TEST_CASE("each family is in one piece, however many sources there are") {
    const fake_timed_resource r = a_timed_resource();
    const fake_object_pool o = an_object_pool();
    const fake_adaptor a = an_adaptor();
    const fake_pages p = some_pages();
    fake_pages unbound = p;
    unbound.numbers.numa_node.reset();
    const auto lines = lines_of({report_source("r", r).fragmentation(0.5),
                                 {"a", a},
                                 report_source("o", o).fragmentation(0.25),
                                 {"r2", r},
                                 {"p", p},
                                 {"a2", a},
                                 {"p2", unbound},
                                 {"o2", o}});
    std::set<std::string> families;
    std::set<std::string> series;
    std::string family;
    for (std::size_t i = 0; i != lines.size(); ++i) {
        CAPTURE(lines[i]);
        if (lines[i].starts_with("# HELP ")) {
            family = lines[i].substr(7, lines[i].find(' ', 7) - 7);
            CHECK(families.insert(family).second);
            CHECK(lines[i].ends_with("."));
            const std::string type = "# TYPE " + family + " ";
            REQUIRE(lines[++i].starts_with(type));
            const bool is_counter = family.ends_with("_total");
            CHECK(lines[i].substr(type.size()) == (is_counter                     ? "counter"
                                                   : family.ends_with("_seconds") ? "summary"
                                                                                  : "gauge"));
        } else {
            std::string name = lines[i].substr(0, lines[i].find('{'));
            if (family.ends_with("_seconds")) {
                for (const std::string_view suffix : {"_sum", "_count"}) {
                    if (name.ends_with(suffix)) name.resize(name.size() - suffix.size());
                }
            }
            CHECK(name == family);
            CHECK(series.insert(lines[i].substr(0, lines[i].rfind(' '))).second);
        }
    }
    CHECK(families.size() == 12 + 1 + 8 + 5 + 9 + 7 + 1 + 1 + 1);
    // Of the four with a resource: numbers, failures by reason, and both for three classes.
    CHECK(series.size() == 4 * (12 + 4 + 3 * (7 + 4)) + 2 + 2 * 5 + 2 * 9 + 2 * 7 + 1 + 2 * 2 * 7);
}

TEST_CASE("each number of a resource is a sample") {
    const fake_timed_resource r = a_timed_resource();
    const auto lines = lines_of(report_source("orders", r).fragmentation(0.125));
    const auto check_pool = [&](const std::string& metric, const std::string& value) {
        check_has(lines, "fastalloc_pool_" + metric +
                             R"({pool="orders",type="fake_timed_resource"} )" + value);
    };
    check_pool("allocations_total", "50800");
    check_pool("deallocations_total", "50702");
    check_pool("misses_total", "5003");
    check_pool("growths_total", "50004");
    check_pool("slots_in_use", "50105");
    check_pool("slots_in_use_peak", "50306");
    check_pool("slots", "50407");
    check_pool("in_use_bytes", "1536");
    check_pool("capacity_bytes", "3221225472");
    check_pool("larger_allocations_total", "71");
    check_pool("larger_deallocations_total", "62");
    check_pool("larger_in_use", "9");
    check_pool("fragmentation_ratio", "0.125");
    const std::string pool = R"({pool="orders",type="fake_timed_resource",)";
    const auto check_failures = [&](const std::string& metric, const std::string& reason,
                                    const std::string& value) {
        check_has(lines, metric + "reason=\"" + reason + "\"} " + value);
    };
    const std::string pool_failures = "fastalloc_pool_failures_total" + pool;
    check_failures(pool_failures, "exhausted", "50011");
    check_failures(pool_failures, "at_cap", "50012");
    check_failures(pool_failures, "upstream", "50013");
    check_failures(pool_failures, "no_class", "50014");
    const auto check_class = [&](const std::string& metric, const std::string& value) {
        check_has(lines, "fastalloc_class_" + metric + pool + R"(slot_size="64",alignment="64"} )" +
                             value);
    };
    check_class("allocations_total", "20800");
    check_class("deallocations_total", "20702");
    check_class("misses_total", "2003");
    check_class("growths_total", "20004");
    check_class("slots_in_use", "20105");
    check_class("slots_in_use_peak", "20306");
    check_class("slots", "20407");
    const std::string class_failures =
        "fastalloc_class_failures_total" + pool + R"(slot_size="4096",alignment="32",)";
    check_failures(class_failures, "exhausted", "30011");
    check_failures(class_failures, "at_cap", "30012");
    check_failures(class_failures, "upstream", "30013");
    check_failures(class_failures, "no_class", "30014");
}

TEST_CASE("latencies are a summary in seconds") {
    fake_timed_resource r = a_timed_resource();
    r.times.deallocate = {};
    const auto lines = lines_of(report_source("r", r));
    const auto check = [&](const std::string& suffix, const std::string& operation,
                           const std::string& quantile, const std::string& value) {
        check_has(lines, "fastalloc_latency_seconds" + suffix +
                             R"({pool="r",type="fake_timed_resource",operation=")" + operation +
                             "\"" + quantile + "} " + value);
    };
    check("", "allocate", R"(,quantile="0.5")", "1.5e-08");
    check("", "allocate", R"(,quantile="0.9")", "1.27e-07");
    check("", "allocate", R"(,quantile="0.99")", "1.023e-06");
    check("", "allocate", R"(,quantile="0.999")", "8.191e-06");
    check("", "allocate", R"(,quantile="1")", "6.5535e-05");
    check("_sum", "allocate", "", "0.000289624");
    check("_count", "allocate", "", "1000");
    for (const std::string quantile : {"0.5", "0.9", "0.99", "0.999", "1"}) {
        check("", "deallocate", ",quantile=\"" + quantile + "\"", "NaN");
    }
    check("_sum", "deallocate", "", "0");
    check("_count", "deallocate", "", "0");
}

TEST_CASE("each number of a typed pool is a sample") {
    const fake_object_pool o = an_object_pool();
    const auto lines = lines_of(report_source("users", o));
    const std::string labels = R"({pool="users",type="fake_resource"} )";
    check_has(lines, "fastalloc_object_made_total" + labels + "201");
    check_has(lines, "fastalloc_object_dropped_total" + labels + "152");
    check_has(lines, "fastalloc_object_alive" + labels + "49");
    check_has(lines, "fastalloc_object_alive_peak" + labels + "63");
    check_has(lines, "fastalloc_object_kept" + labels + "17");
    check_has(lines, "fastalloc_pool_slots" + labels + "50407");
    CHECK(lines_of(report_source("users", o).without_resource()).size() == 3 * 5);
}

TEST_CASE("each number of an adaptor is a sample, and nothing else is") {
    const fake_adaptor a = an_adaptor();
    const auto lines = lines_of(report_source("all", a));
    CHECK(lines.size() == 3 * 9);
    const auto check = [&](const std::string& metric, const std::string& value) {
        check_has(lines, "fastalloc_request_" + metric + R"({pool="all"} )" + value);
    };
    check("allocations_total", "901");
    check("deallocations_total", "802");
    check("failures_total", "3");
    check("blocks_in_use", "99");
    check("blocks_in_use_peak", "104");
    check("in_use_bytes", "2048");
    check("in_use_peak_bytes", "4096");
    check("largest_bytes", "1025");
    check("allocated_bytes_total", "65537");
}

TEST_CASE("each number of an upstream of pages is a sample, and nothing else is") {
    fake_pages p = some_pages();
    const auto lines = lines_of(report_source("all", p));
    CHECK(lines.size() == 3 * 8);
    const auto check = [&](const std::string& metric, const std::string& value) {
        check_has(lines, "fastalloc_page_" + metric + R"({pool="all",type="fake_pages"} )" + value);
    };
    check("in_use_bytes", "5001");
    check("mapped_bytes", "9437184");
    check("resident_bytes", "6291456");
    check("huge_bytes", "4194304");
    check("locked_bytes", "2097152");
    check("mappings", "3");
    check("huge_fallbacks_total", "4");
    check("numa_node", "1");
    p.numbers.numa_node.reset();
    CHECK(lines_of(report_source("all", p)).size() == 3 * 7);
}

TEST_CASE("labels are escaped") {
    using namespace std::string_view_literals;
    CHECK(label("plain") == R"({pool="plain"})");
    CHECK(label("") == R"({pool=""})");
    CHECK(label("a \"b\" \\c\n") == R"({pool="a \"b\" \\c\n"})");
    CHECK(label("\u00fc \U0001F600 {} , \t") == "{pool=\"\u00fc \U0001F600 {} , \t\"}");
    CHECK(label("a\xff\0"sv) == "{pool=\"a\uFFFD\uFFFD\"}");
}

TEST_CASE("no source makes no text") { CHECK(lines_of(std::span<const report_source>()).empty()); }

}  // namespace fastalloc::testing
