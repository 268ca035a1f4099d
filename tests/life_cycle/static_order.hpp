// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/fastalloc.hpp>

#include <map>
#include <string>
#include <string_view>
#include <utility>

/// Of the program that static_order_main.cpp describes.
namespace static_order {

using text = std::basic_string<char, std::char_traits<char>, fastalloc::allocator<char>>;
using texts = std::map<int, text, std::less<int>, fastalloc::allocator<std::pair<const int, text>>>;

/// Effects: ends the program with a message, and a status that says so, unless `condition`.
void expect(bool condition, std::string_view message);

/// Resources that are made when the first static object needs them, and never destroyed.
fastalloc::synchronized_pool_resource& synchronized();
fastalloc::lock_free_pool_resource& lock_free();
fastalloc::thread_local_pool_resource& of_threads();

/// Allocates when it is made and when it is destroyed; and frees then what others allocated.
class early_and_late {
public:
    explicit early_and_late(std::string_view name);
    early_and_late(const early_and_late&) = delete;
    early_and_late& operator=(const early_and_late&) = delete;
    ~early_and_late();

    std::string_view name() const { return name_; }

private:
    std::string_view name_;
    texts texts_;
    void* blocks_[3] = {};
};

/// What a translation unit hands on to whichever is destroyed last.
texts& handed_on();

/// Frees, when it is destroyed, what others handed on.
class heir {
public:
    /// `name` has one letter, another for each.
    explicit heir(std::string_view name) : own_(name) { hand_on(0); }
    heir(const heir&) = delete;
    heir& operator=(const heir&) = delete;

    ~heir() {
        if (!handed_on().empty()) handed_on().erase(handed_on().begin());
        hand_on(1);
    }

private:
    void hand_on(int which) {
        const char letter = own_.name().front();
        handed_on().emplace(2 * letter + which, text(200, letter));
    }

    early_and_late own_;
};

}  // namespace static_order
