// SPDX-License-Identifier: MIT
#pragma once

// Fixtures of the suites for the resources that can grow, in their three forms.

#include "conformance/container_suite.hpp"
#include "conformance/drop_in_suite.hpp"
#include "conformance/listed.hpp"
#include "conformance/resource_suite.hpp"

#include <cstddef>
#include <memory_resource>

namespace fastalloc::testing {

template <class Resource>
struct growing_fixture {
    static constexpr bool can_grow = true;
    static constexpr std::size_t first_slots_kept = 0;
    static std::pmr::memory_resource* upstream_of(std::pmr::memory_resource* u) { return u; }
    Resource resource;
};

template <class Resource>
struct drop_in : growing_fixture<Resource> {
    // A first slab may lie with the books: up to 1 KiB of slots of 56 bytes.
    static constexpr std::size_t first_slots_kept =
        Resource::used_by == detail::threads::all ? 0 : 1024 / 56;
    static constexpr bool serves_larger = true;
    static bool fits(std::size_t bytes, std::size_t alignment) {
        return smallest_slot(bytes, alignment) <= 4096;
    }

    explicit drop_in(std::pmr::memory_resource* upstream)
        : growing_fixture<Resource>{Resource(upstream)} {}
};

template <class Resource>
struct single : growing_fixture<Resource> {
    static constexpr listed_class_spec classes[] = {{240, 16, 10}};
    static constexpr bool serves_larger = true;
    static bool fits(std::size_t bytes, std::size_t alignment) {
        return fits_listed(classes, bytes, alignment);
    }

    explicit single(std::pmr::memory_resource* upstream)
        : growing_fixture<Resource>{Resource(configs_of(classes).front(), upstream)} {}
};

template <class Resource>
struct list : growing_fixture<Resource> {
    static constexpr bool serves_larger = false;
    static bool fits(std::size_t bytes, std::size_t alignment) {
        return fits_listed(odd_classes, bytes, alignment);
    }

    explicit list(std::pmr::memory_resource* upstream)
        : growing_fixture<Resource>{
              Resource(configs_of(odd_classes, larger_requests::refuse), upstream)} {}
};

}  // namespace fastalloc::testing
