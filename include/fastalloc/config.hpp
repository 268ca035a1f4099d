// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/detail/export.hpp>
#include <fastalloc/index/index_strategy.hpp>

#include <cstddef>
#include <functional>
#include <optional>

namespace fastalloc {

/// How many slots a pool adds when none is left. A plain value; `pool_config` validates it.
class FASTALLOC_EXPORT growth_strategy {
public:
    /// Slots to add, given the slots there are. 0 means that the pool is exhausted; an exception
    /// passes through the allocation that asked, and the pool is as it was. A resource for several
    /// threads looks for slots that others kept first, and asks once more if there are none. The
    /// function may give slots back to the pool, and need not add any then; it must not release or
    /// destroy it.
    using function = std::function<std::size_t(std::size_t current_capacity)>;

    /// Never grows.
    static growth_strategy none();
    /// Adds `slots` each time. Valid: at least 1.
    static growth_strategy linear(std::size_t slots);
    /// Multiplies the capacity by `factor`, rounded up, by one slot at least. Valid: finite, > 1.
    static growth_strategy exponential(double factor);
    /// Asks `slots_to_add`. Valid: not empty.
    static growth_strategy custom(function slots_to_add);

    bool is_none() const noexcept { return kind_ == kind::none; }

    /// Returns: slots to add to `current_capacity`, before any cap. Throws: what a custom function
    /// throws.
    std::size_t slots_to_add(std::size_t current_capacity) const;

private:
    friend class pool_config;
    enum class kind { none, linear, exponential, custom };

    explicit growth_strategy(kind k) : kind_(k) {}

    void validate() const;

    kind kind_;
    std::size_t slots_ = 0;
    double factor_ = 0;
    function slots_to_add_;
};

/// Where a request goes that fits no slot of a resource.
enum class larger_requests {
    to_upstream,  ///< to upstream, one block each
    refuse,       ///< nowhere: `std::bad_alloc`
};

/// What one pool is to be like: a validated value that only `builder().….build()` makes.
class FASTALLOC_EXPORT pool_config {
public:
    /// More slots cannot be in one slab, nor be asked for as initial capacity.
    static constexpr std::size_t largest_capacity = no_slot;

    class builder_type;
    static builder_type builder();

    /// Bytes of a slot, rounded up to a multiple of the alignment; 0 if left out.
    std::size_t slot_size() const noexcept { return slot_size_; }

    /// Alignment of a slot: by default the largest power of two that divides the slot size, at most
    /// `alignof(std::max_align_t)`; 0 if that and the slot size were left out.
    std::size_t alignment() const noexcept { return alignment_; }

    /// Slots to begin with.
    std::size_t capacity() const noexcept { return capacity_; }

    /// Slots that the pool never exceeds, where one was given.
    std::optional<std::size_t> max_capacity() const noexcept { return max_capacity_; }

    /// How it grows, where that was given. A pool that can grow takes `exponential(2.0)` otherwise.
    const std::optional<growth_strategy>& growth() const noexcept { return growth_; }

    /// Whether each page is written to when it is obtained, so that it never faults later.
    bool pre_initialize() const noexcept { return pre_initialize_; }

    /// Where larger requests go, where that was given.
    std::optional<fastalloc::larger_requests> larger_requests() const noexcept {
        return larger_requests_;
    }

    /// Returns: the same for slots of objects of so many bytes: what was left out of slot size and
    /// alignment is the objects'. Preconditions: `size` is a multiple of `alignment`, a power of
    /// two.
    /// Throws: `invalid_configuration` if a slot would be too small for one, or not aligned well
    /// enough.
    pool_config completed_for(std::size_t size, std::size_t alignment) const;

private:
    pool_config(const builder_type& b);

    std::size_t slot_size_;
    std::size_t alignment_;
    bool alignment_is_given_;
    std::size_t capacity_;
    std::optional<std::size_t> max_capacity_;
    std::optional<growth_strategy> growth_;
    bool pre_initialize_;
    std::optional<fastalloc::larger_requests> larger_requests_;
};

/// Collects the fields of a `pool_config`. Nothing is checked before `build()`.
class FASTALLOC_EXPORT pool_config::builder_type {
public:
    builder_type& slot_size(std::size_t bytes);
    builder_type& alignment(std::size_t power_of_two);
    builder_type& capacity(std::size_t slots);
    builder_type& max_capacity(std::size_t slots);
    builder_type& growth(growth_strategy strategy);
    builder_type& pre_initialize(bool touch_pages);
    builder_type& larger_requests(fastalloc::larger_requests where);

    /// Returns: the configuration. Throws: `invalid_configuration`, naming field, value and rule.
    pool_config build() const;

private:
    friend class pool_config;

    std::optional<std::size_t> slot_size_;
    std::optional<std::size_t> alignment_;
    std::optional<std::size_t> capacity_;
    std::optional<std::size_t> max_capacity_;
    std::optional<growth_strategy> growth_;
    bool pre_initialize_ = false;
    std::optional<fastalloc::larger_requests> larger_requests_;
};

inline pool_config::builder_type pool_config::builder() { return {}; }

}  // namespace fastalloc
