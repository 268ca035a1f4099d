// SPDX-License-Identifier: MIT
#include "extent.hpp"

#include <fastalloc/detail/align.hpp>

#include <algorithm>
#include <bit>

namespace fastalloc::detail {

namespace {

constexpr std::size_t bits = 64;
constexpr std::size_t granules_a_huge_page = huge_page / extent::granule;

// Returns: a word with the bits [begin, end) set, as far as it has them. Preconditions: it has the
// first of them.
std::uint64_t mask_of(std::size_t begin, std::size_t end) noexcept {
    const std::uint64_t from = ~std::uint64_t{0} << begin;
    return end >= bits ? from : from & ~(~std::uint64_t{0} << end);
}

}  // namespace

extent::extent(mapping memory, std::pmr::memory_resource* books)
    : memory_(std::move(memory)), taken_(size() / bits, books), room_(size()) {}

extent::run extent::run_of(const std::byte* p, std::size_t bytes) const noexcept {
    const auto begin = static_cast<std::size_t>(p - memory_.base()) / granule;
    return {begin, begin + round_up(std::max(bytes, std::size_t{1}), granule) / granule};
}

// Returns: the first granule from `from` on that is taken, or that is not; `size()` if there is none.
std::size_t extent::next(bool is_taken, std::size_t from) const noexcept {
    while (from < size()) {
        const std::uint64_t word = is_taken ? taken_[from / bits] : ~taken_[from / bits];
        const std::uint64_t rest = word >> from % bits;
        if (rest != 0) return from + static_cast<std::size_t>(std::countr_zero(rest));
        from = (from / bits + 1) * bits;
    }
    return size();
}

// Returns: where the free run begins that ends at `from`.
std::size_t extent::begin_of_free(std::size_t from) const noexcept {
    while (from != 0) {
        const std::size_t last = from - 1;
        const std::uint64_t rest = taken_[last / bits] << (bits - 1 - last % bits);
        if (rest != 0) return from - static_cast<std::size_t>(std::countl_zero(rest));
        from = last / bits * bits;
    }
    return 0;
}

std::size_t extent::taken_in(run r) const noexcept {
    std::size_t sum = 0;
    for (std::size_t at = r.begin / bits * bits; at < r.end; at += bits) {
        const std::size_t begin = std::max(r.begin, at) - at;
        sum +=
            static_cast<std::size_t>(std::popcount(taken_[at / bits] & mask_of(begin, r.end - at)));
    }
    return sum;
}

void extent::mark(run r, bool is_taken) noexcept {
    for (std::size_t at = r.begin / bits * bits; at < r.end; at += bits) {
        const std::uint64_t mask = mask_of(std::max(r.begin, at) - at, r.end - at);
        if (is_taken) {
            taken_[at / bits] |= mask;
        } else {
            taken_[at / bits] &= ~mask;
        }
    }
}

std::byte* extent::try_take(std::size_t bytes, std::size_t alignment) noexcept {
    const std::size_t wanted = run_of(memory_.base(), bytes).end;
    const std::size_t step = std::max(alignment / granule, std::size_t{1});
    std::size_t longest = 0;
    for (std::size_t end = 0, begin = next(false, 0); begin != size(); begin = next(false, end)) {
        end = next(true, begin);
        const std::size_t first = round_up(begin, step);
        if (first + wanted <= end) {
            mark({first, first + wanted}, true);
            taken_count_ += wanted;
            return memory_.base() + first * granule;
        }
        longest = std::max(longest, end - begin);
    }
    room_ = longest;
    return nullptr;
}

void extent::put(const std::byte* p, std::size_t bytes) noexcept {
    const run r = run_of(p, bytes);
    mark(r, false);
    taken_count_ -= r.end - r.begin;
    room_ = std::max(room_, next(true, r.end) - begin_of_free(r.begin));
}

bool extent::invariants_hold() const noexcept {
    if (taken_in({0, size()}) != taken_count_ || room_ > size()) return false;
    for (std::size_t end = 0, begin = next(false, 0); begin != size(); begin = next(false, end)) {
        end = next(true, begin);
        if (end - begin > room_) return false;
    }
    return true;
}

void extent::give_back(const std::byte* p, std::size_t bytes,
                       const system_pages& pages) const noexcept {
    constexpr std::size_t half = granules_a_huge_page / 2;
    const bool may_be_huge = pages.options().huge != huge_pages::off;
    const run put = run_of(p, bytes);
    const run free{begin_of_free(put.begin), next(true, put.end)};
    for (std::size_t at = put.begin / granules_a_huge_page * granules_a_huge_page; at < put.end;
         at += granules_a_huge_page) {
        const run huge{at, at + granules_a_huge_page};
        run given{std::max(huge.begin, free.begin), std::min(huge.end, free.end)};
        if (may_be_huge) {
            const std::size_t left = taken_in(huge);
            if (left > half) continue;
            // So far it was whole, with what had been put back before.
            const std::size_t now = std::min(huge.end, put.end) - std::max(huge.begin, put.begin);
            if (left + now > half) given = huge;
        }
        for (std::size_t end = 0, begin = next(false, given.begin); begin < given.end;
             begin = next(false, end)) {
            end = std::min(next(true, begin), given.end);
            const std::size_t first = round_up(begin * granule, pages.page_bytes());
            const std::size_t last = end * granule / pages.page_bytes() * pages.page_bytes();
            if (first < last) system_pages::give_back(memory_.base() + first, last - first);
        }
    }
}

}  // namespace fastalloc::detail
