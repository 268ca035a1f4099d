// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/fastalloc.hpp>

#include <cstddef>

namespace fastalloc::testing {

// The five typed pools, as types to instantiate tests with.

struct fixed {
    template <class T>
    using pool = fixed_pool<T>;
};

struct growing {
    template <class T>
    using pool = growing_pool<T>;
};

struct thread_local_ {
    template <class T>
    using pool = thread_local_pool<T>;
};

struct synchronized {
    template <class T>
    using pool = synchronized_pool<T>;
};

struct lock_free {
    template <class T>
    using pool = lock_free_pool<T>;
};

/// Room for so many objects, and no more.
inline pool_config up_to(std::size_t capacity) {
    return pool_config::builder().capacity(capacity).max_capacity(capacity).build();
}

/// What happened to objects of a test.
struct life {
    std::size_t constructed = 0;
    std::size_t destroyed = 0;

    std::size_t alive() const { return constructed - destroyed; }
};

/// An object that counts its like, and can refuse to be made.
class counted {
public:
    explicit counted(life& all, int number = 0) : value(number), life_(&all) {
        if (number < 0) throw number;
        ++life_->constructed;
    }
    counted(const counted&) = delete;
    counted& operator=(const counted&) = delete;
    ~counted() { ++life_->destroyed; }

    int value;

private:
    life* life_;
};

}  // namespace fastalloc::testing
