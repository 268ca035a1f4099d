// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/adaptor/resource_adaptor.hpp>
#include <fastalloc/detail/export.hpp>
#include <fastalloc/statistics.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <string_view>

namespace fastalloc {

/// Counts the requests to any resource, which it passes on as they are.
///
/// A failure counts as that and as nothing else. A zero-byte block is a block.
///
/// Thread safety: as upstream's; counting adds none and waits for nobody. Equality: identity.
class FASTALLOC_EXPORT statistics_resource : public detail::resource_adaptor {
public:
    /// What reports call it.
    static constexpr std::string_view type_name = "statistics_resource";

    /// Preconditions: `upstream` is not null and outlives this.
    explicit statistics_resource(
        std::pmr::memory_resource* upstream = std::pmr::get_default_resource()) noexcept
        : resource_adaptor(upstream) {}

    /// Returns: what was counted. While no other thread is inside, the numbers agree with each
    /// other. Otherwise each is exact by itself, but a request on its way may be in one of them and
    /// not yet in the next. A peak is never less than what is current. Thread safety: full.
    request_statistics statistics() const noexcept;

    /// Effects: counts from 0 again; the peaks begin at what is current. Blocks that are with users
    /// stay current, so deallocations may exceed allocations later. A request of another thread
    /// meanwhile may be counted in part before and in part after. Thread safety: full.
    void reset_statistics() noexcept;

protected:
    /// Throws: what upstream throws.
    void* do_allocate(std::size_t bytes, std::size_t alignment) final;
    void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) final;

private:
    // Sequentially consistent: reset_statistics relies on it that a block that became current after
    // it looked raises the peak after it was lowered.
    std::atomic<std::uint64_t> allocations_ = 0;
    std::atomic<std::uint64_t> deallocations_ = 0;
    std::atomic<std::uint64_t> failures_ = 0;
    std::atomic<std::size_t> current_ = 0;
    std::atomic<std::size_t> peak_ = 0;
    std::atomic<std::size_t> current_bytes_ = 0;
    std::atomic<std::size_t> peak_bytes_ = 0;
    std::atomic<std::size_t> largest_bytes_ = 0;
    std::atomic<std::uint64_t> total_bytes_ = 0;
};

}  // namespace fastalloc
