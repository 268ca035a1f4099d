// SPDX-License-Identifier: MIT
#pragma once

/// Pictures of what is where. Each slot size has a heading with its figures, and below it slabs as
/// rows, whose length shows how many slots they have. A row is made of cells: of one slot each, or,
/// where the longest row would not fit, of as many as the heading says. Where there are more slabs
/// than rows, each row shows several, one after the other.

#include <fastalloc/detail/export.hpp>
#include <fastalloc/report/occupancy.hpp>

#include <cstddef>
#include <iosfwd>
#include <string>

namespace fastalloc {

/// How `write_picture_text` draws.
struct text_picture_options {
    std::string title = "what is where";
    std::size_t width = 80;     ///< columns of a row at most; but there is room for 8 cells
    std::size_t max_rows = 40;  ///< rows in all; but each slot size has at least one
    bool ascii = false;         ///< only characters of ASCII, but for the title
    bool colour = false;        ///< colours, by the escape sequences of terminals (ECMA-48)
    bool addresses = true;      ///< rows begin with the address of a slab, not with its number
};

/// Effects: writes a picture made of text to `out`, in UTF-8: of each cell, how much is live; and
/// whether slots of it are cached, where none is live or where it has colours. Locale and format
/// flags of `out` do not matter.
/// Throws: `std::bad_alloc`; what `out` throws.
/// Complexity: linear in the number of slots, 32 at a time.
FASTALLOC_EXPORT void write_picture_text(std::ostream& out, const occupancy& shown,
                                         const text_picture_options& options = {});

/// How `write_picture_svg` draws.
struct svg_picture_options {
    std::string title = "what is where";  ///< UTF-8
    std::size_t max_rows = 100;           ///< rows in all; but each slot size has at least one
    bool addresses = true;                ///< what a row says when pointed at includes its address
};

/// Effects: writes a standalone SVG 1.1 document to `out`, 900 pixels wide, in UTF-8. A cell of
/// several slots has the colour between those of its states, in quarters. Locale and format flags
/// of `out` do not matter.
/// Throws: `std::bad_alloc`; what `out` throws.
/// Complexity: linear in the number of slots, 32 at a time; what is written is linear in the number
/// of rows.
FASTALLOC_EXPORT void write_picture_svg(std::ostream& out, const occupancy& shown,
                                        const svg_picture_options& options = {});

}  // namespace fastalloc
