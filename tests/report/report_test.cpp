// SPDX-License-Identifier: MIT
#include "report/fake_sources.hpp"
#include "support/catch.hpp"
#include "support/counting_new.hpp"

#include <fastalloc/report/report.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <iomanip>
#include <ios>
#include <iterator>
#include <locale>
#include <span>
#include <sstream>
#include <streambuf>
#include <string>
#include <string_view>
#include <vector>

namespace fastalloc::testing {

namespace {

// The three formats, for what is true of each.
struct format {
    void (*to_stream)(std::ostream&, report_sources);
    std::size_t (*to_buffer)(std::span<char>, report_sources);
};

constexpr format formats[] = {
    {report_text, report_text}, {report_json, report_json}, {report_prometheus, report_prometheus}};

std::string text_of(const format& f, report_sources sources) {
    std::ostringstream out;
    f.to_stream(out, sources);
    return out.str();
}

// A stream buffer that takes so many characters, in memory that it has.
class fixed_stream_buffer : public std::streambuf {
public:
    explicit fixed_stream_buffer(std::span<char> memory) {
        setp(memory.data(), memory.data() + memory.size());
    }

    std::string_view written() const {
        return {pbase(), static_cast<std::size_t>(pptr() - pbase())};
    }
};

class grouping : public std::numpunct<char> {
    char do_decimal_point() const override { return ','; }
    char do_thousands_sep() const override { return '.'; }
    std::string do_grouping() const override { return "\2"; }
};

struct says_something_else {
    int statistics() const { return 0; }
};

struct resource_without_classes {
    pool_statistics statistics() const { return {}; }
};

struct object_pool_without_resource {
    object_statistics statistics() const { return {}; }
};

struct plain_resource {};

struct object_pool_over_plain_resource {
    plain_resource plain;
    object_statistics statistics() const { return {1, 2, 3, 4, 5}; }
    const plain_resource& resource() const { return plain; }
};

struct resource_for_its_owner {
    pool_statistics statistics() { return {}; }
    void for_each_class(void (*)(const class_statistics&)) const {}
};

}  // namespace

TEST_CASE("what can be reported is known by its statistics") {
    static_assert(reportable<fake_resource>);
    static_assert(reportable<fake_timed_resource>);
    static_assert(reportable<fake_object_pool>);
    static_assert(reportable<fake_adaptor>);
    static_assert(reportable<fake_pages>);
    static_assert(reportable<object_pool_over_plain_resource>);
    static_assert(!reportable<int>);
    static_assert(!reportable<says_something_else>);
    static_assert(!reportable<resource_without_classes>);
    static_assert(!reportable<object_pool_without_resource>);
    static_assert(!reportable<resource_for_its_owner>);
    static_assert(!reportable<plain_resource>);
}

TEST_CASE("a source takes what a resource says") {
    const fake_timed_resource r = a_timed_resource();
    const report_source source("a", r);
    CHECK(source.name() == "a");
    CHECK(source.type_name() == "fake_timed_resource");
    CHECK(source.resource() == r.numbers);
    CHECK_FALSE(source.objects().has_value());
    CHECK_FALSE(source.requests().has_value());
    CHECK_FALSE(source.fragmentation().has_value());
    CHECK(source.latency() == latency_summaries{latency_summary(r.times.allocate),
                                                latency_summary(r.times.deallocate)});
    std::vector<class_statistics> classes;
    source.for_each_class([&](const class_statistics& one) { classes.push_back(one); });
    CHECK(classes == r.classes);
    CHECK_FALSE(report_source("b", a_resource()).latency().has_value());
}

TEST_CASE("a source takes what a typed pool and its resource say") {
    const fake_object_pool pool = an_object_pool();
    report_source source("a", pool);
    CHECK(source.type_name() == "fake_resource");
    CHECK(source.objects() == pool.numbers);
    CHECK(source.resource() == pool.slots.numbers);
    int classes = 0;
    const auto count = [&](const class_statistics&) { ++classes; };
    source.for_each_class(count);
    CHECK(classes == 3);

    source.without_resource().for_each_class(count);
    CHECK(classes == 3);
    CHECK(source.objects() == pool.numbers);
    CHECK_FALSE(source.resource().has_value());
    CHECK(source.type_name() == "fake_resource");

    const object_pool_over_plain_resource plain;
    const report_source objects("b", plain);
    CHECK(objects.objects() == object_statistics{1, 2, 3, 4, 5});
    CHECK_FALSE(objects.resource().has_value());
    CHECK(objects.type_name().empty());
}

TEST_CASE("a source takes what an adaptor says") {
    const fake_adaptor adaptor = an_adaptor();
    const report_source source("a", adaptor);
    CHECK(source.requests() == adaptor.numbers);
    CHECK(source.type_name().empty());
    CHECK_FALSE(source.resource().has_value());
    CHECK_FALSE(source.objects().has_value());
    CHECK_FALSE(source.latency().has_value());
    source.for_each_class([](const class_statistics&) { FAIL(); });

    fake_timed_adaptor timed;
    timed.times.allocate.record(15, 500);
    CHECK(report_source("b", timed).latency() ==
          latency_summaries{latency_summary(timed.times.allocate), {}});
}

TEST_CASE("a source takes what an upstream of pages says") {
    const fake_pages pages = some_pages();
    const report_source source("a", pages);
    CHECK(source.pages() == pages.numbers);
    CHECK(source.type_name() == "fake_pages");
    CHECK_FALSE(source.requests().has_value());
    CHECK_FALSE(source.resource().has_value());
    CHECK_FALSE(report_source("b", an_adaptor()).pages().has_value());
}

TEST_CASE("a latency is summed up") {
    latency_histogram h;
    CHECK(latency_summary(h) == latency_summary());
    h = a_timed_resource().times.allocate;
    const latency_summary summary(h);
    CHECK(summary.count == 1'000);
    CHECK(summary.p50 == 15);
    CHECK(summary.p90 == 127);
    CHECK(summary.p99 == 1'023);
    CHECK(summary.p99_9 == 8'191);
    CHECK(summary.max == 65'535);
    CHECK(summary.total == 15 * 500 + 127 * 400 + 1'023 * 90 + 8'191 * 9 + 65'535);
}

TEST_CASE("sources come alone, in braces, in arrays and in vectors") {
    const fake_resource r = a_resource();
    const fake_adaptor a = an_adaptor();
    const report_source array[] = {{"r", r}, {"a", a}};
    const std::vector<report_source> vector(std::begin(array), std::end(array));
    for (const format& f : formats) {
        const std::string expected = text_of(f, {{"r", r}, {"a", a}});
        CHECK(text_of(f, array) == expected);
        CHECK(text_of(f, vector) == expected);
        CHECK(text_of(f, std::span<const report_source>(array)) == expected);
        CHECK(text_of(f, array[0]) == text_of(f, {{"r", r}}));
    }
    const auto check_named = [&](auto report, const format& f) {
        std::ostringstream out;
        report(out, "r", r);
        const std::string expected = text_of(f, array[0]);
        CHECK(out.str() == expected);
        std::string buffer(expected.size(), '\0');
        CHECK(report(buffer, "r", r) == expected.size());
        CHECK(buffer == expected);
    };
    check_named([](auto& to, auto name, auto& of) { return report_text(to, name, of); },
                formats[0]);
    check_named([](auto& to, auto name, auto& of) { return report_json(to, name, of); },
                formats[1]);
    check_named([](auto& to, auto name, auto& of) { return report_prometheus(to, name, of); },
                formats[2]);
}

TEST_CASE("a buffer of any length gets that much of the report") {
    fake_timed_resource r = a_timed_resource();
    r.classes.resize(1);
    const report_source source = report_source("a name", r).fragmentation(0.25);
    for (const format& f : formats) {
        const std::string expected = text_of(f, source);
        REQUIRE(expected.size() > 1'000);
        CHECK(f.to_buffer({}, source) == expected.size());
        for (std::size_t length = 0; length <= expected.size() + 1; ++length) {
            std::string buffer(length + 1, '#');
            REQUIRE(f.to_buffer(std::span(buffer.data(), length), source) == expected.size());
            const std::size_t written = std::min(length, expected.size());
            REQUIRE(buffer == expected.substr(0, written) + std::string(length + 1 - written, '#'));
        }
    }
}

TEST_CASE("nothing is allocated") {
    const fake_timed_resource r = a_timed_resource();
    const fake_object_pool o = an_object_pool();
    const fake_adaptor a = an_adaptor();
    const fake_pages p = some_pages();
    std::array<char, 40'000> memory;
    for (const format& f : formats) {
        const std::string expected = text_of(
            f, {report_source("r", r).fragmentation(1 / 3.0), {"o", o}, {"a", a}, {"p", p}});
        REQUIRE(expected.size() <= memory.size());
        const std::size_t before = operator_new_calls();
        const std::array<report_source, 4> sources = {
            report_source("r", r).fragmentation(1 / 3.0), {"o", o}, {"a", a}, {"p", p}};
        const std::size_t total = f.to_buffer(memory, sources);
        const std::size_t after = operator_new_calls();
        CHECK(after == before);
        CHECK(std::string_view(memory.data(), total) == expected);

        fixed_stream_buffer buffer(memory);
        std::ostream out(&buffer);
        const std::size_t before_stream = operator_new_calls();
        f.to_stream(out, sources);
        const std::size_t after_stream = operator_new_calls();
        CHECK(after_stream == before_stream);
        CHECK(out.good());
        CHECK(buffer.written() == expected);
    }
}

TEST_CASE("the state of a stream is neither used nor changed") {
    const fake_timed_resource r = a_timed_resource();
    const report_source source = report_source("r", r).fragmentation(0.375);
    for (const format& f : formats) {
        std::ostringstream out;
        out.imbue(std::locale(std::locale::classic(), new grouping));
        out << std::hex << std::showbase << std::showpos << std::left << std::scientific
            << std::setfill('*') << std::setprecision(2) << std::setw(30);
        const auto flags = out.flags();
        f.to_stream(out, source);
        CHECK(out.str() == text_of(f, source));
        CHECK(out.flags() == flags);
        CHECK(out.fill() == '*');
        CHECK(out.precision() == 2);
        CHECK(out.width() == 30);
        CHECK(std::has_facet<std::numpunct<char>>(out.getloc()));
        CHECK(std::use_facet<std::numpunct<char>>(out.getloc()).thousands_sep() == '.');
    }
}

TEST_CASE("the locale of the program is not used") {
    const fake_resource r = a_resource();
    const report_source source = report_source("r", r).fragmentation(0.375);
    const std::locale before =
        std::locale::global(std::locale(std::locale::classic(), new grouping));
    std::vector<std::string> reports;
    for (const format& f : formats) reports.push_back(text_of(f, source));
    std::locale::global(before);
    for (std::size_t i = 0; i != reports.size(); ++i) {
        CHECK(reports[i] == text_of(formats[i], source));
    }
}

TEST_CASE("a stream that takes no more says so in its own way") {
    const fake_resource r = a_resource();
    const report_source source("r", r);
    for (const format& f : formats) {
        std::array<char, 600> memory;
        fixed_stream_buffer buffer(memory);
        std::ostream out(&buffer);
        f.to_stream(out, source);
        CHECK(out.bad());
        CHECK(buffer.written() == text_of(f, source).substr(0, 600));

        fixed_stream_buffer another(memory);
        std::ostream throwing(&another);
        throwing.exceptions(std::ios_base::badbit);
        CHECK_THROWS_AS(f.to_stream(throwing, source), std::ios_base::failure);
    }
}

TEST_CASE("json shows each number under its name") {
    const fake_timed_resource r = a_timed_resource();
    const fake_object_pool o = an_object_pool();
    const fake_adaptor a = an_adaptor();
    fake_timed_resource small = r;
    small.classes.resize(1);
    CHECK(text_of(formats[1], report_source("r", small).fragmentation(0.125)) ==
          R"({"version":1,"sources":[{"name":"r","type":"fake_timed_resource","resource":{)"
          R"("allocations":50800,"deallocations":50702,"misses":5003,"hit_rate":0.901515748031496,)"
          R"("growth_count":50004,"current":50105,"utilization":0.9940087686234055,"peak":50306,)"
          R"("capacity":50407,"current_bytes":1536,"capacity_bytes":3221225472,)"
          R"("larger_allocations":71,"larger_deallocations":62,"larger_current":9,)"
          R"("failures":{"exhausted":50011,"at_cap":50012,"upstream":50013,"no_class":50014,)"
          R"("total":200050},"classes":[{"slot_size":64,"alignment":16,"allocations":10800,)"
          R"("deallocations":10702,"misses":1003,"hit_rate":0.9071296296296296,)"
          R"("growth_count":10004,"current":10105,"utilization":0.9709810704333621,)"
          R"("peak":10306,"capacity":10407,"failures":{"exhausted":10011,"at_cap":10012,)"
          R"("upstream":10013,"no_class":10014,"total":40050}}]},"latency_ns":{"allocate":{)"
          R"("count":1000,"p50":15,"p90":127,"p99":1023,"p99_9":8191,"max":65535,"total":289624},)"
          R"("deallocate":{"count":3,"p50":7,"p90":7,"p99":7,"p99_9":7,"max":7,"total":21}},)"
          R"("fragmentation":0.125}]})"
          "\n");
    CHECK(text_of(formats[1], {report_source("o", o).without_resource(), {"a", a}}) ==
          R"({"version":1,"sources":[{"name":"o","type":"fake_resource","objects":{"made":201,)"
          R"("dropped":152,"alive":49,"peak":63,"kept":17}},{"name":"a","requests":{)"
          R"("allocations":901,"deallocations":802,"failures":3,"current":99,"peak":104,)"
          R"("current_bytes":2048,"peak_bytes":4096,"largest_bytes":1025,"total_bytes":65537}}]})"
          "\n");
    fake_pages p = some_pages();
    const std::string pages = R"({"version":1,"sources":[{"name":"p","type":"fake_pages","pages":{)"
                              R"("current_bytes":5001,"mapped_bytes":9437184,)"
                              R"("resident_bytes":6291456,"huge_bytes":4194304,)"
                              R"("locked_bytes":2097152,"mappings":3,"huge_fallbacks":4)";
    CHECK(text_of(formats[1], report_source("p", p)) == pages + ",\"numa_node\":1}}]}\n");
    p.numbers.numa_node.reset();
    CHECK(text_of(formats[1], report_source("p", p)) == pages + "}}]}\n");
}

}  // namespace fastalloc::testing
