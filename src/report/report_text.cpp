// SPDX-License-Identifier: MIT
#include "report_fields.hpp"
#include "report_writer.hpp"

#include <fastalloc/report/report.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string_view>

namespace fastalloc {

namespace detail {

namespace {

// A terminal takes these for commands.
std::string_view replaced_in_text(char32_t character) {
    const bool is_control = character < 0x20 || (character >= 0x7F && character < 0xA0);
    return is_control ? replacement_character : std::string_view();
}

// A name in C++, as words.
std::string_view replaced_in_key(char32_t character) {
    return character == U'_' ? std::string_view(" ") : std::string_view();
}

number_text percent(double share) {
    // 0 and 100 stand for none and all, so what is nearly that does not become it.
    const double rounded = std::round(share * 1e4) / 1e2;
    const double shown = share > 0 && share < 1 ? std::clamp(rounded, 0.01, 99.99) : rounded;
    return number_text(std::max(shown, 0.0), 2).append(" %");
}

number_text human_bytes(std::uint64_t bytes) {
    constexpr std::string_view units[] = {" KiB", " MiB", " GiB", " TiB", " PiB", " EiB"};
    if (bytes < 1024) return number_text(bytes).append(" B");
    double value = static_cast<double>(bytes) / 1024;
    std::size_t unit = 0;
    // What would be rounded to 1024.0 is 1.0 of the next.
    while (value >= 1023.95) {
        value /= 1024;
        ++unit;
    }
    return number_text(value, 1).append(units[unit]);
}

// Rows of cells. All are gone through twice: once to see how wide the columns are, once to write.
// So what other threads change in between can be wider than its column, and no worse.
class table {
public:
    template <class Rows>
    table(report_writer& out, Rows rows) : out_(out) {
        rows(*this);
        is_measuring_ = false;
        rows(*this);
    }

    // The first cell of a row.
    void row(std::string_view words, std::size_t indent = 0) {
        column_ = 0;
        const std::size_t width = indent + words.size();
        if (is_measuring_) {
            widths_[0] = std::max(widths_[0], width);
            return;
        }
        out_.pad(2 + indent);
        write_replaced(out_, words, replaced_in_key);
        trailing_ = widths_[0] - std::min(width, widths_[0]);
    }

    // One of the others, whose right ends are in line.
    void cell(std::string_view text) {
        std::size_t& width = widths_[++column_];
        if (is_measuring_) {
            width = std::max(width, text.size());
            return;
        }
        out_.pad(trailing_ + 2 + width - std::min(text.size(), width));
        write_replaced(out_, text, replaced_in_key);
        trailing_ = 0;
    }

    // What follows the last cell.
    void note(std::string_view key, std::string_view text) {
        if (is_measuring_) return;
        out_.write("  ");
        write_replaced(out_, key, replaced_in_key);
        out_.write(key.empty() ? "" : " ", text);
    }

    void end_row() {
        if (!is_measuring_) out_.write("\n");
    }

private:
    report_writer& out_;
    bool is_measuring_ = true;
    std::size_t column_ = 0;
    std::size_t trailing_ = 0;  // spaces that the cell before still needs
    std::array<std::size_t, 16> widths_{};
};

template <class Statistics, class Fields>
void write_fields(table& t, const Statistics& statistics, const Fields& fields,
                  std::size_t indent = 0) {
    for (const auto& field : fields) {
        const std::uint64_t value = field.value(statistics);
        t.row(field.key, indent);
        t.cell(number_text::grouped(value));
        if (field.key.ends_with("_bytes")) t.note("", human_bytes(value));
        if (field.ratio != nullptr) t.note(field.ratio_key, percent(field.ratio(statistics)));
        t.end_row();
    }
}

void write_failures(table& t, const failure_counts& failures) {
    t.row("failures");
    t.cell(number_text::grouped(failures.total()));
    t.end_row();
    write_fields(t, failures, failure_fields, 2);
}

void write_resource(table& t, const report_source& source) {
    if (source.resource()) {
        write_fields(t, *source.resource(), slot_fields);
        write_fields(t, *source.resource(), pool_fields);
        write_failures(t, source.resource()->failures);
    }
    if (source.fragmentation()) {
        t.row("fragmentation");
        t.cell(percent(*source.fragmentation()));
        t.note("", "of the memory in slabs that hold a live slot is not live");
        t.end_row();
    }
}

void write_pages(table& t, const page_statistics& pages) {
    write_fields(t, pages, page_fields);
    if (!pages.numa_node) return;
    t.row("numa_node");
    t.cell(number_text(static_cast<unsigned>(*pages.numa_node)));
    t.end_row();
}

void write_latency(table& t, const latency_summaries& latency) {
    t.row("nanoseconds");
    t.cell("count");
    for (const latency_field& field : latency_fields) {
        t.cell(field.key == "p99_9" ? "p99.9" : field.key);
    }
    t.end_row();
    for (const auto& [name, operation] : latency_operations) {
        t.row(name);
        t.cell(number_text::grouped((latency.*operation).count));
        for (const latency_field& field : latency_fields) {
            t.cell(number_text::grouped(latency.*operation.*field.value));
        }
        t.end_row();
    }
}

void write_classes(table& t, const report_source& source) {
    // The first column would be to the left.
    t.row("");
    t.cell("slot_size");
    t.cell("alignment");
    for (const auto& field : slot_fields) {
        t.cell(field.key);
        if (field.ratio != nullptr) t.cell(field.ratio_key);
    }
    t.cell("failures");
    t.end_row();
    source.for_each_class([&](const class_statistics& one) {
        t.row("");
        t.cell(number_text::grouped(one.slot_size));
        t.cell(number_text::grouped(one.alignment));
        for (const auto& field : slot_fields) {
            t.cell(number_text::grouped(field.value(one)));
            if (field.ratio != nullptr) t.cell(percent(field.ratio(one)));
        }
        t.cell(number_text::grouped(one.failures.total()));
        t.end_row();
    });
}

void write_source(report_writer& out, const report_source& source) {
    write_replaced(out, source.name(), replaced_in_text);
    if (!source.type_name().empty()) {
        out.write(" (");
        write_replaced(out, source.type_name(), replaced_in_text);
        out.write(")");
    }
    out.write("\n");
    std::string_view between;
    const auto section = [&](bool is_there, auto rows) {
        if (!is_there) return;
        out.write(between);
        between = "\n";
        table(out, rows);
    };
    section(source.objects().has_value(),
            [&](table& t) { write_fields(t, *source.objects(), object_fields); });
    section(source.resource() || source.fragmentation(),
            [&](table& t) { write_resource(t, source); });
    section(source.requests().has_value(),
            [&](table& t) { write_fields(t, *source.requests(), request_fields); });
    section(source.pages().has_value(), [&](table& t) { write_pages(t, *source.pages()); });
    section(source.latency().has_value(), [&](table& t) { write_latency(t, *source.latency()); });
    section(source.resource().has_value(), [&](table& t) { write_classes(t, source); });
}

void write_text(report_writer& out, report_sources sources) {
    std::string_view between;
    for (const report_source& source : sources) {
        out.write(between);
        between = "\n";
        write_source(out, source);
    }
}

}  // namespace

}  // namespace detail

void report_text(std::ostream& out, report_sources sources) {
    detail::write_report(out, sources, detail::write_text);
}

std::size_t report_text(std::span<char> buffer, report_sources sources) {
    return detail::write_report(buffer, sources, detail::write_text);
}

}  // namespace fastalloc
