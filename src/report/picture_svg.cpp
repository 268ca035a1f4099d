// SPDX-License-Identifier: MIT
#include "picture_layout.hpp"

#include <fastalloc/report/occupancy_picture.hpp>

#include <algorithm>
#include <array>
#include <ostream>
#include <string_view>

namespace fastalloc {

namespace {

using namespace detail;

// Pixels, except where it says otherwise.
constexpr std::size_t picture_width = 900;
constexpr std::size_t margin = 20;
constexpr std::size_t rows_left = 124;
constexpr std::size_t rows_width = 690;
constexpr std::size_t most_cells = 230;  // of a row
constexpr std::size_t widest_cell = 16;
constexpr std::size_t swatch_width = 24;
constexpr std::size_t line_height = 19;  // of the legend

using rgb = std::array<unsigned, 3>;
// After Okabe and Ito: they differ in lightness too, and to colour-blind eyes.
constexpr rgb live_colour = {0, 114, 178};
constexpr rgb cached_colour = {230, 159, 0};
constexpr rgb free_colour = {221, 224, 228};

/// The states of a cell in quarters, of which each state that there is has at least one.
struct quarters {
    std::size_t live = 0;
    std::size_t cached = 0;
    std::size_t free = 0;

    bool operator==(const quarters&) const = default;
};

// `part / whole` of `n`, rounded to 1 at least and `most` at most.
std::size_t share_of(std::size_t n, std::size_t part, std::size_t whole, std::size_t most) {
    return std::clamp<std::size_t>((2 * n * part + whole) / (2 * whole), 1, most);
}

quarters quarters_of(const state_counts& cell) {
    const std::size_t idle = cell.cached + cell.free;
    quarters q;
    if (cell.live != 0) {
        const std::size_t others = (cell.cached != 0 ? 1u : 0u) + (cell.free != 0 ? 1u : 0u);
        q.live = share_of(4, cell.live, cell.total(), 4 - others);
    }
    const std::size_t left = 4 - q.live;
    if (cell.cached != 0) {
        q.cached = share_of(left, cell.cached, idle, cell.free != 0 ? left - 1 : left);
    }
    q.free = left - q.cached;
    return q;
}

std::string colour_text(const quarters& q) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text = "#";
    for (std::size_t i = 0; i != 3; ++i) {
        const std::size_t value =
            (q.live * live_colour[i] + q.cached * cached_colour[i] + q.free * free_colour[i] + 2) /
            4;
        text += digits[value / 16];
        text += digits[value % 16];
    }
    return text;
}

std::string escaped(std::string_view text) {
    std::string safe;
    for (const char c : text) {
        switch (c) {
            case '&':
                safe += "&amp;";
                break;
            case '<':
                safe += "&lt;";
                break;
            case '>':
                safe += "&gt;";
                break;
            default:
                // XML has no control characters, and a line of text no line ends.
                safe += static_cast<unsigned char>(c) < ' ' || c == '\x7f' ? ' ' : c;
        }
    }
    return safe;
}

/// The document, and how far down it goes so far.
class svg_canvas {
public:
    std::size_t y = margin;

    template <class... Parts>
    void put(const Parts&... parts) {
        (append(body_, parts), ...);
    }

    /// `text` with its baseline at `y`; `style` are attributes.
    void put_text(std::size_t x, std::string_view text, std::string_view style) {
        put("<text x='", x, "' y='", y, "'", style, ">", escaped(text), "</text>\n");
    }

    void put_swatch(std::size_t x, std::size_t width, const quarters& q) {
        put("<rect x='", x, "' y='", y - 10, "' width='", width, "' height='12' fill='",
            colour_text(q), "'/>\n");
    }

