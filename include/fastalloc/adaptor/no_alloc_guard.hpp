// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/adaptor/guarded_resource.hpp>
#include <fastalloc/detail/export.hpp>
#include <fastalloc/error.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace fastalloc {

namespace detail {

/// One of the calling thread's scopes in which a resource is guarded, linked to those around it.
class no_alloc_scope {
public:
    using handler_call = void (*)(void* handler, std::size_t bytes, std::size_t alignment);

    FASTALLOC_EXPORT no_alloc_scope(const guarded_resource& resource, handler_call call,
                                    void* handler) noexcept;
    no_alloc_scope(const no_alloc_scope&) = delete;
    no_alloc_scope& operator=(const no_alloc_scope&) = delete;
    FASTALLOC_EXPORT ~no_alloc_scope();

    std::uint64_t violations() const noexcept { return violations_; }

    /// Effects: counts an allocation in each scope of this thread that guards `resource`, and calls
    /// the handler of the innermost. None if this thread is in such a handler.
    static void count_allocation(const guarded_resource& resource, std::size_t bytes,
                                 std::size_t alignment);

private:
    const guarded_resource* resource_;
    handler_call call_;
    void* handler_;
    no_alloc_scope* outer_;
    std::uint64_t violations_ = 0;
};

/// The handler of a guard that was given none.
struct misuse_reporter {
    const guarded_resource* resource;

    [[noreturn]] void operator()(std::size_t bytes, std::size_t alignment) const noexcept {
        report_misuse({misuse::allocation_in_guard, resource, 0, {}, bytes, alignment});
    }
};

}  // namespace detail

/// A scope in which the thread that made it does not mean to allocate from a resource, as the loop of
/// a real-time thread must not. Each allocation that it does there is told to a handler, before it goes
/// on. Other threads allocate as they like.
///
/// Guards nest, of one resource or of several: the innermost of the resource handles, and all of it
/// around that count. What a handler allocates itself is not told of. A guard allocates nothing.
///
///     fastalloc::guarded_resource memory(&pool);
///     fastalloc::no_alloc_guard guard(memory);  // prints and aborts; or:
///     fastalloc::no_alloc_guard guard(memory, [&](std::size_t bytes, std::size_t alignment) {...});
///
/// Preconditions: it is destroyed by the thread that made it. Thread safety: none.
template <class Handler = detail::misuse_reporter>
class no_alloc_guard {
    static_assert(std::invocable<Handler&, std::size_t, std::size_t>);

public:
    /// Effects: an allocation is misuse: the misuse handler is told, and the program aborted.
    /// Preconditions: `resource` outlives this.
    explicit no_alloc_guard(
        guarded_resource& resource) noexcept requires std::same_as<Handler, detail::misuse_reporter>
        : no_alloc_guard(resource, detail::misuse_reporter{&resource}) {}

    /// Effects: at an allocation `handler(bytes, alignment)` is called. When it returns, the allocation
    /// goes on; when it throws, nothing is allocated and the exception passes through.
    /// Preconditions: `resource` outlives this.
    no_alloc_guard(guarded_resource& resource, Handler handler)
        : handler_(std::move(handler)), scope_(resource, call, &handler_) {}

    /// Returns: how often this thread asked the resource for memory since this was made.
    std::uint64_t violations() const noexcept { return scope_.violations(); }

private:
    static void call(void* handler, std::size_t bytes, std::size_t alignment) {
        (*static_cast<Handler*>(handler))(bytes, alignment);
    }

    Handler handler_;
    detail::no_alloc_scope scope_;  // last, so that the handler is there as long as it
};

no_alloc_guard(guarded_resource&)->no_alloc_guard<>;

}  // namespace fastalloc
