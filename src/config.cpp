// SPDX-License-Identifier: MIT
#include <fastalloc/config.hpp>
#include <fastalloc/detail/align.hpp>
#include <fastalloc/error.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <sstream>
#include <utility>

namespace fastalloc {

growth_strategy growth_strategy::none() { return growth_strategy(kind::none); }

growth_strategy growth_strategy::linear(std::size_t slots) {
    growth_strategy strategy(kind::linear);
    strategy.slots_ = slots;
    return strategy;
}

growth_strategy growth_strategy::exponential(double factor) {
    growth_strategy strategy(kind::exponential);
    strategy.factor_ = factor;
    return strategy;
}

growth_strategy growth_strategy::custom(function slots_to_add) {
    growth_strategy strategy(kind::custom);
    strategy.slots_to_add_ = std::move(slots_to_add);
    return strategy;
}

void growth_strategy::validate() const {
    if (kind_ == kind::linear && slots_ == 0) {
        detail::throw_invalid("growth", "linear(0)", "a step must add at least 1 slot");
    }
    if (kind_ == kind::exponential && !(std::isfinite(factor_) && factor_ > 1.0)) {
        std::ostringstream value;
        value << "exponential(" << factor_ << ')';
        detail::throw_invalid("growth", value.str(), "the factor must be finite and above 1");
    }
    if (kind_ == kind::custom && !slots_to_add_) {
        detail::throw_invalid("growth", "custom(empty)", "there must be a function to call");
    }
}

std::size_t growth_strategy::slots_to_add(std::size_t current_capacity) const {
    switch (kind_) {
        case kind::none:
            return 0;
        case kind::linear:
            return slots_;
        case kind::exponential: {
            // A double holds every power of two, so this bound is exact; above it a conversion
            // would be undefined.
            constexpr auto bound = static_cast<double>(std::size_t{1} << 63);
            const double target = std::ceil(static_cast<double>(current_capacity) * factor_);
            if (target >= bound) return detail::size_max - current_capacity;
            const auto whole = static_cast<std::size_t>(target);
            return whole > current_capacity ? whole - current_capacity : 1;
        }
        case kind::custom:
            return slots_to_add_(current_capacity);
    }
    return 0;
}

namespace {

// A size above this cannot be had from any upstream, and pointers into it cannot be subtracted.
constexpr std::size_t largest_size = std::numeric_limits<std::ptrdiff_t>::max();

void require_product(const char* field, std::size_t slots, std::size_t slot_size) {
    if (detail::saturating_multiply(slots, slot_size) > largest_size) {
        detail::throw_invalid(field, slots, "that many slots of this size overflow");
    }
}

}  // namespace

pool_config::pool_config(const builder_type& b)
    : slot_size_(b.slot_size_.value_or(0)),
      alignment_(b.alignment_.value_or(0)),
      alignment_is_given_(b.alignment_.has_value()),
      capacity_(b.capacity_.value_or(0)),
      max_capacity_(b.max_capacity_),
      growth_(b.growth_),
      pre_initialize_(b.pre_initialize_),
      larger_requests_(b.larger_requests_) {
    if (b.slot_size_ && slot_size_ == 0) {
        detail::throw_invalid("slot_size", slot_size_, "must be at least 1");
    }
    if (b.alignment_ && !std::has_single_bit(alignment_)) {
        detail::throw_invalid("alignment", alignment_, "must be a power of two");
    }
    if (b.slot_size_) {
        if (!b.alignment_) {
            alignment_ = std::min(detail::natural_alignment(slot_size_), alignof(std::max_align_t));
        }
        if (slot_size_ > largest_size || alignment_ > largest_size / 2 + 1 ||
            slot_size_ > largest_size - (alignment_ - 1)) {
            detail::throw_invalid("slot_size", slot_size_,
                                  "rounded up to the alignment it overflows");
        }
        slot_size_ = detail::round_up(slot_size_, alignment_);
    }
    if (!b.capacity_) detail::throw_invalid("capacity", "not given", "a pool must have one");
    if (capacity_ == 0) detail::throw_invalid("capacity", capacity_, "must be at least 1");
    if (capacity_ > largest_capacity) {
        detail::throw_invalid("capacity", capacity_, "must be at most 4294967295");
    }
    require_product("capacity", capacity_, slot_size_);
    if (max_capacity_) {
        if (*max_capacity_ < capacity_) {
            detail::throw_invalid("max_capacity", *max_capacity_, "must be at least the capacity");
        }
        require_product("max_capacity", *max_capacity_, slot_size_);
    }
    if (growth_) growth_->validate();
}

pool_config pool_config::completed_for(std::size_t size, std::size_t alignment) const {
    pool_config completed = *this;
    if (!alignment_is_given_) completed.alignment_ = std::max(alignment_, alignment);
    if (slot_size_ == 0) completed.slot_size_ = size;
    completed.slot_size_ = detail::round_up(completed.slot_size_, completed.alignment_);
    if (completed.alignment_ < alignment) {
        detail::throw_invalid("alignment", completed.alignment_, "smaller than the objects'");
    }
    if (completed.slot_size_ < size) {
        detail::throw_invalid("slot_size", completed.slot_size_, "smaller than an object");
    }
    require_product("capacity", capacity_, completed.slot_size_);
    if (max_capacity_) require_product("max_capacity", *max_capacity_, completed.slot_size_);
    return completed;
}

pool_config::builder_type& pool_config::builder_type::slot_size(std::size_t bytes) {
    slot_size_ = bytes;
    return *this;
}

pool_config::builder_type& pool_config::builder_type::alignment(std::size_t power_of_two) {
    alignment_ = power_of_two;
    return *this;
}

pool_config::builder_type& pool_config::builder_type::capacity(std::size_t slots) {
    capacity_ = slots;
    return *this;
}

pool_config::builder_type& pool_config::builder_type::max_capacity(std::size_t slots) {
    max_capacity_ = slots;
    return *this;
}

pool_config::builder_type& pool_config::builder_type::growth(growth_strategy strategy) {
    growth_ = std::move(strategy);
    return *this;
}

pool_config::builder_type& pool_config::builder_type::pre_initialize(bool touch_pages) {
    pre_initialize_ = touch_pages;
    return *this;
}

pool_config::builder_type& pool_config::builder_type::larger_requests(
    fastalloc::larger_requests where) {
    larger_requests_ = where;
    return *this;
}

pool_config pool_config::builder_type::build() const { return pool_config(*this); }

}  // namespace fastalloc
