// SPDX-License-Identifier: MIT
#pragma once

// Where a test can have something fail: each is passed by many operations, and fails when its turn comes.

#include "support/checking_resource.hpp"

#include <cstddef>
#include <memory_resource>
#include <new>

namespace fastalloc::testing::faults {

/// Who fails.
enum class source {
    upstream,
    operator_new,
    constructor,
    hook,
    growth_function,
    init_function,
    reset_function,
};

constexpr const char* name_of(source s) noexcept {
    constexpr const char* names[] = {"upstream",        "operator new",  "constructor",   "hook",
                                     "growth function", "init function", "reset function"};
    return names[static_cast<std::size_t>(s)];
}

struct fault {
    source where;
    bool lasts;     // or the next that passes succeeds again
    std::size_t n;  // so many pass before it
};

/// Effects: `f` happens from now on.
void arm(const fault& f) noexcept;

/// Effects: nothing fails any more. Returns: how often the fault struck.
std::size_t disarm() noexcept;

/// Whether what passes now fails.
bool strikes(source where) noexcept;

/// While it lives, whoever passes is the test itself.
class pause {
public:
    pause() noexcept;
    pause(const pause&) = delete;
    pause& operator=(const pause&) = delete;
    ~pause();
};

/// What code of users throws.
struct injected {
    source where;
};

inline void pass(source where) {
    if (strikes(where)) throw injected{where};
}

/// Blocks of operator new that are not deleted.
std::size_t operator_new_blocks() noexcept;

/// Checks what it is given back, and fails.
class upstream final : public std::pmr::memory_resource {
public:
    const checking_resource& checked() const noexcept { return checked_; }

private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        if (strikes(source::upstream)) throw std::bad_alloc();
        const pause books;
        return checked_.allocate(bytes, alignment);
    }

    void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) override {
        const pause books;
        checked_.deallocate(p, bytes, alignment);
    }

    bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
        return this == &other;
    }

    checking_resource checked_;
};

}  // namespace fastalloc::testing::faults
