// SPDX-License-Identifier: MIT
#include <fastalloc/adaptor/no_alloc_guard.hpp>

namespace fastalloc::detail {

namespace {

struct thread_scopes {
    no_alloc_scope* innermost = nullptr;
    bool in_handler = false;
};

// Found without a call, also in a shared library: a call might allocate it.
constinit thread_local thread_scopes scopes __attribute__((tls_model("initial-exec")));

struct in_handler_guard {
    in_handler_guard() noexcept { scopes.in_handler = true; }
    in_handler_guard(const in_handler_guard&) = delete;
    in_handler_guard& operator=(const in_handler_guard&) = delete;
    ~in_handler_guard() { scopes.in_handler = false; }
};

}  // namespace

no_alloc_scope::no_alloc_scope(const guarded_resource& resource, handler_call call,
                               void* handler) noexcept
    : resource_(&resource), call_(call), handler_(handler), outer_(scopes.innermost) {
    scopes.innermost = this;
}

no_alloc_scope::~no_alloc_scope() {
    no_alloc_scope** link = &scopes.innermost;
    while (*link != this) link = &(*link)->outer_;
    *link = outer_;
}

void no_alloc_scope::count_allocation(const guarded_resource& resource, std::size_t bytes,
                                      std::size_t alignment) {
    if (scopes.in_handler) return;
    const no_alloc_scope* handling = nullptr;
    for (no_alloc_scope* s = scopes.innermost; s != nullptr; s = s->outer_) {
        if (s->resource_ != &resource) continue;
        ++s->violations_;
        if (handling == nullptr) handling = s;
    }
    if (handling == nullptr) return;
    const in_handler_guard guard;
    handling->call_(handling->handler_, bytes, alignment);
}

}  // namespace fastalloc::detail
