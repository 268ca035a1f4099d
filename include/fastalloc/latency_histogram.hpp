// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace fastalloc {

/// How long operations took: a histogram of nanoseconds in log-linear buckets, eight to each
/// doubling (as in Gil Tene's HdrHistogram). What it says is never below the truth, and above
/// it by less than an eighth. What took longer than 68 seconds counts as that long.
///
/// It is a plain value of fixed size that allocates nothing.
class latency_histogram {
public:
    /// Complexity: constant.
    void record(std::uint64_t nanoseconds, std::uint64_t times = 1) noexcept {
        counts_[bucket_of(nanoseconds)] += times;
    }

    latency_histogram& operator+=(const latency_histogram& other) noexcept {
        for (std::size_t b = 0; b != bucket_count; ++b) counts_[b] += other.counts_[b];
        return *this;
    }

    std::uint64_t count() const noexcept {
        std::uint64_t total = 0;
        for (const std::uint64_t n : counts_) total += n;
        return total;
    }

    /// Returns: nanoseconds that a share `q` of the operations took at most; 0 if there was none.
    /// Preconditions: 0 <= q <= 1.
    std::uint64_t quantile(double q) const noexcept {
        const std::uint64_t total = count();
        if (total == 0) return 0;
        const double exact = std::ceil(q * static_cast<double>(total));
        const std::uint64_t wanted = exact < 1 ? 1
                                     : exact < static_cast<double>(total)
                                         ? static_cast<std::uint64_t>(exact)
                                         : total;
        std::uint64_t seen = 0;
        std::size_t b = 0;
        while ((seen += counts_[b]) < wanted) ++b;
        return longest_of(b);
    }

    /// Returns: nanoseconds of the longest operation; 0 if there was none.
    std::uint64_t max() const noexcept { return quantile(1); }

    /// Effects: calls `f(longest, count)` for each bucket that is not empty, the shortest
    /// operations first: `count` operations took at most `longest` nanoseconds, and longer than
    /// those of the bucket before.
    template <class F>
    void for_each_bucket(F f) const {
        for (std::size_t b = 0; b != bucket_count; ++b) {
            if (counts_[b] != 0) f(longest_of(b), counts_[b]);
        }
    }

    // For who counts in buckets of its own.

    static constexpr std::size_t bucket_count = 8 + (36 - 3) * 8;

    static constexpr std::size_t bucket_of(std::uint64_t nanoseconds) noexcept {
        const std::uint64_t n = std::min(nanoseconds, (std::uint64_t{1} << 36) - 1);
        if (n < 8) return static_cast<std::size_t>(n);
        const auto exponent = static_cast<std::size_t>(std::bit_width(n)) - 1;
        return (exponent - 3) * 8 + static_cast<std::size_t>(n >> (exponent - 3));
    }

    /// Nanoseconds of the longest operation that the bucket holds.
    static constexpr std::uint64_t longest_of(std::size_t bucket) noexcept {
        if (bucket < 16) return bucket;
        const std::size_t shift = bucket / 8 - 1;
        return ((bucket % 8 + 9) << shift) - 1;
    }

private:
    std::array<std::uint64_t, bucket_count> counts_{};
};

/// How long the operations of a resource took.
struct latency_statistics {
    latency_histogram allocate;
    latency_histogram deallocate;
};

}  // namespace fastalloc
