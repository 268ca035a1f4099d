// SPDX-License-Identifier: MIT
/// What it costs to know what a pool does: one block of 64 bytes at a time, as `pair_64` has it,
/// with each collector, and with none but an adaptor that counts in front. An operation is one
/// allocation and one deallocation.

#include "rows.hpp"

#include <atomic>
#include <string>

namespace perf {

namespace {

template <class Resource>
struct behind {
    Resource resource;
};

/// An adaptor that counts, with the resource behind it.
template <class Resource>
class with_adaptor : behind<Resource>, public fastalloc::statistics_resource {
public:
    with_adaptor() : statistics_resource(&this->resource) {}
};

template <template <class> class Resource>
void add_row_of(const std::string& row) {
    using namespace fastalloc;
    add_row(row, pair,
            contender_list<through_pointer<"none", Resource<no_statistics>>,
                           through_pointer<"counting", Resource<counting_statistics>>,
                           through_pointer<"timing", Resource<timing_statistics>>,
                           through_pointer<"adaptor", with_adaptor<Resource<no_statistics>>>>());
}

template <class Collector>
using growing = fastalloc::basic_growing_pool_resource<fastalloc::bitmap_index, Collector>;
template <class Collector>
using thread_local_ =
    fastalloc::basic_thread_local_pool_resource<fastalloc::bitmap_index, Collector>;
template <class Collector>
using synchronized =
    fastalloc::basic_synchronized_pool_resource<fastalloc::bitmap_index, Collector>;
template <class Collector>
using lock_free = fastalloc::basic_lock_free_pool_resource<std::atomic, Collector>;

}  // namespace

void add_rows() {
    add_row_of<growing>("pair_growing_64");
    add_row_of<thread_local_>("pair_thread_local_64");
    add_row_of<synchronized>("pair_synchronized_64");
    add_row_of<lock_free>("pair_lock_free_64");
}

}  // namespace perf
