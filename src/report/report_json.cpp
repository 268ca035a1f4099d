// SPDX-License-Identifier: MIT
#include "report_fields.hpp"
#include "report_writer.hpp"

#include <fastalloc/report/report.hpp>

#include <array>
#include <cstddef>
#include <string_view>

namespace fastalloc {

namespace detail {

namespace {

std::string_view replaced_in_json(char32_t character) {
    // Each character below a space, four digits each.
    constexpr std::size_t control_count = 32;
    constexpr std::size_t escape_size = 6;
    constexpr auto controls = [] {
        constexpr std::string_view digits = "0123456789abcdef";
        std::array<char, control_count * escape_size> all{};
        for (std::size_t i = 0; i != control_count; ++i) {
            const char one[] = {'\\', 'u', '0', '0', digits[i / 16], digits[i % 16]};
            for (std::size_t j = 0; j != escape_size; ++j) all[i * escape_size + j] = one[j];
        }
        return all;
    };
    static constexpr auto escapes = controls();
    switch (character) {
        case U'"':
            return "\\\"";
        case U'\\':
            return "\\\\";
        case U'\n':
            return "\\n";
        case U'\r':
            return "\\r";
        case U'\t':
            return "\\t";
        default:
            return character < control_count
                       ? std::string_view(&escapes[character * escape_size], escape_size)
                       : std::string_view();
    }
}

// Puts the commas between what it is told.
class json_writer {
public:
    explicit json_writer(report_writer& out) : out_(out) {}

    void open(char bracket) {
        separate();
        out_.write({&bracket, 1});
        is_first_ = true;
    }

    void close(char bracket) {
        out_.write({&bracket, 1});
        is_first_ = false;
    }

    // What follows is its value.
    void key(std::string_view name) {
        separate();
        out_.write("\"", name, "\":");
        is_first_ = true;
    }

    void value(std::string_view number) {
        separate();
        out_.write(number);
    }

    void text(std::string_view any) {
        separate();
        out_.write("\"");
        write_replaced(out_, any, replaced_in_json);
        out_.write("\"");
    }

    template <class Value>
    void member(std::string_view name, Value number) {
        key(name);
        value(number_text(number));
    }

private:
    void separate() {
        if (!is_first_) out_.write(",");
        is_first_ = false;
    }

    report_writer& out_;
    bool is_first_ = true;
};

template <class Statistics, class Fields>
void write_fields(json_writer& json, const Statistics& statistics, const Fields& fields) {
    for (const auto& field : fields) {
        json.member(field.key, field.value(statistics));
        if (field.ratio != nullptr) json.member(field.ratio_key, field.ratio(statistics));
    }
}

void write_failures(json_writer& json, const failure_counts& failures) {
    json.key("failures");
    json.open('{');
    write_fields(json, failures, failure_fields);
    json.member("total", failures.total());
    json.close('}');
}

void write_resource(json_writer& json, const report_source& source) {
    json.key("resource");
    json.open('{');
    write_fields(json, *source.resource(), slot_fields);
    write_fields(json, *source.resource(), pool_fields);
    write_failures(json, source.resource()->failures);
    json.key("classes");
    json.open('[');
    source.for_each_class([&](const class_statistics& one) {
        json.open('{');
        json.member("slot_size", one.slot_size);
        json.member("alignment", one.alignment);
        write_fields(json, one, slot_fields);
        write_failures(json, one.failures);
        json.close('}');
    });
    json.close(']');
    json.close('}');
}

void write_latency(json_writer& json, const latency_summaries& latency) {
    json.key("latency_ns");
    json.open('{');
    for (const auto& [name, operation] : latency_operations) {
        json.key(name);
        json.open('{');
        json.member("count", (latency.*operation).count);
        for (const latency_field& field : latency_fields) {
            json.member(field.key, latency.*operation.*field.value);
        }
        json.member("total", (latency.*operation).total);
        json.close('}');
    }
    json.close('}');
}

template <class Statistics, class Fields>
void write_object(json_writer& json, std::string_view name, const Statistics& statistics,
                  const Fields& fields) {
    json.key(name);
    json.open('{');
    write_fields(json, statistics, fields);
    json.close('}');
}

void write_pages(json_writer& json, const page_statistics& pages) {
    json.key("pages");
    json.open('{');
    write_fields(json, pages, page_fields);
    if (pages.numa_node) json.member("numa_node", static_cast<unsigned>(*pages.numa_node));
    json.close('}');
}

void write_source(json_writer& json, const report_source& source) {
    json.open('{');
    json.key("name");
    json.text(source.name());
    if (!source.type_name().empty()) {
        json.key("type");
        json.text(source.type_name());
    }
    if (source.objects()) write_object(json, "objects", *source.objects(), object_fields);
    if (source.resource()) write_resource(json, source);
    if (source.requests()) write_object(json, "requests", *source.requests(), request_fields);
    if (source.pages()) write_pages(json, *source.pages());
    if (source.latency()) write_latency(json, *source.latency());
    if (source.fragmentation()) json.member("fragmentation", *source.fragmentation());
    json.close('}');
}

void write_json(report_writer& out, report_sources sources) {
    json_writer json(out);
    json.open('{');
    json.member("version", 1u);
    json.key("sources");
    json.open('[');
    for (const report_source& source : sources) write_source(json, source);
    json.close(']');
    json.close('}');
    out.write("\n");
}

}  // namespace

}  // namespace detail

void report_json(std::ostream& out, report_sources sources) {
    detail::write_report(out, sources, detail::write_json);
}

std::size_t report_json(std::span<char> buffer, report_sources sources) {
    return detail::write_report(buffer, sources, detail::write_json);
}

}  // namespace fastalloc
