// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/config.hpp>

#include <algorithm>
#include <cstddef>
#include <map>
#include <memory_resource>
#include <utility>
#include <vector>

/// Observes what is asked of the resource behind it.
class observing_resource : public std::pmr::memory_resource {
public:
    explicit observing_resource(std::pmr::memory_resource* behind) : behind_(behind) {}

    std::size_t requests() const { return requests_; }

    std::size_t peak_bytes() const { return peak_bytes_; }

    /// A class for each size up to 1 KiB, with as many slots as lived at once. A full class borrows
    /// from no other, so that is what a fixed resource needs to do the same again.
    std::vector<fastalloc::pool_config> classes() const {
        std::vector<fastalloc::pool_config> result;
        for (const auto& [shape, blocks] : blocks_) {
            if (shape.first > 1024) break;
            result.push_back(fastalloc::pool_config::builder()
                                 .slot_size(shape.first)
                                 .alignment(shape.second)
                                 .capacity(blocks.peak)
                                 .larger_requests(fastalloc::larger_requests::to_upstream)
                                 .build());
        }
        return result;
    }

private:
    struct tally {
        std::size_t live = 0;
        std::size_t peak = 0;
    };

    tally& blocks_like(std::size_t bytes, std::size_t alignment) {
        const std::size_t step = std::max<std::size_t>(alignment, 8);
        const std::size_t steps = std::max<std::size_t>((bytes + step - 1) / step, 1);
        return blocks_[{steps * step, step}];
    }

    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        void* const p = behind_->allocate(bytes, alignment);
        ++requests_;
        peak_bytes_ = std::max(peak_bytes_, live_bytes_ += bytes);
        tally& blocks = blocks_like(bytes, alignment);
        blocks.peak = std::max(blocks.peak, ++blocks.live);
        return p;
    }

    void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) override {
        live_bytes_ -= bytes;
        --blocks_like(bytes, alignment).live;
        behind_->deallocate(p, bytes, alignment);
    }

    bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
        return this == &other;
    }

    std::pmr::memory_resource* behind_;
    std::size_t requests_ = 0;
    std::size_t live_bytes_ = 0;
    std::size_t peak_bytes_ = 0;
    std::map<std::pair<std::size_t, std::size_t>, tally> blocks_;  // by slot size, alignment
};
