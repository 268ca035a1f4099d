// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>

namespace fastalloc::detail {

/// A word that one thread writes and any thread may read, without order: a plain load or store.
template <class T>
class relaxed {
public:
    constexpr relaxed(T value = T{}) noexcept : value_(value) {}

    relaxed(const relaxed& other) noexcept : value_(static_cast<T>(other)) {}

    relaxed& operator=(const relaxed& other) noexcept { return *this = static_cast<T>(other); }

    relaxed& operator=(T value) noexcept {
        value_.store(value, std::memory_order_relaxed);
        return *this;
    }

    operator T() const noexcept { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<T> value_;
};

}  // namespace fastalloc::detail
