// SPDX-License-Identifier: MIT
#include "faults/fault_points.hpp"

#include <atomic>
#include <cstdlib>
#include <new>
#include <optional>

namespace fastalloc::testing::faults {

namespace {

// One thread at a time does something, but not always the same.
std::optional<fault> armed;
std::size_t passed = 0;
std::size_t struck = 0;
int pauses = 0;
std::atomic<std::size_t> blocks = 0;

void* try_new(std::size_t bytes, std::size_t alignment) noexcept {
    if (strikes(source::operator_new)) return nullptr;
    void* p = nullptr;
    if (posix_memalign(&p, alignment, bytes == 0 ? 1 : bytes) != 0) return nullptr;
    ++blocks;
    return p;
}

void* new_or_throw(std::size_t bytes, std::size_t alignment) {
    void* const p = try_new(bytes, alignment);
    if (p == nullptr) throw std::bad_alloc();
    return p;
}

void give_back(void* p) noexcept {
    if (p != nullptr) --blocks;
    std::free(p);
}

}  // namespace

void arm(const fault& f) noexcept {
    passed = struck = 0;
    armed = f;
}

std::size_t disarm() noexcept {
    armed.reset();
    return struck;
}

bool strikes(source where) noexcept {
    if (!armed || armed->where != where || pauses != 0) return false;
    const std::size_t n = passed++;
    const bool now = armed->lasts ? n >= armed->n : n == armed->n;
    struck += now;
    return now;
}

pause::pause() noexcept { ++pauses; }
pause::~pause() { --pauses; }

std::size_t operator_new_blocks() noexcept { return blocks; }

}  // namespace fastalloc::testing::faults

using namespace fastalloc::testing::faults;

void* operator new(std::size_t bytes) { return new_or_throw(bytes, alignof(std::max_align_t)); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
    return new_or_throw(bytes, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
    return try_new(bytes, alignof(std::max_align_t));
}
void* operator new(std::size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    return try_new(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* p) noexcept { give_back(p); }
void operator delete(void* p, std::size_t) noexcept { give_back(p); }
void operator delete(void* p, std::align_val_t) noexcept { give_back(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { give_back(p); }
