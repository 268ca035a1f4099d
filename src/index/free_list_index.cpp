// SPDX-License-Identifier: MIT
#include <fastalloc/index/free_list_index.hpp>

namespace fastalloc {

bool free_list_index::invariants_hold() const noexcept {
    if (fresh_ > capacity_) return false;
    // A list that is no longer than the numbers that may be on it, and ends, has none of them twice.
    slot_number length = 0;
    for (slot_number n = head_; n != no_slot; n = next_[n]) {
        if (n >= fresh_ || ++length > fresh_) return false;
    }
    return length + (capacity_ - fresh_) == available_;
}

}  // namespace fastalloc