    std::string document(std::string_view title) const {
        svg_canvas whole;
        whole.put("<?xml version='1.0' encoding='UTF-8'?>\n",
                  "<svg xmlns='http://www.w3.org/2000/svg' version='1.1' width='", picture_width,
                  "' height='", y, "' viewBox='0 0 ", picture_width, " ", y,
                  "' font-family='Helvetica, Arial, DejaVu Sans, sans-serif' font-size='12'",
                  " fill='#222'>\n<title>", escaped(title), "</title>\n<rect width='",
                  picture_width, "' height='", y, "' fill='#fff'/>\n", body_, "</svg>\n");
        return whole.body_;
    }

    static void append(std::string& text, std::string_view part) { text += part; }
    static void append(std::string& text, std::size_t number) { text += std::to_string(number); }

private:
    std::string body_;
};

constexpr std::string_view plain;
constexpr std::string_view bold = " font-weight='bold'";
constexpr std::string_view bold_at_end = " font-weight='bold' text-anchor='end'";
constexpr std::string_view at_end = " text-anchor='end'";
constexpr std::string_view small = " font-size='11' fill='#555'";
constexpr std::string_view small_at_end = " font-size='11' fill='#555' text-anchor='end'";
constexpr std::string_view small_centred = " font-size='11' fill='#555' text-anchor='middle'";

// Bytes of `text` that fit a line: up to a space if there is one, and no half of a character.
std::size_t line_length(std::string_view text, std::size_t letters) {
    std::size_t last_space = 0;
    std::size_t used = 0;
    for (std::size_t i = 0; i != text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        const bool continues_character = (c & 0xc0) == 0x80;
        const bool is_wide = (c >= 'A' && c <= 'Z') || c == 'm' || c == 'w' || c >= 0x80;
        if (!continues_character) used += is_wide ? 2 : 1;
        if (used > letters) return last_space != 0 ? last_space : i;
        if (c == ' ') last_space = i;
    }
    return text.size();
}

void put_title(svg_canvas& canvas, std::string_view title) {
    constexpr std::size_t letters_a_line = 68;
    while (!title.empty()) {
        const std::size_t length = line_length(title, letters_a_line);
        canvas.y += 16;
        canvas.put_text(margin, title.substr(0, length), " font-size='18' font-weight='bold'");
        canvas.y += 6;
        title.remove_prefix(length);
        title.remove_prefix(std::min(title.find_first_not_of(' '), title.size()));
    }
}

// What the colours of cells mean that have slots of several states.
void put_mixtures(svg_canvas& canvas, std::size_t left) {
    const auto scale = [&](const char* from, const char* to, auto mixed) {
        canvas.y += line_height;
        canvas.put_text(left + 50, from, at_end);
        for (std::size_t i = 0; i != 5; ++i) {
            canvas.put_swatch(left + 58 + swatch_width * i, swatch_width, mixed(i));
        }
        canvas.put_text(left + 66 + swatch_width * 5, to, plain);
    };
    scale("free", "live", [](std::size_t i) { return quarters{i, 0, 4 - i}; });
    scale("cached", "live", [](std::size_t i) { return quarters{i, 4 - i, 0}; });
    scale("free", "cached", [](std::size_t i) { return quarters{0, i, 4 - i}; });
    canvas.y += line_height;
    canvas.put_text(left, "A cell of several slots has the colour between.", small);
}

void put_totals(svg_canvas& canvas, const occupancy_figures& total, bool has_mixtures) {
    canvas.y += 18;
    canvas.put_text(margin, size_text(total) + ", fragmentation " + fragmentation_text(total),
                    plain);
    if (total.held_slabs != 0) {
        canvas.y += 15;
        canvas.put_text(margin,
                        "Fragmentation: the share of memory that is not live, in the " +
                            counted_text(total.held_slabs, "slab") +
                            " that cannot go back to upstream because a slot is live.",
                        small);
    }
    canvas.y += 4;
    const std::size_t top = canvas.y;
    const auto line = [&](const quarters& q, const char* name, std::size_t slots,
                          std::size_t bytes) {
        canvas.y += line_height;
        canvas.put_swatch(margin, swatch_width, q);
        canvas.put_text(margin + 8 + swatch_width, name, plain);
        canvas.put_text(margin + 220, counted_text(slots, "slot"), at_end);
        canvas.put_text(margin + 290, share_text(slots, total.slots.total()), at_end);
        canvas.put_text(margin + 380, bytes_text(bytes), at_end);
    };
    line({4, 0, 0}, "live", total.slots.live, total.bytes.live);
    line({0, 4, 0}, "cached", total.slots.cached, total.bytes.cached);
    line({0, 0, 4}, "free", total.slots.free, total.bytes.free);

    if (has_mixtures) {
        canvas.y = top;
        put_mixtures(canvas, margin + 450);
    }
}

/// How the rows of a section are drawn.
struct row_scale {
    std::size_t slots_a_cell;
    std::size_t cell;    // width
    std::size_t height;  // of a row
    std::size_t pitch;   // from row to row
    std::size_t stride;  // rows to each that is labelled

