// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/adaptor/resource_adaptor.hpp>
#include <fastalloc/detail/align.hpp>
#include <fastalloc/detail/export.hpp>

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <mutex>

namespace fastalloc {

/// Fails requests by a plan, so that a program can be tested against the failures of memory.
///
/// A plan has four parts, each set by one function, which replaces what it set before and leaves the
/// other parts alone. A request fails if any part says so, and then does not reach upstream.
/// Deallocations never fail. There is no plan at first.
///
/// Thread safety: all of it, and allocation as upstream's; one lock decides about requests in the
/// order in which they come, and is not held inside upstream. Equality: identity.
class FASTALLOC_EXPORT fault_injection_resource : public detail::resource_adaptor {
public:
    /// Preconditions: `upstream` is not null and outlives this.
    explicit fault_injection_resource(
        std::pmr::memory_resource* upstream = std::pmr::get_default_resource()) noexcept
        : resource_adaptor(upstream) {}

    /// Effects: of the requests from now on the `n`-th fails, and no other; 0: none does.
    void fail_nth(std::uint64_t n) noexcept;

    /// Effects: of the requests from now on the `n`-th fails, the `2n`-th, and so on; 0: none does.
    void fail_every(std::uint64_t n) noexcept;

    /// Effects: each request from now on fails with that probability, independently. It does if the
    /// next number of the generator splitmix64, its upper 53 bits taken as a fraction of 1, is less.
    /// Each request draws one, whatever the other parts say, so that a `seed` fails the same requests
    /// on every machine.
    /// Preconditions: 0 <= `probability` <= 1; 0: none fails.
    void fail_randomly(double probability, std::uint64_t seed) noexcept;

    /// Effects: requests for more than `bytes` fail.
    void fail_above(std::size_t bytes) noexcept;

    /// Effects: drops all parts of the plan. What was counted stays.
    void never_fail() noexcept;

    /// Allocations that were asked for, whether they failed or not.
    std::uint64_t requests() const noexcept;

    /// Those of them that the plan failed.
    std::uint64_t failures() const noexcept;

protected:
    /// Throws: `std::bad_alloc` if the plan says so; what upstream throws.
    void* do_allocate(std::size_t bytes, std::size_t alignment) final;
    void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) final;

private:
    struct plan {
        std::uint64_t single = 0;  // the number of the request that fails
        std::uint64_t period = 0;  // 0: none fails
        std::uint64_t period_begin = 0;
        double probability = 0;
        std::uint64_t random_state = 0;
        std::size_t largest = detail::size_max;

        bool fails(std::uint64_t number, std::size_t bytes) noexcept;
    };

    bool next_fails(std::size_t bytes) noexcept;

    mutable std::mutex lock_;
    plan plan_;
    std::uint64_t requests_ = 0;
    std::uint64_t failures_ = 0;
};

}  // namespace fastalloc
