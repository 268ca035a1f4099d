// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/detail/align.hpp>
#include <fastalloc/error.hpp>

#include <cstddef>
#include <memory>
#include <type_traits>

namespace fastalloc {

/// A standard allocator over a resource whose type is known: no virtual call on the way to a slot.
///
/// It refers to the resource, which must outlive every copy of the allocator. It goes along when a
/// container is moved or swapped, and stays when one is copied or copy-assigned.
///
/// Thread safety: that of the resource.
template <class T, class Resource>
class resource_allocator {
public:
    using value_type = T;
    using propagate_on_container_copy_assignment = std::false_type;
    using propagate_on_container_move_assignment = std::true_type;
    using propagate_on_container_swap = std::true_type;
    using is_always_equal = std::false_type;

    /// Not explicit, so that a container can be made from the resource itself.
    resource_allocator(Resource& resource) noexcept : resource_(std::addressof(resource)) {}

    template <class U>
    resource_allocator(const resource_allocator<U, Resource>& other) noexcept
        : resource_(std::addressof(other.resource())) {}

    /// Returns: uninitialized storage for `n` objects. Throws: `std::bad_array_new_length` if that
    /// many bytes cannot be represented; what the resource throws.
    [[nodiscard, gnu::always_inline]] T* allocate(std::size_t n) {
        if (n > detail::size_max / sizeof(T)) [[unlikely]]
            detail::throw_bad_array_new_length();
        return static_cast<T*>(resource_->allocate(n * sizeof(T), alignof(T)));
    }

    /// Preconditions: `p` came from `allocate(n)` of an equal allocator.
    [[gnu::always_inline]] void deallocate(T* p, std::size_t n) noexcept {
        resource_->deallocate(p, n * sizeof(T), alignof(T));
    }

    Resource& resource() const noexcept { return *resource_; }

private:
    Resource* resource_;
};

/// Whether what one allocates the other can deallocate.
template <class T, class U, class Resource>
bool operator==(const resource_allocator<T, Resource>& a,
                const resource_allocator<U, Resource>& b) noexcept {
    return std::addressof(a.resource()) == std::addressof(b.resource());
}

}  // namespace fastalloc