    explicit row_scale(const picture_section& section)
        : slots_a_cell(section.slots_a_cell(most_cells)),
          cell(std::min(widest_cell, rows_width / section.cells(slots_a_cell))) {
        const std::size_t rows = section.rows.size();
        height = rows <= 16 ? 14 : rows <= 40 ? 10 : 4;
        pitch = rows <= 16 ? 18 : rows <= 40 ? 12 : 5;
        stride = rows <= 16 ? 1 : rows <= 40 ? 2 : 5;
    }

    std::size_t x_of(std::size_t slot) const noexcept {
        return rows_left + slot * cell / slots_a_cell;
    }
};

/// Each colour of a row is one path, of a line for each run of cells: a rectangle for each would
/// make the document several times as long.
void put_row(svg_canvas& canvas, const picture_row& row, const row_scale& scale) {
    struct coloured_path {
        quarters colour;
        std::size_t end;
        std::string d;
    };
    std::vector<coloured_path> paths;
    const std::vector<state_counts> cells = cells_of(row, scale.slots_a_cell);
    for (std::size_t i = 0; i != cells.size();) {
        const quarters colour = quarters_of(cells[i]);
        std::size_t end = i + 1;
        while (end != cells.size() && quarters_of(cells[end]) == colour) ++end;
        auto path = std::find_if(paths.begin(), paths.end(),
                                 [&](const coloured_path& p) { return p.colour == colour; });
        if (path == paths.end()) path = paths.insert(path, {colour, 0, ""});
        svg_canvas::append(path->d, "m");
        svg_canvas::append(path->d, (i - path->end) * scale.cell);
        svg_canvas::append(path->d, " 0h");
        svg_canvas::append(path->d, (end - i) * scale.cell);
        path->end = end;
        i = end;
    }
    for (const coloured_path& path : paths) {
        canvas.put("<path stroke='", colour_text(path.colour), "' d='", path.d, "'/>\n");
    }
}

// The number of the row, as far as there is room for it.
std::string short_slabs_text(const picture_row& row) {
    constexpr std::size_t characters = 17;
    std::string text = slabs_text(row);
    return text.size() <= characters ? text : "from " + grouped_text(row.first_number);
}

void put_rows(svg_canvas& canvas, const picture_section& section, const row_scale& scale,
              bool addresses) {
    for (std::size_t i = 0; i != section.rows.size(); ++i) {
        const picture_row& row = section.rows[i];
        const state_counts counts = row.counts();
        const std::size_t top = canvas.y;
        std::string tip = slabs_text(row);
        if (addresses) tip += " at " + address_text(row.slabs.front().address());
        tip += ": " + counted_text(row.slots, "slot") + ", " + state_text(counts);
        // What is drawn as a line has its middle where it is drawn.
        canvas.put("<g transform='translate(", rows_left, " ", top + scale.height / 2,
                   ")' shape-rendering='crispEdges' stroke-width='", scale.height, "'");
        // A gap between cells that are wide enough: dashes begin anew with each run.
        if (scale.cell >= 5) canvas.put(" stroke-dasharray='", scale.cell - 1, " 1'");
        canvas.put(">\n<title>", escaped(tip), "</title>\n");
        put_row(canvas, row, scale);
        canvas.put("</g>\n");
        if (i % scale.stride == 0) {
            canvas.y = top + scale.height / 2 + 4;
            canvas.put_text(rows_left - 8, short_slabs_text(row), small_at_end);
            const std::size_t cells = (row.slots + scale.slots_a_cell - 1) / scale.slots_a_cell;
            canvas.put_text(rows_left + cells * scale.cell + 8,
                            share_text(counts.live, row.slots) + " live", small);
        }
        canvas.y = top + scale.pitch;
    }
}

// 1, 2 or 5 times a power of ten, and at least `n`.
std::size_t round_step(std::size_t n) {
    std::size_t step = 1;
    for (std::size_t i = 0; step < n; ++i) {
        step = i % 3 == 1 ? step / 2 * 5 : step * 2;
    }
    return step;
}

void put_axis(svg_canvas& canvas, const picture_section& section, const row_scale& scale) {
    const std::size_t end = scale.x_of(section.longest_row);
    const auto label_of = [&](std::size_t slot) {
        return grouped_text(slot) + " (" + bytes_text(slot * section.figures.slot_size) + ')';
    };
    // At least, so that labels do not touch, whose letters are 6 wide on average.
    const std::size_t distance = 16 + 6 * label_of(section.longest_row).size();
    const std::size_t step = std::min(
        round_step((distance * scale.slots_a_cell - 1) / scale.cell + 1), section.longest_row);
    const bool is_narrow = end - rows_left < distance / 2;
    canvas.put("<path fill='none' stroke='#999' shape-rendering='crispEdges' d='M", rows_left, " ",
               canvas.y, "H", end);
    for (std::size_t slot = 0; slot <= section.longest_row; slot += step) {
        canvas.put("M", scale.x_of(slot), " ", canvas.y, "v4");
    }
    canvas.put("'/>\n");
    canvas.y += 15;
    canvas.put_text(rows_left - 8, "slots (size)", small_at_end);
    for (std::size_t slot = 0; slot <= section.longest_row; slot += step) {
        canvas.put_text(scale.x_of(slot), slot == 0 ? "0" : label_of(slot),
                        slot != 0 && is_narrow ? small : small_centred);
    }
}

void put_section(svg_canvas& canvas, const picture_section& section, bool addresses) {
    const row_scale scale(section);
    canvas.y += 34;
    canvas.put_text(margin, heading_text(section.figures), bold);
    canvas.put_text(picture_width - margin, "fragmentation " + fragmentation_text(section.figures),
                    bold_at_end);
    canvas.y += 16;
    canvas.put_text(
        margin, state_text(section.figures.slots) + "; " + scale_text(section, scale.slots_a_cell),
        small);
    canvas.y += 8;
    put_rows(canvas, section, scale, addresses);
    put_axis(canvas, section, scale);
}

}  // namespace

void write_picture_svg(std::ostream& out, const occupancy& shown,
                       const svg_picture_options& options) {
    svg_canvas canvas;
    put_title(canvas, options.title);
    const std::vector<picture_section> sections = sections_of(shown, options.max_rows);
    const bool has_mixtures = std::any_of(
        sections.begin(), sections.end(),
        [](const picture_section& section) { return section.slots_a_cell(most_cells) != 1; });
    put_totals(canvas, shown.total(), has_mixtures);
    for (const picture_section& section : sections) {
        put_section(canvas, section, options.addresses);
    }
    canvas.y += margin;
    const std::string document = canvas.document(options.title);
    out.write(document.data(), static_cast<std::streamsize>(document.size()));
}

}  // namespace fastalloc
