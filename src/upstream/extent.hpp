// SPDX-License-Identifier: MIT
#pragma once

#include "system_pages.hpp"

#include <fastalloc/detail/invariants.hpp>

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <utility>
#include <vector>

namespace fastalloc::detail {

/// Memory that smaller pieces are cut from, in granules of which one bit each says whether it is
/// taken. A free piece is one with its neighbours as soon as its bits are cleared. Numbers are of
/// granules, from the start on.
class extent {
public:
    static constexpr std::size_t granule = 256;

    /// Preconditions: `memory` is of whole huge pages, and aligned to one.
    /// Throws: what `books` throws; `memory` is unmapped then.
    extent(mapping memory, std::pmr::memory_resource* books);

    const mapping& memory() const noexcept { return memory_; }

    /// Returns: no free run has more bytes than that; it need not be the longest.
    std::size_t room() const noexcept { return room_ * granule; }

    bool is_empty() const noexcept { return taken_count_ == 0; }

    /// Returns: the lowest free piece that fits; null if none does, and then `room()` is exact.
    /// Preconditions: `alignment` is at most a huge page.
    std::byte* try_take(std::size_t bytes, std::size_t alignment) noexcept;

    /// Effects: puts a piece back.
    void put(const std::byte* p, std::size_t bytes) noexcept;

    /// Effects: gives to the system what the piece, which was put back, leaves without use: around it,
    /// or, where a huge page is not worth keeping whole any longer, in all of that.
    void give_back(const std::byte* p, std::size_t bytes, const system_pages& pages) const noexcept;

    /// Whether the books are as the invariants say.
    bool invariants_hold() const noexcept;

    /// Effects: gives up its memory, and is good for nothing more.
    mapping release() noexcept { return std::move(memory_); }

private:
    friend struct invariants_test_access;

    struct run {
        std::size_t begin;
        std::size_t end;
    };

    run run_of(const std::byte* p, std::size_t bytes) const noexcept;
    std::size_t size() const noexcept { return memory_.bytes() / granule; }
    std::size_t next(bool is_taken, std::size_t from) const noexcept;
    std::size_t begin_of_free(std::size_t from) const noexcept;
    std::size_t taken_in(run r) const noexcept;
    void mark(run r, bool is_taken) noexcept;

    mapping memory_;
    std::pmr::vector<std::uint64_t> taken_;  // a bit for each granule
    std::size_t taken_count_ = 0;            // bits that are set
    std::size_t room_;                       // no free run has more granules
};

}  // namespace fastalloc::detail
