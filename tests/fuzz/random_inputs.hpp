// SPDX-License-Identifier: MIT
#pragma once

#include "fuzz/run_input.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace fastalloc::fuzz {

/// Inputs of random bytes and lengths, the same for the same seed.
class random_inputs {
public:
    explicit random_inputs(std::uint64_t seed) : state_(seed) {}

    /// Returns: an input for the resource of that number; valid until the next call.
    std::span<const std::uint8_t> next(std::size_t resource) {
        const std::size_t magnitude = std::size_t{1} << (5 + number() % 9);
        bytes_.resize(magnitude + number() % magnitude);
        for (std::uint8_t& byte : bytes_) byte = static_cast<std::uint8_t>(number());
        bytes_.front() = static_cast<std::uint8_t>(resource);
        return bytes_;
    }

private:
    // Steele, Lea and Flood's SplitMix.
    std::uint64_t number() {
        std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
        z = (z ^ z >> 27) * 0x94d049bb133111eb;
        return z ^ z >> 31;
    }

    std::uint64_t state_;
    std::vector<std::uint8_t> bytes_;
};

/// Returns: the resource that was given the fewest operations.
inline std::size_t least_tested(const tallies& counts) {
    const auto least = std::ranges::min_element(counts, {}, &tally::operations);
    return static_cast<std::size_t>(least - counts.begin());
}

inline std::uint64_t operations_of(const tallies& counts) {
    std::uint64_t sum = 0;
    for (const tally& t : counts) sum += t.operations;
    return sum;
}

}  // namespace fastalloc::fuzz
