// SPDX-License-Identifier: MIT
#include "report_writer.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace fastalloc::detail {

number_text::number_text(double value) noexcept {
    const auto end = std::to_chars(text_.data(), text_.data() + text_.size(), value).ptr;
    size_ = static_cast<std::size_t>(end - text_.data());
}

number_text::number_text(double value, int decimals) noexcept {
    const auto end = std::to_chars(text_.data(), text_.data() + text_.size(), value,
                                   std::chars_format::fixed, decimals)
                         .ptr;
    size_ = static_cast<std::size_t>(end - text_.data());
}

number_text::number_text(std::uint64_t value, char separator) noexcept {
    std::array<char, 20> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    for (const char* digit = digits.data(); digit != end; ++digit) {
        if (separator != '\0' && size_ != 0 && (end - digit) % 3 == 0) text_[size_++] = separator;
        text_[size_++] = *digit;
    }
}

number_text& number_text::append(std::string_view more) noexcept {
    more = more.substr(0, text_.size() - size_);
    std::memcpy(text_.data() + size_, more.data(), more.size());
    size_ += more.size();
    return *this;
}

void report_writer::write(std::string_view text) {
    total_ += text.size();
    for (;;) {
        const std::size_t fits = std::min(text.size(), room_.size() - used_);
        std::copy_n(text.data(), fits, room_.data() + used_);
        used_ += fits;
        text.remove_prefix(fits);
        if (text.empty() || out_ == nullptr) return;
        out_->write(room_.data(), static_cast<std::streamsize>(used_));
        used_ = 0;
    }
}

void report_writer::pad(std::size_t columns) {
    constexpr std::string_view spaces = "                                ";
    for (; columns > spaces.size(); columns -= spaces.size()) write(spaces);
    write(spaces.substr(0, columns));
}

std::size_t report_writer::finish() {
    if (out_ != nullptr && used_ != 0)
        out_->write(room_.data(), static_cast<std::streamsize>(used_));
    used_ = 0;
    return total_;
}

namespace {

struct decoded {
    char32_t character;
    std::size_t bytes;
    bool is_valid;
};

// Preconditions: `text` is not empty. Of what is invalid, one byte is taken at a time.
decoded decode(std::string_view text) noexcept {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned lead = byte(0);
    if (lead < 0x80) return {lead, 1, true};
    const std::size_t bytes = lead < 0xC0   ? 0
                              : lead < 0xE0 ? 2
                              : lead < 0xF0 ? 3
                              : lead < 0xF8 ? 4
                                            : 0;
    if (bytes == 0 || bytes > text.size()) return {0, 1, false};
    char32_t character = lead & (0x7Fu >> bytes);
    for (std::size_t i = 1; i != bytes; ++i) {
        if ((byte(i) & 0xC0u) != 0x80) return {0, 1, false};
        character = character << 6 | (byte(i) & 0x3Fu);
    }
    // Neither in more bytes than it takes, nor half of a UTF-16 pair, nor beyond Unicode.
    constexpr std::array<char32_t, 5> least = {0, 0, 0x80, 0x800, 0x10000};
    const bool is_surrogate = character >= 0xD800 && character < 0xE000;
    if (character < least[bytes] || is_surrogate || character > 0x10FFFF) return {0, 1, false};
    return {character, bytes, true};
}

}  // namespace

void write_replaced(report_writer& out, std::string_view text, replacement replaced) {
    while (!text.empty()) {
        const decoded next = decode(text);
        std::string_view written = replacement_character;
        if (next.is_valid) {
            written = replaced(next.character);
            if (written.empty()) written = text.substr(0, next.bytes);
        }
        out.write(written);
        text.remove_prefix(next.bytes);
    }
}

}  // namespace fastalloc::detail
