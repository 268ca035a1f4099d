// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/detail/align.hpp>
#include <fastalloc/detail/build.hpp>
#include <fastalloc/error.hpp>
#include <fastalloc/index/checked_index.hpp>
#include <fastalloc/storage/slot_geometry.hpp>

#include <cstddef>

namespace fastalloc::detail {

/// The index of a slab for `Index`: one that knows which slots are free, where frees are checked.
template <class Index>
struct index_for_checks {
    using type = Index;
};

template <class Index>
requires(build::has_checks && !index_that_knows<Index>) struct index_for_checks<Index> {
    using type = checked_index<Index>;
};

/// Returns: what is wrong with giving back `p`, which is in the slab `s` of `resource`.
template <class Slab>
bad_free fault_of(const Slab& s, const void* p, const slot_geometry& geometry,
                  const void* resource) noexcept {
    const std::size_t offset = address(p) - address(s.base);
    if (offset % geometry.stride() != 0) return {resource, p, misuse::interior_free};
    if (s.index.is_free(geometry.number_at(offset))) return {resource, p, misuse::double_free};
    return {};
}

}  // namespace fastalloc::detail
