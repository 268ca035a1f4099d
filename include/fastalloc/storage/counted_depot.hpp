// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/error.hpp>

#include <cstddef>

namespace fastalloc::detail {

/// A depot that counts the slots which leave it and come back, with `Counts` for any thread.
template <class Depot, class Counts>
class counted_depot : public Depot {
public:
    using Depot::Depot;

    /// Also what is done with its slots by those who have no magazine.
    Counts& counts() noexcept { return counts_; }

    const Counts& counts() const noexcept { return counts_; }

    std::size_t take_some(void** out, std::size_t most) noexcept {
        const auto before = counts_.leaving(most);
        const std::size_t count = Depot::take_some(out, most);
        counts_.left(before, most, count);
        return count;
    }

    bad_free put_some(void* const* in, std::size_t count) noexcept {
        const bad_free bad = Depot::put_some(in, count);
        counts_.came_back(count);
        return bad;
    }

private:
    [[no_unique_address]] Counts counts_;
};

}  // namespace fastalloc::detail
