// SPDX-License-Identifier: MIT
#include <fastalloc/adaptor/fault_injection_resource.hpp>
#include <fastalloc/error.hpp>

namespace fastalloc {

namespace {

/// Steele, Lea, Flood: Fast splittable pseudorandom number generators (2014).
std::uint64_t splitmix64(std::uint64_t& state) noexcept {
    std::uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

/// The 53 bits that a double holds, so that it is less than 1.
double fraction_of(std::uint64_t random) noexcept {
    return static_cast<double>(random >> 11) / static_cast<double>(std::uint64_t{1} << 53);
}

}  // namespace

void fault_injection_resource::fail_nth(std::uint64_t n) noexcept {
    const std::lock_guard guard(lock_);
    plan_.single = requests_ + n;
}

void fault_injection_resource::fail_every(std::uint64_t n) noexcept {
    const std::lock_guard guard(lock_);
    plan_.period = n;
    plan_.period_begin = requests_;
}

void fault_injection_resource::fail_randomly(double probability, std::uint64_t seed) noexcept {
    const std::lock_guard guard(lock_);
    plan_.probability = probability;
    plan_.random_state = seed;
}

void fault_injection_resource::fail_above(std::size_t bytes) noexcept {
    const std::lock_guard guard(lock_);
    plan_.largest = bytes;
}

void fault_injection_resource::never_fail() noexcept {
    const std::lock_guard guard(lock_);
    plan_ = {};
}

std::uint64_t fault_injection_resource::requests() const noexcept {
    const std::lock_guard guard(lock_);
    return requests_;
}

std::uint64_t fault_injection_resource::failures() const noexcept {
    const std::lock_guard guard(lock_);
    return failures_;
}

bool fault_injection_resource::plan::fails(std::uint64_t number, std::size_t bytes) noexcept {
    const bool by_chance = fraction_of(splitmix64(random_state)) < probability;
    const bool in_turn = period != 0 && (number - period_begin) % period == 0;
    return by_chance || in_turn || number == single || bytes > largest;
}

bool fault_injection_resource::next_fails(std::size_t bytes) noexcept {
    const std::lock_guard guard(lock_);
    requests_ += 1;
    const bool fails = plan_.fails(requests_, bytes);
    failures_ += fails;
    return fails;
}

void* fault_injection_resource::do_allocate(std::size_t bytes, std::size_t alignment) {
    if (next_fails(bytes)) detail::throw_bad_alloc();
    return upstream_resource()->allocate(bytes, alignment);
}

void fault_injection_resource::do_deallocate(void* p, std::size_t bytes, std::size_t alignment) {
    upstream_resource()->deallocate(p, bytes, alignment);
}

}  // namespace fastalloc
