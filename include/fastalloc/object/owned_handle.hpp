// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/object/object_home.hpp>
#include <fastalloc/object/poolable.hpp>

#include <compare>
#include <concepts>
#include <cstddef>
#include <functional>
#include <type_traits>
#include <utility>

namespace fastalloc {

template <class T, class Resource>
class object_pool;
template <class T>
class shared_handle;

namespace detail {

/// Returns: whether two pointers are the same address.
inline bool is_same_address(const volatile void* a, const volatile void* b) noexcept {
    return a == b;
}

template <class T>
void* untyped(T* p) noexcept {
    return const_cast<void*>(static_cast<const volatile void*>(p));
}

}  // namespace detail

/// Owns one object of a typed pool, or nothing: the object goes home when the handle goes. It is
/// two words, the same type for all pools. `T` may be incomplete where a handle is declared, as a
/// member of `T` among others; not where one is destroyed.
///
/// A handle of a derived class becomes one of any accessible base, virtual destructor or not: the
/// pool knows what the object is. The pool must outlive the handle.
///
/// Thread safety: as a pointer's. Where handles go in other threads than they came from, the pool's
/// resource must be made for that.
template <class T>
class owned_handle {
public:
    using element_type = T;

    /// Owns nothing.
    constexpr owned_handle() noexcept = default;
    constexpr owned_handle(std::nullptr_t) noexcept {}

    owned_handle(owned_handle&& other) noexcept
        : object_(std::exchange(other.object_, nullptr)), way_(other.way_) {}

    /// Effects: takes over what `other` owns.
    template <class U>
    requires(!std::same_as<U, T> && std::convertible_to<U*, T*>)
        owned_handle(owned_handle<U>&& other)
    noexcept : object_(other.object_), way_(other.way_) {
        way_ = way_.from_base(!detail::is_same_address(object_, other.object_));
        other.object_ = nullptr;
    }

    owned_handle& operator=(owned_handle&& other) noexcept {
        T* const object = std::exchange(other.object_, nullptr);
        take_over(object, other.way_);
        return *this;
    }

    owned_handle& operator=(std::nullptr_t) noexcept {
        reset();
        return *this;
    }

    ~owned_handle() {
        if (object_ != nullptr) drop(object_, way_);
    }

    /// Preconditions: not empty.
    T& operator*() const noexcept { return *object_; }

    /// Preconditions: not empty.
    T* operator->() const noexcept { return object_; }

    T* get() const noexcept { return object_; }

    explicit operator bool() const noexcept { return object_ != nullptr; }

    /// Effects: the object goes home; empty from now on.
    void reset() noexcept { take_over(nullptr, {}); }

    /// Returns: the object, which is the caller's to give to the pool's `adopt`; null if the handle
    /// is empty.
    /// Effects: empty from now on. Keys of the object go on to find it.
    [[nodiscard]] T* release() noexcept {
        if (object_ != nullptr) way_.leave();
        return std::exchange(object_, nullptr);
    }

    void swap(owned_handle& other) noexcept {
        std::swap(object_, other.object_);
        std::swap(way_, other.way_);
    }

    friend void swap(owned_handle& a, owned_handle& b) noexcept { a.swap(b); }

private:
    template <class>
    friend class owned_handle;
    template <class>
    friend class shared_handle;
    template <class, class>
    friend class object_pool;

    owned_handle(T* object, detail::way_home way) noexcept : object_(object), way_(way) {}

    // What it had goes last, for its destructor may use this handle.
    void take_over(T* object, detail::way_home way) noexcept {
        T* const old = std::exchange(object_, object);
        const detail::way_home old_way = std::exchange(way_, way);
        if (old != nullptr) drop(old, old_way);
    }

    static void drop(T* object, detail::way_home way) noexcept {
        // A type that cannot be destroyed is a base with a protected destructor.
        if constexpr (std::is_destructible_v<T>) {
            if (way.is_exact()) [[likely]] {
                if constexpr (has_on_release<T>) object->on_release();
                if constexpr (!std::is_trivially_destructible_v<T>) object->T::~T();
                way.home()->put(detail::untyped(object));
                return;
            }
        }
        way.drop(detail::untyped(object));
    }

    T* object_ = nullptr;
    detail::way_home way_;
};

static_assert(sizeof(owned_handle<int>) == 2 * sizeof(void*));

template <class T, class U>
bool operator==(const owned_handle<T>& a, const owned_handle<U>& b) noexcept {
    return a.get() == b.get();
}

template <class T, class U>
auto operator<=>(const owned_handle<T>& a, const owned_handle<U>& b) noexcept {
    return std::compare_three_way()(a.get(), b.get());
}

template <class T>
bool operator==(const owned_handle<T>& a, std::nullptr_t) noexcept {
    return a.get() == nullptr;
}

}  // namespace fastalloc

template <class T>
struct std::hash<fastalloc::owned_handle<T>> {
    std::size_t operator()(const fastalloc::owned_handle<T>& handle) const noexcept {
        return std::hash<T*>()(handle.get());
    }
};
