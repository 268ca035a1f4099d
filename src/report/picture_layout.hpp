// SPDX-License-Identifier: MIT
#pragma once

/// What the pictures of an occupancy have in common: which slabs are in which row, and how figures
/// are written.

#include <fastalloc/report/occupancy.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fastalloc::detail {

/// Slabs that are drawn one after the other.
struct picture_row {
    std::span<const slab_occupancy> slabs;
    std::size_t first_number;  ///< of the first slab, counted from 1 within its slot size
    std::size_t slots;         ///< of all of them

    state_counts counts() const noexcept;
};

/// The slabs of one slot size.
struct picture_section {
    size_occupancy figures;
    std::vector<picture_row> rows;
    std::size_t slabs_a_row = 1;  ///< of each but the last, which may have fewer
    std::size_t longest_row = 0;  ///< slots

    /// Returns: the fewest slots of a cell with which no row has more than `most_cells`.
    std::size_t slots_a_cell(std::size_t most_cells) const noexcept {
        return (longest_row + most_cells - 1) / most_cells;
    }

    /// Returns: cells of the longest row.
    std::size_t cells(std::size_t slots_a_cell) const noexcept {
        return (longest_row + slots_a_cell - 1) / slots_a_cell;
    }
};

/// Returns: the sections of `shown`, with at most `max_rows` rows in all or one each.
std::vector<picture_section> sections_of(const occupancy& shown, std::size_t max_rows);

/// Returns: the counts of each cell of a row; the last may have fewer slots than the others.
std::vector<state_counts> cells_of(const picture_row& row, std::size_t slots_a_cell);

/// Returns: `1,234`.
std::string grouped_text(std::size_t n);
/// Returns: `1 slab`, `1,234 slabs`.
std::string counted_text(std::size_t n, std::string_view noun);
/// Returns: `64 B`, `1.5 MiB`: with one decimal unless it is exact without.
std::string bytes_text(std::size_t bytes);
/// Returns: `12.3 %`; `<0.1 %` and `>99.9 %` where a rounded figure would deny what there is.
/// Preconditions: `part <= whole`; nothing of nothing is `0 %`.
std::string share_text(std::size_t part, std::size_t whole);
/// Returns: `12.3 %`, of `figures.fragmentation()`.
std::string fragmentation_text(const occupancy_figures& figures);
/// Returns: `1,234 live (12.3 %), ... cached (...), ... free (...)`.
std::string state_text(const state_counts& slots);
/// Returns: `64 B slots: 3 slabs, 1,234 slots, 77.1 KiB`.
std::string heading_text(const size_occupancy& figures);
/// Returns: `3 slabs, 1,234 slots, 77.1 KiB`.
std::string size_text(const occupancy_figures& figures);
/// Returns: `a cell is 4 slots, 256 B; a row is 20 slabs`.
std::string scale_text(const picture_section& section, std::size_t slots_a_cell);
/// Returns: `slab 3`, `slabs 21-40`.
std::string slabs_text(const picture_row& row);
/// Returns: `0x7f0012345000`.
std::string address_text(const void* pointer);

}  // namespace fastalloc::detail
