// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>

namespace fastalloc::detail {

/// A word that one thread at a time writes and any thread may read, without order: a plain load or
/// store.
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

    /// Returns: the sum.
    T add(T n) noexcept {
        const T sum = *this + n;
        *this = sum;
        return sum;
    }

    void raise_to(T value) noexcept {
        if (*this < value) *this = value;
    }

private:
    std::atomic<T> value_;
};

/// The same for a word that any thread may write.
template <class T>
class contended {
public:
    constexpr contended(T value = T{}) noexcept : value_(value) {}

    contended(const contended& other) noexcept : value_(static_cast<T>(other)) {}

    contended& operator=(const contended& other) noexcept { return *this = static_cast<T>(other); }

    contended& operator=(T value) noexcept {
        value_.store(value, std::memory_order_relaxed);
        return *this;
    }

    operator T() const noexcept { return value_.load(std::memory_order_relaxed); }

    /// Returns: the sum.
    T add(T n) noexcept { return value_.fetch_add(n, std::memory_order_relaxed) + n; }

    void raise_to(T value) noexcept {
        T old = *this;
        while (old < value &&
               !value_.compare_exchange_weak(old, value, std::memory_order_relaxed)) {
        }
    }

private:
    std::atomic<T> value_;
};

/// A word that says what was so: who reads it sees what its writer had seen.
template <class T>
class published {
public:
    constexpr published(T value = T{}) noexcept : value_(value) {}

    published(const published& other) noexcept : value_(static_cast<T>(other)) {}

    published& operator=(const published& other) noexcept { return *this = static_cast<T>(other); }

    published& operator=(T value) noexcept {
        value_.store(value, std::memory_order_release);
        return *this;
    }

    operator T() const noexcept { return value_.load(std::memory_order_acquire); }

private:
    std::atomic<T> value_;
};

}  // namespace fastalloc::detail
