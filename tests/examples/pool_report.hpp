// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/fastalloc.hpp>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>

/// What a program is to say of its pool, instead of what it says otherwise.
struct pool_report {
    static constexpr std::string_view formats = "text, json or prometheus";

    std::string format{};   // of the statistics; empty: none
    std::string picture{};  // the file that it is drawn into; empty: none

    bool is_wanted() const { return !format.empty() || !picture.empty(); }

    static bool is_format(std::string_view name) {
        return name == "text" || name == "json" || name == "prometheus";
    }

    /// Effects: writes the statistics of `source`, a resource or a typed pool, to standard output,
    /// and draws what is where in `resource`. Returns: whether both could be written.
    template <class Source, class Resource>
    bool write(std::string_view name, const Source& source, Resource& resource) const {
        const auto drawn = fastalloc::occupancy::of(resource);
        fastalloc::report_source said(name, source);
        said.fragmentation(drawn.total().fragmentation());
        if (format == "text") fastalloc::report_text(std::cout, said);
        if (format == "json") fastalloc::report_json(std::cout, said);
        if (format == "prometheus") fastalloc::report_prometheus(std::cout, said);
        std::cout.flush();
        if (picture.empty()) return static_cast<bool>(std::cout);
        std::ofstream file(picture);
        fastalloc::write_picture_svg(file, drawn, {.title = std::string(name), .addresses = false});
        file.close();
        if (!file) std::fprintf(stderr, "cannot write %s\n", picture.c_str());
        return std::cout && file;
    }
};
