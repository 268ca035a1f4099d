// SPDX-License-Identifier: MIT
#include "support/counting_new.hpp"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::size_t> calls = 0;

void* counted(std::size_t bytes, std::size_t alignment) noexcept {
    calls.fetch_add(1, std::memory_order_relaxed);
    void* p = nullptr;
    const bool is_absurd = bytes > std::size_t{1} << 40;
    return is_absurd || posix_memalign(&p, alignment, bytes) != 0 ? nullptr : p;
}

void* not_null(void* p) {
    if (p == nullptr) throw std::bad_alloc();
    return p;
}

}  // namespace

std::size_t fastalloc::testing::operator_new_calls() noexcept { return calls; }

void* operator new(std::size_t bytes) {
    return not_null(counted(bytes, alignof(std::max_align_t)));
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
    return not_null(counted(bytes, static_cast<std::size_t>(alignment)));
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
    return counted(bytes, alignof(std::max_align_t));
}
void* operator new(std::size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    return counted(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
