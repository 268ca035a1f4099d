// SPDX-License-Identifier: MIT
#include "report_fields.hpp"
#include "report_writer.hpp"

#include <fastalloc/report/report.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace fastalloc {

namespace detail {

namespace {

std::string_view replaced_in_label(char32_t character) {
    switch (character) {
        case U'"':
            return "\\\"";
        case U'\\':
            return "\\\\";
        case U'\n':
            return "\\n";
        case U'\0':  // where the scraper takes the text to end
            return replacement_character;
        default:
            return {};
    }
}

// The metrics of one family, which differ in their labels. Head and labels are written for each
// sample anew: nothing is kept.
class family {
public:
    family(report_writer& out, std::string_view prefix, std::string_view metric,
           std::string_view type, std::string_view help)
        : out_(out), prefix_(prefix), metric_(metric) {
        out_.write("# HELP ", prefix_, metric_, " ", help, "\n");
        out_.write("# TYPE ", prefix_, metric_, " ", type, "\n");
    }

    // `labels` are more of them, as name, value, name, value, ...
    template <class... Labels>
    void sample(std::string_view suffix, std::string_view value, const report_source& source,
                const Labels&... labels) {
        out_.write(prefix_, metric_, suffix, "{pool=\"");
        write_replaced(out_, source.name(), replaced_in_label);
        out_.write("\"");
        if (!source.type_name().empty()) {
            out_.write(",type=\"");
            write_replaced(out_, source.type_name(), replaced_in_label);
            out_.write("\"");
        }
        write_labels(std::string_view(labels)...);
        out_.write("} ", value, "\n");
    }

private:
    void write_labels() {}

    template <class... Rest>
    void write_labels(std::string_view name, std::string_view value, Rest... rest) {
        out_.write(",", name, "=\"", value, "\"");
        write_labels(rest...);
    }

    report_writer& out_;
    std::string_view prefix_;
    std::string_view metric_;
};

// A family for each field. `for_each(f)` calls `f(statistics, source, labels...)` for each that
// there is.
template <class Fields, class ForEach>
void write_families(report_writer& out, std::string_view prefix, const Fields& fields,
                    ForEach for_each) {
    for (const auto& field : fields) {
        const bool is_counter = field.kind == field_kind::counter;
        family f(out, prefix, field.metric, is_counter ? "counter" : "gauge", field.help);
        for_each([&](const auto& statistics, const report_source& source, const auto&... labels) {
            f.sample("", number_text(field.value(statistics)), source, labels...);
        });
    }
}

template <class ForEach>
void write_failures(report_writer& out, std::string_view prefix, ForEach for_each) {
    family f(out, prefix, "failures_total", "counter", "Requests that were not served.");
    for_each([&](const slot_statistics& one, const report_source& source, const auto&... labels) {
        for (const auto& field : failure_fields) {
            f.sample("", number_text(field.value(one.failures)), source, labels..., "reason",
                     field.key);
        }
    });
}

void write_operation(family& f, const report_source& source, std::string_view operation,
                     const latency_summary& latency) {
    const auto seconds = [](std::uint64_t nanoseconds) {
        return number_text(static_cast<double>(nanoseconds) / 1e9);
    };
    for (const latency_field& field : latency_fields) {
        const number_text value = seconds(latency.*field.value);
        f.sample("", latency.count == 0 ? "NaN" : value.view(), source, "operation", operation,
                 "quantile", field.share);
    }
    f.sample("_sum", seconds(latency.total), source, "operation", operation);
    f.sample("_count", number_text(latency.count), source, "operation", operation);
}

// Returns: what calls `f(statistics, source)` for each source that has what `says` returns.
template <class Statistics>
auto each_that(report_sources sources,
               const std::optional<Statistics>& (report_source::*says)() const noexcept) {
    return [=](auto f) {
        for (const report_source& source : sources) {
            if (const auto& statistics = (source.*says)()) f(*statistics, source);
        }
    };
}

template <class ForEach>
bool is_any(ForEach for_each) {
    bool found = false;
    for_each([&](const auto&, const report_source&) { found = true; });
    return found;
}

void write_resources(report_writer& out, report_sources sources) {
    const auto each_pool = each_that(sources, &report_source::resource);
    if (!is_any(each_pool)) return;
    write_families(out, "fastalloc_pool_", slot_fields, each_pool);
    write_families(out, "fastalloc_pool_", pool_fields, each_pool);
    write_failures(out, "fastalloc_pool_", each_pool);

    const auto each_class = [&](auto f) {
        for (const report_source& source : sources) {
            source.for_each_class([&](const class_statistics& one) {
                f(one, source, "slot_size", number_text(one.slot_size), "alignment",
                  number_text(one.alignment));
            });
        }
    };
    write_families(out, "fastalloc_class_", slot_fields, each_class);
    write_failures(out, "fastalloc_class_", each_class);
}

void write_fragmentation(report_writer& out, report_sources sources) {
    const auto each = each_that(sources, &report_source::fragmentation);
    if (!is_any(each)) return;
    family f(out, "fastalloc_pool_", "fragmentation_ratio", "gauge",
             "Share of the memory in slabs that hold a live slot that is not live.");
    each([&](double share, const report_source& source) {
        f.sample("", number_text(share), source);
    });
}

void write_pages(report_writer& out, report_sources sources) {
    const auto each = each_that(sources, &report_source::pages);
    if (!is_any(each)) return;
    write_families(out, "fastalloc_page_", page_fields, each);
    const auto each_bound = [&](auto f) {
        each([&](const page_statistics& pages, const report_source& source) {
            if (pages.numa_node) f(*pages.numa_node, source);
        });
    };
    if (!is_any(each_bound)) return;
    family f(out, "fastalloc_page_", "numa_node", "gauge", "The node that memory comes from.");
    each_bound([&](int node, const report_source& source) {
        f.sample("", number_text(static_cast<unsigned>(node)), source);
    });
}

void write_latency(report_writer& out, report_sources sources) {
    const auto each = each_that(sources, &report_source::latency);
    if (!is_any(each)) return;
    family f(out, "fastalloc_", "latency_seconds", "summary",
             "How long operations took, since the statistics were reset.");
    each([&](const latency_summaries& latency, const report_source& source) {
        for (const auto& [name, operation] : latency_operations) {
            write_operation(f, source, name, latency.*operation);
        }
    });
}

void write_prometheus(report_writer& out, report_sources sources) {
    write_resources(out, sources);
    write_fragmentation(out, sources);
    const auto each_pool = each_that(sources, &report_source::objects);
    if (is_any(each_pool)) write_families(out, "fastalloc_object_", object_fields, each_pool);
    const auto each_adaptor = each_that(sources, &report_source::requests);
    if (is_any(each_adaptor)) {
        write_families(out, "fastalloc_request_", request_fields, each_adaptor);
    }
    write_pages(out, sources);
    write_latency(out, sources);
}

}  // namespace

}  // namespace detail

void report_prometheus(std::ostream& out, report_sources sources) {
    detail::write_report(out, sources, detail::write_prometheus);
}

std::size_t report_prometheus(std::span<char> buffer, report_sources sources) {
    return detail::write_report(buffer, sources, detail::write_prometheus);
}

}  // namespace fastalloc
