// SPDX-License-Identifier: MIT
#pragma once

/// Declares the names of <fastalloc/fastalloc.hpp>.

#include <atomic>

namespace fastalloc {

class growth_strategy;
class pool_config;
enum class larger_requests;

class pool_exhausted;
class invalid_configuration;

class stack_index;
class free_list_index;
class bitmap_index;
template <template <class> class Atomic>
class basic_atomic_bitmap_index;
using atomic_bitmap_index = basic_atomic_bitmap_index<std::atomic>;

template <class Index, bool MayBeDropIn>
class basic_pool_resource;
template <class Index>
class basic_fixed_pool_resource;
template <class Index>
class basic_growing_pool_resource;

template <class Sharing>
class basic_shared_pool_resource;
template <class Index>
class basic_synchronized_pool_resource;
template <template <class> class Atomic>
class basic_lock_free_pool_resource;
template <class Index>
class basic_thread_local_pool_resource;

using fixed_pool_resource = basic_fixed_pool_resource<bitmap_index>;
using growing_pool_resource = basic_growing_pool_resource<bitmap_index>;
using unsynchronized_pool_resource = growing_pool_resource;
using synchronized_pool_resource = basic_synchronized_pool_resource<bitmap_index>;
using thread_local_pool_resource = basic_thread_local_pool_resource<bitmap_index>;
using lock_free_pool_resource = basic_lock_free_pool_resource<std::atomic>;

template <class T>
class allocator;
template <class T, class Resource>
class resource_allocator;

}  // namespace fastalloc
