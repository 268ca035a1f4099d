// SPDX-License-Identifier: MIT
#pragma once

/// Writes what statistics say to a stream, or to a buffer, without allocating memory:
///
///     fastalloc::report_text(std::cout, "orders", orders);
///     fastalloc::report_prometheus(body, {{"orders", orders}, {"users", users}});
///
/// The functions of one format differ only in where they write, and in whether they are given one
/// source by name or several.
///
/// To a stream. Effects: writes the report to `out`, unformatted: its state is neither used nor
/// changed, nor is any locale. Throws: what the stream and the sources throw.
///
/// To a buffer. Effects: writes as much of the report to `buffer` as fits, and no null character.
/// Returns: how many characters the whole report has. Throws: what the sources throw.
///
/// Names may hold any bytes: they are escaped as the format asks, and what is not UTF-8 is replaced
/// by U+FFFD. Thread safety: that of the functions of the sources.

#include <fastalloc/detail/export.hpp>
#include <fastalloc/report/report_source.hpp>

#include <cstddef>
#include <iosfwd>
#include <span>
#include <string_view>

namespace fastalloc {

/// Tables for people. Their layout may change.

FASTALLOC_EXPORT void report_text(std::ostream& out, report_sources sources);
FASTALLOC_EXPORT std::size_t report_text(std::span<char> buffer, report_sources sources);

template <reportable Source>
void report_text(std::ostream& out, std::string_view name, const Source& source) {
    report_text(out, report_source(name, source));
}

template <reportable Source>
std::size_t report_text(std::span<char> buffer, std::string_view name, const Source& source) {
    return report_text(buffer, report_source(name, source));
}

/// One object in one line:
///
///     {"version":1,"sources":[{"name":...,"type":...,"objects":{...},"resource":{...,"classes":
///     [...]},"requests":{...},"pages":{...},"latency_ns":{"allocate":{...},"deallocate":{...}},
///     "fragmentation":...},...]}
///
/// A source has those members that it says something for, `type` included. Within them the keys are
/// the names of the fields in C++. While the version is 1, keys may be added; none goes, or changes
/// its meaning.

FASTALLOC_EXPORT void report_json(std::ostream& out, report_sources sources);
FASTALLOC_EXPORT std::size_t report_json(std::span<char> buffer, report_sources sources);

template <reportable Source>
void report_json(std::ostream& out, std::string_view name, const Source& source) {
    report_json(out, report_source(name, source));
}

template <reportable Source>
std::size_t report_json(std::span<char> buffer, std::string_view name, const Source& source) {
    return report_json(buffer, report_source(name, source));
}

/// The text format of Prometheus, version 0.0.4. It is not OpenMetrics, which ends at its `# EOF`:
/// other metrics of the process, in the same format, may come before and after.
///
/// A family of metrics must be in one piece, so all pools of a process go into one report.
/// Preconditions: where two sources have the same name, what they report is of different kinds.
///
/// | families | labels | of |
/// |---|---|---|
/// | `fastalloc_pool_…` | pool, type | resources |
/// | `fastalloc_class_…` | pool, type, slot_size, alignment | each class of them |
/// | `fastalloc_object_…` | pool, type | typed pools |
/// | `fastalloc_request_…` | pool, type | adaptors |
/// | `fastalloc_page_…` | pool, type | upstreams of pages |
/// | `fastalloc_latency_seconds` | pool, type, operation, quantile | operations, as a summary |
///
/// Failures also have the label reason. Ratios are left to queries: utilization is
/// `fastalloc_pool_slots_in_use / fastalloc_pool_slots`, the share of misses
/// `rate(fastalloc_pool_misses_total[5m]) / rate(fastalloc_pool_allocations_total[5m])`.

FASTALLOC_EXPORT void report_prometheus(std::ostream& out, report_sources sources);
FASTALLOC_EXPORT std::size_t report_prometheus(std::span<char> buffer, report_sources sources);

template <reportable Source>
void report_prometheus(std::ostream& out, std::string_view name, const Source& source) {
    report_prometheus(out, report_source(name, source));
}

template <reportable Source>
std::size_t report_prometheus(std::span<char> buffer, std::string_view name, const Source& source) {
    return report_prometheus(buffer, report_source(name, source));
}

/// The Content-Type to serve the latter with.
inline constexpr std::string_view prometheus_content_type =
    "text/plain; version=0.0.4; charset=utf-8";

}  // namespace fastalloc
