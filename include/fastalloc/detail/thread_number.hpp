// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/detail/export.hpp>

#include <cstdint>

namespace fastalloc::detail {

/// A small number that no other running thread has. What a thread leaves behind under its number, the
/// next thread with that number takes over: the end of the one happens before the start of the other.
class thread_number {
public:
    /// How many there are.
    static constexpr std::uint32_t count = 1u << 16;

    /// Nobody's: no thread has it.
    constexpr thread_number() = default;

    /// Preconditions: `value < count`.
    constexpr explicit thread_number(std::uint32_t value) noexcept : value_(value) {}

    /// Returns: the calling thread's; nobody's if it was not assigned one.
    static thread_number mine() noexcept;

    /// Effects: assigns the calling thread a number, until it ends, unless it has one or too many
    /// threads run. Returns: `mine()`. Complexity: constant, where few threads run. It never waits.
    FASTALLOC_EXPORT static thread_number assign() noexcept;

    /// Returns: a number above which no running thread has one.
    FASTALLOC_EXPORT static thread_number highest() noexcept;

    /// Whether the thread that had this number stayed in the parent when this process was forked. It was
    /// cut short: what it left is as it was at that moment, which may be half done. No other thread
    /// ever gets the number.
    FASTALLOC_EXPORT bool is_orphan() const noexcept;

    /// Whether there is such a number.
    FASTALLOC_EXPORT static bool there_are_orphans() noexcept;

    /// Effects: if no thread has this number, the caller acts for the last that had it, until it calls
    /// `give_up`; no new thread gets the number meanwhile. Returns: whether that is so.
    FASTALLOC_EXPORT bool try_claim() const noexcept;

    FASTALLOC_EXPORT void give_up() const noexcept;

    bool is_nobodys() const noexcept { return value_ == 0; }

    std::uint32_t value() const noexcept { return value_; }

private:
    std::uint32_t value_ = 0;
};

/// A word that is there from a thread's first instruction to its last, and found without a call, also
/// in a shared library.
extern FASTALLOC_EXPORT constinit thread_local thread_number this_thread_number
    __attribute__((tls_model("initial-exec")));

inline thread_number thread_number::mine() noexcept { return this_thread_number; }

}  // namespace fastalloc::detail
