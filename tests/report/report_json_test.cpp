// SPDX-License-Identifier: MIT
// What another implementation reads in our JSON.
#include "report/fake_sources.hpp"
#include "support/catch.hpp"

#include <fastalloc/report/report.hpp>

#include <nlohmann/json.hpp>

#include <cstdint>
#include <limits>
#include <sstream>
#include <string>

namespace fastalloc::testing {

namespace {

nlohmann::json parsed(report_sources sources) {
    std::ostringstream out;
    report_json(out, sources);
    return nlohmann::json::parse(out.str());
}

std::string name_read(const std::string& name) {
    const fake_adaptor a;
    return parsed(report_source(name, a))["sources"][0]["name"];
}

}  // namespace

TEST_CASE("json can be parsed, and has the members that it is to have") {
    const fake_timed_resource r = a_timed_resource();
    const fake_object_pool o = an_object_pool();
    const fake_adaptor a = an_adaptor();
    const fake_pages p = some_pages();
    const nlohmann::json all =
        parsed({report_source("r", r).fragmentation(1 / 3.0), {"o", o}, {"a", a}, {"p", p}});
    CHECK(all["version"] == 1);
    REQUIRE(all["sources"].size() == 4);
    const nlohmann::json& resource = all["sources"][0];
    CHECK(resource["name"] == "r");
    CHECK(resource["type"] == "fake_timed_resource");
    CHECK(resource["resource"]["failures"]["total"] == 200'050);
    CHECK(resource["resource"]["hit_rate"] == r.numbers.hit_rate());
    CHECK(resource["resource"]["utilization"] == r.numbers.utilization());
    REQUIRE(resource["resource"]["classes"].size() == 3);
    CHECK(resource["resource"]["classes"][2]["slot_size"] == 4'096);
    CHECK(resource["resource"]["classes"][2]["failures"]["at_cap"] == 30'012);
    CHECK(resource["latency_ns"]["allocate"]["p99_9"] == 8'191);
    CHECK(resource["fragmentation"] == 1 / 3.0);
    CHECK(resource.size() == 5);
    CHECK(all["sources"][1]["objects"]["kept"] == 17);
    CHECK(all["sources"][1]["resource"]["classes"].size() == 3);
    CHECK(all["sources"][1].size() == 4);
    CHECK(all["sources"][2]["requests"]["total_bytes"] == 65'537);
    CHECK(all["sources"][2].size() == 2);
    CHECK(all["sources"][3]["pages"]["numa_node"] == 1);
    CHECK(all["sources"][3]["pages"].size() == 8);
    CHECK(all["sources"][3].size() == 3);
}

TEST_CASE("json of nothing is still an object") {
    const nlohmann::json none = parsed(std::span<const report_source>());
    CHECK(none == nlohmann::json({{"version", 1}, {"sources", nlohmann::json::array()}}));
    const fake_resource r;
    CHECK(parsed(report_source("r", r))["sources"][0]["resource"]["classes"] ==
          nlohmann::json::array());
}

TEST_CASE("json holds the largest numbers as they are") {
    fake_adaptor a;
    a.numbers.total_bytes = std::numeric_limits<std::uint64_t>::max();
    const nlohmann::json total =
        parsed(report_source("a", a))["sources"][0]["requests"]["total_bytes"];
    CHECK(total.get<std::uint64_t>() == a.numbers.total_bytes);
}

TEST_CASE("a name is read from json as it was given") {
    for (const std::string name :
         {"", "plain", "\"quoted\"", "back\\slash", "\\", "\"", "\n\r\t\b\f",
          "\u00fc\u20ac\U0001F600", "\x7f\u0080\u07FF\u0800\uD7FF\uE000\uFFFF\U00010000\U0010FFFF",
          "</script>", "\u2028"}) {
        CHECK(name_read(name) == name);
    }
    std::string all;
    for (char c = 0; c != 127; ++c) all += c;
    CHECK(name_read(all) == all);
}

TEST_CASE("what is not UTF-8 in a name is replaced") {
    const std::string replacement = "\uFFFD";
    CHECK(name_read("a\xff"
                    "b") == "a" + replacement + "b");
    CHECK(name_read("\x80") == replacement);  // goes on without a beginning
    CHECK(name_read("\xc3") == replacement);  // ends too early
    CHECK(name_read("\xc3(") == replacement + "(");
    CHECK(name_read("\xe2\x82") == replacement + replacement);
    CHECK(name_read("\xc0\x80") == replacement + replacement);  // longer than necessary
    CHECK(name_read("\xe0\x9f\xbf") == replacement + replacement + replacement);
    CHECK(name_read("\xed\xa0\x80") == replacement + replacement + replacement);  // half a pair
    CHECK(name_read("\xf4\x90\x80\x80").size() == 4 * replacement.size());        // beyond Unicode
    CHECK(name_read("\xf8\x88\x80\x80\x80").size() == 5 * replacement.size());
}

}  // namespace fastalloc::testing
