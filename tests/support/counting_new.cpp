// SPDX-License-Identifier: MIT
#include "support/counting_new.hpp"

#include <cstdlib>
#include <new>

namespace {
std::size_t calls = 0;

void* counted(std::size_t bytes, std::size_t alignment) {
    ++calls;
    void* p = nullptr;
    if (bytes > std::size_t{1} << 40) throw std::bad_alloc();
    if (posix_memalign(&p, alignment, bytes) != 0) throw std::bad_alloc();
    return p;
}
}  // namespace

std::size_t fastalloc::testing::operator_new_calls() noexcept { return calls; }

void* operator new(std::size_t bytes) { return counted(bytes, alignof(std::max_align_t)); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
    return counted(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
