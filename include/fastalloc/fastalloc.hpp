// SPDX-License-Identifier: MIT
#pragma once

/// Everything but boost/, in layer order: each layer includes only what stands above it here.
///
///   an index says which slot is next, storage says where it is,
///   a resource speaks std::pmr, an object pool speaks T, an allocator speaks STL.

#include <fastalloc/fwd.hpp>

// Values that every layer uses.
#include <fastalloc/collector.hpp>
#include <fastalloc/config.hpp>
#include <fastalloc/error.hpp>
#include <fastalloc/latency_histogram.hpp>
#include <fastalloc/statistics.hpp>

// Upstream: memory of the system, for pools.
#include <fastalloc/upstream/page_resource.hpp>

// Index: which slot is next.
#include <fastalloc/index/atomic_bitmap_index.hpp>
#include <fastalloc/index/bitmap_index.hpp>
#include <fastalloc/index/free_list_index.hpp>
#include <fastalloc/index/index_strategy.hpp>
#include <fastalloc/index/stack_index.hpp>

// Resources: memory_resources over pools of slots (see storage/ for where slots are).
#include <fastalloc/resource/fixed_pool_resource.hpp>
#include <fastalloc/resource/growing_pool_resource.hpp>
#include <fastalloc/resource/lock_free_pool_resource.hpp>
#include <fastalloc/resource/synchronized_pool_resource.hpp>
#include <fastalloc/resource/thread_local_pool_resource.hpp>

// Adaptors: memory_resources that stand before any other, and count, limit, fail or report requests.
#include <fastalloc/adaptor/fault_injection_resource.hpp>
#include <fastalloc/adaptor/guarded_resource.hpp>
#include <fastalloc/adaptor/limit_resource.hpp>
#include <fastalloc/adaptor/no_alloc_guard.hpp>
#include <fastalloc/adaptor/statistics_resource.hpp>

// Object pools: objects in those slots, and the handles that own them.
#include <fastalloc/object/initialization.hpp>
#include <fastalloc/object/object_key.hpp>
#include <fastalloc/object/object_pool.hpp>
#include <fastalloc/object/owned_handle.hpp>
#include <fastalloc/object/poolable.hpp>
#include <fastalloc/object/shared_handle.hpp>
#include <fastalloc/object/weak_handle.hpp>

// Allocators: the same pools for containers that name their allocator's type.
#include <fastalloc/allocator/allocator.hpp>
#include <fastalloc/allocator/resource_allocator.hpp>

// Reports: what is where, as values and pictures; what statistics say, as text, JSON and Prometheus
// text.
#include <fastalloc/report/occupancy.hpp>
#include <fastalloc/report/occupancy_picture.hpp>
#include <fastalloc/report/report.hpp>
#include <fastalloc/report/report_source.hpp>
