// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/error.hpp>

#include <functional>
#include <utility>

namespace fastalloc {

/// When a typed pool constructs and destroys its objects. A plain value.
///
/// A pool that several threads use may call the functions in all of them at the same time, never
/// with a lock held.
template <class T>
class initialization {
public:
    /// Makes an object, in its slot. An exception passes through the `make` that asked.
    using init_function = std::function<T()>;
    /// Makes an object as good as new. One that throws has its object destroyed instead.
    using reset_function = std::function<void(T&)>;

    /// Constructed by `make(args...)`, destroyed when the handle goes.
    static initialization lazy() { return initialization(kind::lazy); }

    /// Constructed by `init` when the pool grows, all objects of the growth step; destroyed and
    /// made anew by `init` when the handle goes, so that `make()` hands out a fresh object and
    /// constructs none.
    /// Throws: `invalid_configuration` if there is no function.
    static initialization eager(init_function init) {
        initialization how(kind::eager);
        how.init_ = required("init", std::move(init));
        return how;
    }

    /// Constructed by `init` when a slot is first used; `reset` when the handle goes, and handed
    /// out again as it is. Throws: `invalid_configuration` if there is no function.
    static initialization recycling(init_function init, reset_function reset) {
        initialization how(kind::recycling);
        how.init_ = required("init", std::move(init));
        how.reset_ = required("reset", std::move(reset));
        return how;
    }

    /// Constructed by `make(args...)`, destroyed by the pool's `drain`, `trim` or destructor; or by
    /// a `make` that finds no other slot.
    static initialization deferred() { return initialization(kind::deferred); }

private:
    template <class, class>
    friend class object_pool;

    enum class kind { lazy, eager, recycling, deferred };

    explicit initialization(kind k) : kind_(k) {}

    template <class Function>
    static Function required(const char* field, Function f) {
        if (!f) detail::throw_invalid(field, "empty", "there must be a function to call");
        return f;
    }

    kind kind_;
    init_function init_;    // eager, recycling
    reset_function reset_;  // recycling
};

}  // namespace fastalloc
