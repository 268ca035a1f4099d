// SPDX-License-Identifier: MIT
#include "picture_layout.hpp"

#include <fastalloc/detail/align.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace fastalloc::detail {

namespace {

// The most rows for each slot size with which there are at most `max_rows` in all; at least 1.
std::size_t rows_for_each(const std::vector<size_occupancy>& sizes, std::size_t max_rows) {
    std::size_t fits = 1;
    std::size_t most = 1;
    for (const size_occupancy& size : sizes) most = std::max(most, size.slabs);
    while (fits != most) {
        const std::size_t tried = fits + (most - fits + 1) / 2;
        std::size_t rows = 0;
        for (const size_occupancy& size : sizes) rows += std::min(size.slabs, tried);
        if (rows <= max_rows) {
            fits = tried;
        } else {
            most = tried - 1;
        }
    }
    return fits;
}

}  // namespace

state_counts picture_row::counts() const noexcept {
    state_counts sum;
    for (const slab_occupancy& slab : slabs) sum += slab.slots();
    return sum;
}

std::vector<picture_section> sections_of(const occupancy& shown, std::size_t max_rows) {
    std::vector<picture_section> sections;
    const std::vector<size_occupancy> sizes = shown.sizes();
    const std::size_t most = rows_for_each(sizes, max_rows);
    std::span<const slab_occupancy> left = shown.slabs();
    for (const size_occupancy& size : sizes) {
        picture_section& section = sections.emplace_back();
        section.figures = size;
        section.slabs_a_row = (size.slabs + most - 1) / most;
        for (std::size_t i = 0; i < size.slabs; i += section.slabs_a_row) {
            picture_row row{left.subspan(i, std::min(section.slabs_a_row, size.slabs - i)), i + 1,
                            0};
            row.slots = row.counts().total();
            section.longest_row = std::max(section.longest_row, row.slots);
            section.rows.push_back(row);
        }
        left = left.subspan(size.slabs);
    }
    return sections;
}

std::vector<state_counts> cells_of(const picture_row& row, std::size_t slots_a_cell) {
    std::vector<state_counts> cells;
    for (const slab_occupancy& slab : row.slabs) {
        const std::size_t slots = slab.slots().total();
        for (std::size_t i = 0; i != slots;) {
            if (cells.empty() || cells.back().total() == slots_a_cell) cells.emplace_back();
            const std::size_t n = std::min(slots_a_cell - cells.back().total(), slots - i);
            cells.back() += slab.count(i, i + n);
            i += n;
        }
    }
    return cells;
}

std::string grouped_text(std::size_t n) {
    std::string text = std::to_string(n);
    for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, 1, ',');
    return text;
}

std::string counted_text(std::size_t n, std::string_view noun) {
    std::string text = grouped_text(n) + ' ';
    text += noun;
    if (n != 1) text += 's';
    return text;
}

namespace {

std::string tenths_text(std::size_t tenths) {
    return grouped_text(tenths / 10) + '.' + std::to_string(tenths % 10);
}

std::string percent_text(double share) {
    const auto tenths = static_cast<std::size_t>(std::llround(share * 1000));
    if (share == 0 || share == 1) return std::to_string(tenths / 10) + " %";
    if (tenths == 0) return "<0.1 %";
    if (tenths == 1000) return ">99.9 %";
    return tenths_text(tenths) + " %";
}

}  // namespace

std::string bytes_text(std::size_t bytes) {
    constexpr std::array units = {" B", " KiB", " MiB", " GiB", " TiB"};
    std::size_t unit = 0;
    std::size_t size = 1;
    // Nor is it 1,024 of a unit after rounding.
    while (unit + 1 != units.size() && (bytes + size / 20) / size >= 1024) {
        ++unit;
        size *= 1024;
    }
    if (bytes % size == 0) return grouped_text(bytes / size) + units[unit];
    const double exact = static_cast<double>(bytes) / static_cast<double>(size);
    const auto tenths = static_cast<std::size_t>(std::llround(exact * 10));
    return tenths_text(tenths) + units[unit];
}

std::string share_text(std::size_t part, std::size_t whole) {
    return percent_text(whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole));
}

std::string fragmentation_text(const occupancy_figures& figures) {
    return percent_text(figures.fragmentation());
}

std::string state_text(const state_counts& slots) {
    const std::size_t all = slots.total();
    return grouped_text(slots.live) + " live (" + share_text(slots.live, all) + "), " +
           grouped_text(slots.cached) + " cached (" + share_text(slots.cached, all) + "), " +
           grouped_text(slots.free) + " free (" + share_text(slots.free, all) + ')';
}

std::string size_text(const occupancy_figures& figures) {
    return counted_text(figures.slabs, "slab") + ", " +
           counted_text(figures.slots.total(), "slot") + ", " + bytes_text(figures.bytes.total());
}

std::string heading_text(const size_occupancy& figures) {
    return grouped_text(figures.slot_size) + " B slots: " + size_text(figures);
}

std::string scale_text(const picture_section& section, std::size_t slots_a_cell) {
    std::string text = "a cell is " + counted_text(slots_a_cell, "slot") + ", " +
                       bytes_text(slots_a_cell * section.figures.slot_size);
    if (section.slabs_a_row != 1) {
        text += "; a row is " + counted_text(section.slabs_a_row, "slab");
    }
    return text;
}

std::string slabs_text(const picture_row& row) {
    if (row.slabs.size() == 1) return "slab " + grouped_text(row.first_number);
    return "slabs " + grouped_text(row.first_number) + '-' +
           grouped_text(row.first_number + row.slabs.size() - 1);
}

std::string address_text(const void* pointer) {
    std::array<char, 16> digits;
    const auto end =
        std::to_chars(digits.data(), digits.data() + digits.size(), address(pointer), 16);
    return "0x" + std::string(digits.data(), end.ptr);
}

}  // namespace fastalloc::detail
