// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <ostream>
#include <span>
#include <string_view>

namespace fastalloc::detail {

/// A number in characters, without memory or a locale.
class number_text {
public:
    /// As many digits as it takes to read the same value again.
    explicit number_text(double value) noexcept;
    /// `decimals` digits after the point. Preconditions: 0 <= value < 2^64, decimals <= 9.
    number_text(double value, int decimals) noexcept;

    template <std::unsigned_integral N>
    explicit number_text(N value) noexcept : number_text(std::uint64_t{value}, '\0') {}

    /// The number with a comma after each three digits.
    static number_text grouped(std::uint64_t value) noexcept { return {value, ','}; }

    std::string_view view() const noexcept { return {text_.data(), size_}; }
    operator std::string_view() const noexcept { return view(); }

    number_text& append(std::string_view more) noexcept;

private:
    number_text(std::uint64_t value, char separator) noexcept;

    std::array<char, 40> text_;
    std::size_t size_ = 0;
};

/// Where a report goes: a stream, by the block, or a buffer, as far as that has room.
class report_writer {
public:
    explicit report_writer(std::ostream& out) noexcept : out_(&out), room_(block_) {}
    explicit report_writer(std::span<char> buffer) noexcept : room_(buffer) {}

    report_writer(const report_writer&) = delete;
    report_writer& operator=(const report_writer&) = delete;

    void write(std::string_view text);

    template <class... Parts>
    void write(std::string_view first, const Parts&... rest) {
        write(first);
        (write(std::string_view(rest)), ...);
    }

    /// Effects: writes spaces.
    void pad(std::size_t columns);

    /// Effects: passes on what is in the block. Returns: how many characters were written in all,
    /// whether or not there was room for them.
    std::size_t finish();

private:
    std::array<char, 512> block_{};
    std::ostream* out_ = nullptr;  // null: the buffer is the caller's
    std::span<char> room_;
    std::size_t used_ = 0;  // of room_
    std::size_t total_ = 0;
};

/// What is to be replaced in text from outside. What is not UTF-8 becomes U+FFFD in any case.
/// Returns: what stands for the character; empty if that is the character itself.
using replacement = std::string_view (*)(char32_t character);

inline constexpr std::string_view replacement_character = "\xEF\xBF\xBD";

/// Effects: writes `text` with its characters replaced.
void write_replaced(report_writer& out, std::string_view text, replacement replaced);

/// Effects: `write(writer, sources)`, to a stream or a buffer. Returns: how many characters.
template <class Destination, class Sources, class Write>
std::size_t write_report(Destination&& to, const Sources& sources, Write write) {
    report_writer out(to);
    write(out, sources);
    return out.finish();
}

}  // namespace fastalloc::detail
