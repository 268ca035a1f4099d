// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/detail/export.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>

namespace fastalloc::detail {

/// A small number that no other running thread has. What a thread leaves behind under its number, the
/// next thread with that number takes over: the end of the one happens before the start of the other.
///
/// Numbers are also a place in a table of segments that double, so that it need never be moved.
class thread_number {
public:
    static constexpr std::uint32_t count = 1u << 16;
    static constexpr std::uint32_t first_segment_size = 16;
    static constexpr std::uint32_t segment_count = 13;

    /// Nobody's: no thread has it.
    constexpr thread_number() = default;

    /// Preconditions: `value < count`.
    constexpr explicit thread_number(std::uint32_t value) noexcept
        : segment_(value < first_segment_size ? 0 : std::bit_width(value / first_segment_size)),
          offset_(segment_ == 0 ? value : value - segment_size(segment_)) {}

    static constexpr std::uint32_t segment_size(std::uint32_t segment) noexcept {
        return segment == 0 ? first_segment_size : first_segment_size << (segment - 1);
    }

    /// Returns: the calling thread's; nobody's if it was not assigned one.
    static thread_number mine() noexcept;

    /// Effects: assigns the calling thread a number, until it ends, unless it has one or too many
    /// threads run. Returns: `mine()`. Complexity: constant, where few threads run. It never waits.
    FASTALLOC_EXPORT static thread_number assign() noexcept;

    /// Effects: if no thread has this number, the caller acts for the last that had it, until it calls
    /// `give_up`; no new thread gets the number meanwhile. Returns: whether that is so.
    FASTALLOC_EXPORT bool try_claim() const noexcept;

    FASTALLOC_EXPORT void give_up() const noexcept;

    /// Returns: a number above which no running thread has one.
    FASTALLOC_EXPORT static thread_number highest() noexcept;

    bool is_nobodys() const noexcept { return value() == 0; }

    std::uint32_t value() const noexcept {
        return segment_ == 0 ? offset_ : segment_size(segment_) + offset_;
    }

    std::uint32_t segment() const noexcept { return segment_; }

    std::uint32_t offset() const noexcept { return offset_; }

private:
    std::uint32_t segment_ = 0;
    std::uint32_t offset_ = 0;
};

/// A word that is there from a thread's first instruction to its last, and found without a call, also
/// in a shared library.
extern FASTALLOC_EXPORT constinit thread_local thread_number this_thread_number
    __attribute__((tls_model("initial-exec")));

inline thread_number thread_number::mine() noexcept { return this_thread_number; }

}  // namespace fastalloc::detail
