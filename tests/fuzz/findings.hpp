// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>

namespace fastalloc::fuzz {

/// A resource or pool did what the model does not allow.
class violation : public std::logic_error {
public:
    using std::logic_error::logic_error;
};

/// Keeps the first thing that was wrong, for it may be found where nothing can be thrown: in a
/// destructor, or in another thread.
class findings {
public:
    /// Effects: if `holds` is false, and it is the first such, keeps `what`.
    void require(bool holds, const char* what) {
        if (!holds) keep(what);
    }

    /// The same, with two numbers that are to be equal.
    void require_equal(std::size_t found, std::size_t expected, const char* what) {
        if (found != expected) keep(what, found, expected);
    }

    bool any() const noexcept { return !first_.empty(); }

    const std::string& first() const noexcept { return first_; }

private:
    // Where a debugger finds the place that was wrong.
    [[gnu::noinline]] void keep(std::string what) {
        if (first_.empty()) first_ = std::move(what);
    }

    [[gnu::noinline]] void keep(const char* what, std::size_t found, std::size_t expected) {
        keep(std::string(what) + ": " + std::to_string(found) + " instead of " +
             std::to_string(expected));
    }

    std::string first_;
};

}  // namespace fastalloc::fuzz
