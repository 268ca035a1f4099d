// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/object/shared_handle.hpp>
#include <fastalloc/object/ticket.hpp>

#include <concepts>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace fastalloc {

/// Knows one object of a typed pool that shared handles own, or nothing, and keeps nothing alive:
/// when the last owner is gone the slot is free at once. It can be copied like a number. The pool
/// must outlive it.
///
/// Thread safety: as a pointer's; `lock` and `expired` may race with owners that come and go.
template <class T>
class weak_handle {
public:
    using element_type = T;

    /// Knows nothing.
    constexpr weak_handle() noexcept = default;

    template <class U>
    requires std::convertible_to<U*, T*> weak_handle(const shared_handle<U>& handle)
    noexcept
        : object_(handle.object_),
          ticket_(handle.ticket_),
          generation_(ticket_ == nullptr ? 0 : ticket_->state.observe()) {}

    /// From a derived class to a base that is not virtual: to find a virtual base takes a live
    /// object.
    template <class U>
    requires(!std::same_as<U, T> && std::convertible_to<U*, T*> && requires(T * base) {
        static_cast<const volatile U*>(base);
    }) weak_handle(const weak_handle<U>& other)
    noexcept : object_(other.object_), ticket_(other.ticket_), generation_(other.generation_) {}

    /// Returns: a share of the object; empty if it is dead.
    [[nodiscard]] shared_handle<T> lock() const noexcept {
        if (ticket_ == nullptr || !ticket_->state.try_add(generation_)) return {};
        return {object_, ticket_};
    }

    /// Whether the object is dead, or the handle knows none.
    bool expired() const noexcept {
        return ticket_ == nullptr || !ticket_->state.is_alive(generation_);
    }

    /// Effects: knows nothing from now on.
    void reset() noexcept { *this = weak_handle(); }

    friend void swap(weak_handle& a, weak_handle& b) noexcept { std::swap(a, b); }

    /// Whether both know the same object, which may be dead, or both know nothing. A later object
    /// in the same slot is another one.
    friend bool operator==(const weak_handle& a, const weak_handle& b) noexcept {
        return a.ticket_ == b.ticket_ && a.generation_ == b.generation_;
    }

private:
    template <class>
    friend class weak_handle;

    T* object_ = nullptr;
    detail::ticket* ticket_ = nullptr;
    std::uint32_t generation_ = 0;
};

static_assert(std::is_trivially_copyable_v<weak_handle<int>>);

}  // namespace fastalloc
