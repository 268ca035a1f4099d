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

/// Returns: the number of the slot at `p`, which is in a slab of `resource` and taken. Reports anything
/// else.
template <class Slab>
slot_number number_of_taken(const Slab& s, const void* p, const slot_geometry& geometry,
                            const void* resource) noexcept {
    const std::size_t offset = address(p) - address(s.base);
    if (offset % geometry.stride() != 0) report_bad_free(misuse::interior_free, resource, p);
    const slot_number n = geometry.number_at(offset);
    if (s.index.is_free(n)) report_bad_free(misuse::double_free, resource, p);
    return n;
}

}  // namespace fastalloc::detail
