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

/// The characters of a picture, and the colour that the terminal has after them.
class text_canvas {
public:
    explicit text_canvas(bool colour) : coloured_(colour) {}

    void put(std::string_view text) { text_ += text; }

    /// `glyph` in a colour: the parameters of the escape sequence that selects it.
    void put(std::string_view glyph, std::string_view colour) {
        if (coloured_ && colour != colour_) {
            text_ += "\x1b[0;";
            text_ += colour;
            text_ += 'm';
            colour_ = colour;
        }
        text_ += glyph;
    }

    void end_colour() {
        if (!colour_.empty()) text_ += "\x1b[0m";
        colour_ = {};
    }

    const std::string& text() const noexcept { return text_; }

private:
    bool coloured_;
    std::string text_;
    std::string_view colour_;
};

struct glyphs {
    std::string_view live;
    std::array<std::string_view, 9> in_part;  // from little to much: the first `parts` of them
    std::size_t parts;
    std::string_view cached;
    std::string_view free;
    std::string_view legend;
};

constexpr glyphs blocks = {
    "█", {"▁", "▂", "▃", "▄", "▅", "▆", "▇"}, 7, "░", "·", "▁ to ▇: live in part, in eighths",
};
constexpr glyphs letters = {
    "#", {"1", "2", "3", "4", "5", "6", "7", "8", "9"},
    9,   "c",
    ".", "1 to 9: live in part, in tenths",
};

constexpr std::string_view live_colour = "94";
constexpr std::string_view live_beside_cached_colour = "94;43";
constexpr std::string_view cached_colour = "33";
constexpr std::string_view free_colour = "90";

void put_cell(text_canvas& canvas, const glyphs& set, const state_counts& cell) {
    const std::size_t all = cell.total();
    if (cell.live == 0) {
        if (cell.cached != 0) return canvas.put(set.cached, cached_colour);
        return canvas.put(set.free, free_colour);
    }
    const std::string_view colour =
        cell.cached > cell.free ? live_beside_cached_colour : live_colour;
    if (cell.live == all) return canvas.put(set.live, colour);
    // Rounded up: one live slot keeps a slab from upstream, and must be seen.
    const std::size_t rounded = (cell.live * (set.parts + 1) + all - 1) / all;
    canvas.put(set.in_part[std::min(rounded, set.parts) - 1], colour);
}

std::string right(std::string text, std::size_t width) {
    return text.insert(0, width - std::min(width, text.size()), ' ');
}

std::string left(std::string text, std::size_t width) {
    text.resize(std::max(width, text.size()), ' ');
    return text;
}

/// The legend, with the totals of each state.
void put_totals(text_canvas& canvas, const glyphs& set, const occupancy_figures& total) {
    const std::size_t all = total.slots.total();
    const auto line = [&](std::string_view glyph, std::string_view colour, const char* name,
                          std::size_t slots, std::size_t bytes) {
        canvas.put(glyph, colour);
        canvas.end_colour();
        canvas.put(left(std::string("  ") + name, 8));
        canvas.put(right(counted_text(slots, "slot"), 18));
        canvas.put(right(share_text(slots, all), 10));
        canvas.put(right(bytes_text(bytes), 14) + '\n');
    };
    line(set.live, live_colour, "live", total.slots.live, total.bytes.live);
    line(set.cached, cached_colour, "cached", total.slots.cached, total.bytes.cached);
    line(set.free, free_colour, "free", total.slots.free, total.bytes.free);
    canvas.put(set.legend);
    canvas.put("; ");
    canvas.put(set.cached);
    canvas.put(" also: none live, and some cached\n");
}

void put_section(text_canvas& canvas, const glyphs& set, const picture_section& section,
                 const text_picture_options& options) {
    const auto label_of = [&](const picture_row& row) {
        return options.addresses ? address_text(row.slabs.front().address()) : slabs_text(row);
    };
    constexpr std::size_t least_cells = 8;
    constexpr std::size_t share_width = sizeof " >99.9 % live" - 1;
    std::size_t label_width = 0;
    for (const picture_row& row : section.rows) {
        label_width = std::max(label_width, label_of(row).size() + 1);
    }
    const std::size_t width = std::max(options.width, label_width + share_width + least_cells);
    const std::size_t most_cells = width - label_width - share_width;
    const std::size_t slots_a_cell = section.slots_a_cell(most_cells);
    const std::size_t row_cells = section.cells(slots_a_cell);

    canvas.put('\n' + heading_text(section.figures) + ", fragmentation " +
               fragmentation_text(section.figures) + '\n');
    canvas.put(state_text(section.figures.slots) + '\n');
    canvas.put(scale_text(section, slots_a_cell) + '\n');
    for (const picture_row& row : section.rows) {
        canvas.put(left(label_of(row), label_width));
        const std::vector<state_counts> cells = cells_of(row, slots_a_cell);
        for (const state_counts& cell : cells) put_cell(canvas, set, cell);
        canvas.end_colour();
        canvas.put(std::string(row_cells - cells.size(), ' '));
        canvas.put(right(share_text(row.counts().live, row.slots) + " live", share_width) + '\n');
    }
}

}  // namespace

void write_picture_text(std::ostream& out, const occupancy& shown,
                        const text_picture_options& options) {
    const glyphs& set = options.ascii ? letters : blocks;
    const occupancy_figures total = shown.total();
    text_canvas canvas(options.colour);
    if (!options.title.empty()) canvas.put(options.title + '\n');
    canvas.put(size_text(total) + ", fragmentation " + fragmentation_text(total) + '\n');
    put_totals(canvas, set, total);
    for (const picture_section& section : sections_of(shown, options.max_rows)) {
        put_section(canvas, set, section, options);
    }
    out.write(canvas.text().data(), static_cast<std::streamsize>(canvas.text().size()));
}

}  // namespace fastalloc
