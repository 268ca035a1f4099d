// SPDX-License-Identifier: MIT
#pragma once

/// Declares the names of <fastalloc/fastalloc.hpp>.

#include <atomic>

namespace fastalloc {

class growth_strategy;
class pool_config;
enum class larger_requests;

class latency_histogram;
struct latency_statistics;
enum class allocation_failure : unsigned char;
struct failure_counts;
struct slot_statistics;
struct class_statistics;
struct pool_statistics;
struct object_statistics;
struct request_statistics;
struct page_statistics;
enum class slot_state : unsigned char;
struct visited_slot;

class pool_exhausted;
class invalid_configuration;
enum class misuse;
struct misuse_report;

class stack_index;
class free_list_index;
class bitmap_index;
template <template <class> class Atomic>
class basic_atomic_bitmap_index;
using atomic_bitmap_index = basic_atomic_bitmap_index<std::atomic>;

struct no_statistics;
struct counting_statistics;
class timing_statistics;

template <class Index, bool MayBeDropIn, class Collector>
class basic_pool_resource;
template <class Index, class Collector>
class basic_fixed_pool_resource;
template <class Index, class Collector>
class basic_growing_pool_resource;

template <class Sharing, class Collector>
class basic_shared_pool_resource;
template <class Index, class Collector>
class basic_synchronized_pool_resource;
template <template <class> class Atomic, class Collector>
class basic_lock_free_pool_resource;
template <class Index, class Collector>
class basic_thread_local_pool_resource;

using fixed_pool_resource = basic_fixed_pool_resource<bitmap_index, no_statistics>;
using growing_pool_resource = basic_growing_pool_resource<bitmap_index, no_statistics>;
using unsynchronized_pool_resource = growing_pool_resource;
using synchronized_pool_resource = basic_synchronized_pool_resource<bitmap_index, no_statistics>;
using thread_local_pool_resource = basic_thread_local_pool_resource<bitmap_index, no_statistics>;
using lock_free_pool_resource = basic_lock_free_pool_resource<std::atomic, no_statistics>;

enum class huge_pages : unsigned char;
struct page_options;
class page_resource;

struct state_counts;
struct occupancy_figures;
struct size_occupancy;
class slab_occupancy;
class occupancy;
struct text_picture_options;
struct svg_picture_options;

class statistics_resource;
class limit_resource;
class fault_injection_resource;
class guarded_resource;
template <class Handler>
class no_alloc_guard;

template <class T>
class initialization;
template <class T>
class owned_handle;
template <class T>
class shared_handle;
template <class T>
class weak_handle;
class object_key;
template <class T, class Resource>
class object_pool;

template <class T>
using fixed_pool = object_pool<T, fixed_pool_resource>;
template <class T>
using growing_pool = object_pool<T, growing_pool_resource>;
template <class T>
using thread_local_pool = object_pool<T, thread_local_pool_resource>;
template <class T>
using synchronized_pool = object_pool<T, synchronized_pool_resource>;
template <class T>
using lock_free_pool = object_pool<T, lock_free_pool_resource>;

template <class T>
class allocator;
template <class T, class Resource>
class resource_allocator;

struct latency_summary;
struct latency_summaries;
class report_source;
class report_sources;

}  // namespace fastalloc
