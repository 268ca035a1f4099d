// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdio>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

/// An option that takes a number from 1 to `most`.
struct number_option {
    std::string_view name;
    std::size_t most;
    std::size_t& value;
};

/// An option that takes a text of which `is_right` says so.
struct text_option {
    std::string_view name;
    std::string_view expected;
    bool (*is_right)(std::string_view);
    std::string& value;
};

/// Effects: sets the values of the options that are given. Asked for help, or if the command line
/// is wrong, says how to use the program. Returns: then, the status to exit with.
inline std::optional<int> parse_options(int argc, char** argv, const char* usage,
                                        std::initializer_list<number_option> options,
                                        std::initializer_list<text_option> texts = {}) {
    const auto complain = [&](const std::string& what) {
        std::fprintf(stderr, "%s: %s\n\n%s", argv[0], what.c_str(), usage);
        return 2;
    };
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    for (auto i = arguments.begin(); i != arguments.end(); ++i) {
        if (*i == "--help") {
            std::fputs(usage, stdout);
            return 0;
        }
        const auto option = std::ranges::find(options, *i, &number_option::name);
        const auto text_wanted = std::ranges::find(texts, *i, &text_option::name);
        if (option == options.end() && text_wanted == texts.end()) {
            return complain("unknown option " + *i);
        }
        if (i + 1 == arguments.end()) return complain(*i + " needs a value");
        const std::string& text = *++i;
        if (text_wanted != texts.end()) {
            if (!text_wanted->is_right(text)) {
                return complain("'" + text + "' is not " + std::string(text_wanted->expected));
            }
            text_wanted->value = text;
            continue;
        }
        const auto [end, error] =
            std::from_chars(text.data(), text.data() + text.size(), option->value);
        if (error != std::errc{} || *end != '\0' || option->value == 0 ||
            option->value > option->most) {
            return complain("'" + text + "' is not a number from 1 to " +
                            std::to_string(option->most));
        }
    }
    return std::nullopt;
}
