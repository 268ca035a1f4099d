// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace fs = std::filesystem;

struct document {
    std::string path;
    std::string text;
};

inline void complain(const fs::path& path, const std::string& why) {
    std::fprintf(stderr, "inverted_index: %s: %s\n", path.c_str(), why.c_str());
}

inline void find_below(const fs::path& root, std::vector<fs::path>& found) {
    // Not a recursive_directory_iterator, which ends at the first directory that it may not read.
    std::vector<fs::path> pending{root};
    while (!pending.empty()) {
        const fs::path here = std::move(pending.back());
        pending.pop_back();
        std::error_code error;
        for (fs::directory_iterator i(here, error), end; !error && i != end; i.increment(error)) {
            std::error_code vanished;
            const fs::file_type type = i->symlink_status(vanished).type();
            if (type == fs::file_type::directory) pending.push_back(i->path());
            if (type == fs::file_type::regular) found.push_back(i->path());
        }
        if (error) complain(here, error.message());
    }
}

inline std::vector<fs::path> find_files(const std::vector<fs::path>& paths) {
    std::vector<fs::path> found;
    for (const fs::path& path : paths) {
        std::error_code error;
        const fs::file_status status = fs::status(path, error);
        if (fs::is_directory(status)) {
            find_below(path, found);
        } else if (fs::is_regular_file(status)) {
            found.push_back(path);
        } else {
            complain(path, error ? error.message() : "neither a file nor a directory");
        }
    }
    std::ranges::sort(found);
    found.erase(std::unique(found.begin(), found.end()), found.end());
    return found;
}

/// Reading comes before all measuring, so that no disk is in the times.
inline std::vector<document> read_all(const std::vector<fs::path>& paths) {
    std::vector<document> documents;
    std::size_t bytes = 0;
    std::size_t binary = 0;
    for (const fs::path& path : find_files(paths)) {
        std::ifstream in(path, std::ios::binary);
        std::string text;
        std::array<char, 1 << 16> piece;
        while (in.read(piece.data(), piece.size()) || in.gcount() != 0) {
            text.append(piece.data(), static_cast<std::size_t>(in.gcount()));
        }
        if (!in.eof() || in.bad()) {
            complain(path, "cannot be read");
        } else if (text.find('\0') != std::string::npos) {
            ++binary;
        } else {
            bytes += text.size();
            documents.push_back({path.string(), std::move(text)});
        }
    }
    std::fprintf(stderr, "%zu text files of %.1f MiB, %zu binary files skipped\n", documents.size(),
                 static_cast<double>(bytes) / (1 << 20), binary);
    return documents;
}
