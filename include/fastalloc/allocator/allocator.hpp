// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/detail/align.hpp>
#include <fastalloc/detail/export.hpp>
#include <fastalloc/error.hpp>
#include <fastalloc/resource/lock_free_pool_resource.hpp>

#include <cstddef>
#include <memory>
#include <memory_resource>
#include <type_traits>

namespace fastalloc {

namespace detail {

/// An object that is there before any constructor runs and after every destructor has.
template <class T>
union immortal {
    T object;

    template <class... Args>
    constexpr explicit immortal(Args*... args) noexcept : object(args...) {}
    // A defaulted one would be deleted where T's is not trivial.
    constexpr ~immortal() {}  // NOLINT(modernize-use-equals-default)
};

extern FASTALLOC_EXPORT constinit immortal<lock_free_pool_resource> process_pool;

}  // namespace detail

/// Returns: the pool of the whole process, which `allocator` draws on, for
/// `std::pmr::set_default_resource` and the like. It serves every size, takes memory from `malloc`
/// and is never destroyed. Thread safety: that of a `lock_free_pool_resource`; usable from the first
/// constructor before `main` to the last destructor after it, in every thread, and after `fork()`.
inline std::pmr::memory_resource* default_resource() noexcept {
    return &detail::process_pool.object;
}

/// What replaces `std::allocator` in one word: stateless, always equal, any thread allocates, any
/// thread frees. All draw on `default_resource()`, without a virtual call on the way.
template <class T>
class allocator {
public:
    using value_type = T;
    using size_type = std::size_t;
    using difference_type = std::ptrdiff_t;
    using propagate_on_container_move_assignment = std::true_type;
    using is_always_equal = std::true_type;

    constexpr allocator() noexcept = default;

    template <class U>
    constexpr allocator(const allocator<U>&) noexcept {}

    /// Returns: uninitialized storage for `n` objects. Throws: `std::bad_array_new_length` if that
    /// many bytes cannot be represented; `std::bad_alloc` if there is no memory.
    [[nodiscard, gnu::always_inline]] constexpr T* allocate(std::size_t n) {
        if (std::is_constant_evaluated()) return std::allocator<T>().allocate(n);
        if (n > detail::size_max / sizeof(T)) [[unlikely]]
            detail::throw_bad_array_new_length();
        return static_cast<T*>(detail::process_pool.object.allocate(n * sizeof(T), alignof(T)));
    }

    /// Preconditions: `p` came from `allocate(n)` of any `fastalloc::allocator<T>`.
    [[gnu::always_inline]] constexpr void deallocate(T* p, std::size_t n) noexcept {
        if (std::is_constant_evaluated()) return std::allocator<T>().deallocate(p, n);
        detail::process_pool.object.deallocate(p, n * sizeof(T), alignof(T));
    }
};

template <class T, class U>
constexpr bool operator==(const allocator<T>&, const allocator<U>&) noexcept {
    return true;
}

}  // namespace fastalloc
