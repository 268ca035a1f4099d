// SPDX-License-Identifier: MIT
#include <fastalloc/adaptor/statistics_resource.hpp>

#include <algorithm>

namespace fastalloc {

namespace {

void raise(std::atomic<std::size_t>& maximum, std::size_t value) noexcept {
    std::size_t before = maximum.load();
    while (before < value && !maximum.compare_exchange_weak(before, value)) {
    }
}

}  // namespace

request_statistics statistics_resource::statistics() const noexcept {
    request_statistics s;
    s.allocations = allocations_.load();
    s.deallocations = deallocations_.load();
    s.failures = failures_.load();
    s.current = current_.load();
    s.peak = std::max(peak_.load(), s.current);
    s.current_bytes = current_bytes_.load();
    s.peak_bytes = std::max(peak_bytes_.load(), s.current_bytes);
    s.largest_bytes = largest_bytes_.load();
    s.total_bytes = total_bytes_.load();
    return s;
}

void statistics_resource::reset_statistics() noexcept {
    allocations_ = 0;
    deallocations_ = 0;
    failures_ = 0;
    largest_bytes_ = 0;
    total_bytes_ = 0;
    // Lowered before it is looked what is current, so that no peak of now is lost.
    peak_ = 0;
    raise(peak_, current_.load());
    peak_bytes_ = 0;
    raise(peak_bytes_, current_bytes_.load());
}

void* statistics_resource::do_allocate(std::size_t bytes, std::size_t alignment) {
    void* p = nullptr;
    try {
        p = upstream_resource()->allocate(bytes, alignment);
    } catch (...) {
        failures_ += 1;
        throw;
    }
    allocations_ += 1;
    total_bytes_ += bytes;
    raise(largest_bytes_, bytes);
    raise(peak_, current_ += 1);
    raise(peak_bytes_, current_bytes_ += bytes);
    return p;
}

void statistics_resource::do_deallocate(void* p, std::size_t bytes, std::size_t alignment) {
    deallocations_ += 1;
    // Before upstream may give the block to another thread, which would then count it twice.
    current_ -= 1;
    current_bytes_ -= bytes;
    upstream_resource()->deallocate(p, bytes, alignment);
}

}  // namespace fastalloc
