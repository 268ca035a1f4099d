// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/adaptor/resource_adaptor.hpp>
#include <fastalloc/detail/export.hpp>

#include <cstddef>
#include <memory_resource>

namespace fastalloc {

/// Passes requests on as they are, and tells of those that a `no_alloc_guard` forbids. A thread that
/// has no guard pays for one look at a word of its own.
///
/// Deallocation is allowed everywhere, and never told of.
///
/// Thread safety: as upstream's. Equality: identity.
class FASTALLOC_EXPORT guarded_resource : public detail::resource_adaptor {
public:
    /// Preconditions: `upstream` is not null and outlives this.
    explicit guarded_resource(
        std::pmr::memory_resource* upstream = std::pmr::get_default_resource()) noexcept
        : resource_adaptor(upstream) {}

protected:
    /// Throws: what the handler of a guard throws; what upstream throws.
    void* do_allocate(std::size_t bytes, std::size_t alignment) final;
    void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) final;
};

}  // namespace fastalloc
