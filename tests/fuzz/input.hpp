// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace fastalloc::fuzz {

/// The bytes of an input, from which everything that happens is decided. After the last one come
/// zeros.
class input {
public:
    explicit input(std::span<const std::uint8_t> bytes) noexcept : rest_(bytes) {}

    bool at_end() const noexcept { return rest_.empty(); }

    std::size_t byte() noexcept {
        if (rest_.empty()) return 0;
        const std::size_t first = rest_.front();
        rest_ = rest_.subspan(1);
        return first;
    }

    /// Returns: a number below `n`. Preconditions: `n` is neither 0 nor above 65,536.
    std::size_t below(std::size_t n) noexcept {
        const std::size_t low = byte();
        return (n <= 256 ? low : low | byte() << 8) % n;
    }

    /// Returns: one of `choices`.
    template <class T, std::size_t N>
    const T& one_of(const T (&choices)[N]) noexcept {
        return choices[below(N)];
    }

private:
    std::span<const std::uint8_t> rest_;
};

}  // namespace fastalloc::fuzz
