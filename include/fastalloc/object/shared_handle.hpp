// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/object/owned_handle.hpp>
#include <fastalloc/object/ticket.hpp>

#include <compare>
#include <concepts>
#include <cstddef>
#include <functional>
#include <utility>

namespace fastalloc {

template <class T>
class weak_handle;

/// Owns one object of a typed pool together with its copies, or nothing: the object goes home with
/// the last of them. It is two words, the same type for all pools. Owners are counted atomically
/// only where the pool's resource is made for several threads. At most 2^30 - 1 handles may own one
/// object.
///
/// Conversions, the pool's lifetime: as `owned_handle`. Thread safety: as that of
/// `std::shared_ptr`, if the pool's resource is made for several threads.
template <class T>
class shared_handle {
public:
    using element_type = T;

    /// Owns nothing.
    constexpr shared_handle() noexcept = default;
    constexpr shared_handle(std::nullptr_t) noexcept {}

    shared_handle(const shared_handle& other) noexcept
        : shared_handle(other.object_, other.ticket_) {
        if (ticket_ != nullptr) ticket_->state.add();
    }

    shared_handle(shared_handle&& other) noexcept
        : object_(std::exchange(other.object_, nullptr)),
          ticket_(std::exchange(other.ticket_, nullptr)) {}

    template <class U>
    requires(!std::same_as<U, T> && std::convertible_to<U*, T*>)
        shared_handle(const shared_handle<U>& other)
    noexcept : shared_handle(other.object_, other.ticket_) {
        if (ticket_ != nullptr) ticket_->state.add();
    }

    template <class U>
    requires(!std::same_as<U, T> && std::convertible_to<U*, T*>)
        shared_handle(shared_handle<U>&& other)
    noexcept : shared_handle(other.object_, std::exchange(other.ticket_, nullptr)) {
        other.object_ = nullptr;
    }

    /// Effects: takes over what `other` owns. Throws: what the pool's upstream throws, which may
    /// have to provide for the count; `other` owns the object then.
    template <class U>
    requires std::convertible_to<U*, T*> shared_handle(owned_handle<U>&& other) {
        if (other == nullptr) return;
        ticket_ = other.way_.ticket_of(detail::untyped(other.object_));
        object_ = std::exchange(other.object_, nullptr);
    }

    // Not by value: in a template, clang 14 does not destroy a parameter that is made from {}.

    shared_handle& operator=(const shared_handle& other) noexcept {
        shared_handle(other).swap(*this);
        return *this;
    }

    shared_handle& operator=(shared_handle&& other) noexcept {
        shared_handle(std::move(other)).swap(*this);
        return *this;
    }

    ~shared_handle() {
        if (ticket_ != nullptr && ticket_->state.drop()) detail::end_of_owners(ticket_);
    }

    /// Preconditions: not empty.
    T& operator*() const noexcept { return *object_; }

    /// Preconditions: not empty.
    T* operator->() const noexcept { return object_; }

    T* get() const noexcept { return object_; }

    explicit operator bool() const noexcept { return object_ != nullptr; }

    /// Handles that own the object, this one included, by the time somebody reads it; 0 if this is
    /// empty.
    std::size_t use_count() const noexcept {
        return ticket_ == nullptr ? 0 : ticket_->state.count();
    }

    /// Effects: gives up its share; empty from now on.
    void reset() noexcept { shared_handle().swap(*this); }

    void swap(shared_handle& other) noexcept {
        std::swap(object_, other.object_);
        std::swap(ticket_, other.ticket_);
    }

    friend void swap(shared_handle& a, shared_handle& b) noexcept { a.swap(b); }

private:
    template <class>
    friend class shared_handle;
    template <class>
    friend class weak_handle;
    template <class, class>
    friend class object_pool;

    shared_handle(T* object, detail::ticket* t) noexcept : object_(object), ticket_(t) {}

    T* object_ = nullptr;
    detail::ticket* ticket_ = nullptr;  // null where the handle is empty
};

static_assert(sizeof(shared_handle<int>) == 2 * sizeof(void*));

template <class T, class U>
bool operator==(const shared_handle<T>& a, const shared_handle<U>& b) noexcept {
    return a.get() == b.get();
}

template <class T, class U>
auto operator<=>(const shared_handle<T>& a, const shared_handle<U>& b) noexcept {
    return std::compare_three_way()(a.get(), b.get());
}

template <class T>
bool operator==(const shared_handle<T>& a, std::nullptr_t) noexcept {
    return a.get() == nullptr;
}

}  // namespace fastalloc

template <class T>
struct std::hash<fastalloc::shared_handle<T>> {
    std::size_t operator()(const fastalloc::shared_handle<T>& handle) const noexcept {
        return std::hash<T*>()(handle.get());
    }
};
