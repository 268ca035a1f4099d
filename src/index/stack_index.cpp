// SPDX-License-Identifier: MIT
#include <fastalloc/index/stack_index.hpp>

#include <algorithm>

namespace fastalloc {

bool stack_index::invariants_hold() const noexcept {
    if (count_ > fresh_ || fresh_ > capacity_) return false;
    const auto was_taken = [this](slot_number n) { return n < fresh_; };
    return std::all_of(numbers_, numbers_ + count_, was_taken) &&
           detail::are_distinct([this](auto f) { std::for_each(numbers_, numbers_ + count_, f); });
}

}  // namespace fastalloc
