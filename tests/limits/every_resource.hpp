// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/fastalloc.hpp>

#include <cstddef>

/// For TEMPLATE_TEST_CASE: every resource with every index, made of a configuration and upstream.
#define FASTALLOC_RESOURCES_THAT_GROW                                            \
    fastalloc::basic_growing_pool_resource<fastalloc::bitmap_index>,             \
        fastalloc::basic_growing_pool_resource<fastalloc::stack_index>,          \
        fastalloc::basic_growing_pool_resource<fastalloc::free_list_index>,      \
        fastalloc::basic_thread_local_pool_resource<fastalloc::bitmap_index>,    \
        fastalloc::basic_thread_local_pool_resource<fastalloc::stack_index>,     \
        fastalloc::basic_thread_local_pool_resource<fastalloc::free_list_index>, \
        fastalloc::basic_synchronized_pool_resource<fastalloc::bitmap_index>,    \
        fastalloc::basic_synchronized_pool_resource<fastalloc::stack_index>,     \
        fastalloc::basic_synchronized_pool_resource<fastalloc::free_list_index>, \
        fastalloc::lock_free_pool_resource

#define FASTALLOC_EVERY_RESOURCE                                          \
    fastalloc::basic_fixed_pool_resource<fastalloc::bitmap_index>,        \
        fastalloc::basic_fixed_pool_resource<fastalloc::stack_index>,     \
        fastalloc::basic_fixed_pool_resource<fastalloc::free_list_index>, \
        FASTALLOC_RESOURCES_THAT_GROW

namespace fastalloc::testing {

inline constexpr std::size_t kib = 1024;
inline constexpr std::size_t mib = 1024 * kib;
inline constexpr std::size_t gib = 1024 * mib;

inline pool_config::builder_type slots_of(std::size_t bytes, std::size_t capacity) {
    return pool_config::builder().slot_size(bytes).capacity(capacity);
}

}  // namespace fastalloc::testing
