// SPDX-License-Identifier: MIT
#pragma once

/// The ways into each resource, as functions whose code can be looked at and whose calls can be
/// counted. Those with numbers in them are the hot path for one size; the others have to find the
/// class first.

#include <fastalloc/fastalloc.hpp>

#include <cstddef>
#include <memory_resource>

namespace fastalloc {

/// What is asked for by those with numbers in them.
struct alignas(8) block_64 {
    std::byte bytes[64];
};

using object = std::max_align_t;

}  // namespace fastalloc

// Of each resource.
#define FASTALLOC_WAYS_INTO(name, resource)                                                      \
    extern "C" void* name##_allocate_64(fastalloc::resource&);                                   \
    extern "C" void name##_deallocate_64(fastalloc::resource&, void*);                           \
    extern "C" void* name##_try_allocate_64(fastalloc::resource&);                               \
    extern "C" void* name##_allocate(fastalloc::resource&, std::size_t bytes,                    \
                                     std::size_t alignment);                                     \
    extern "C" void name##_deallocate(fastalloc::resource&, void*, std::size_t bytes,            \
                                      std::size_t alignment);                                    \
    extern "C" void name##_make(fastalloc::object_pool<fastalloc::object, fastalloc::resource>&, \
                                fastalloc::owned_handle<fastalloc::object>* out);                \
    extern "C" void name##_make_shared(                                                          \
        fastalloc::object_pool<fastalloc::object, fastalloc::resource>&,                         \
        fastalloc::shared_handle<fastalloc::object>* out);                                       \
    extern "C" fastalloc::object* name##_find(                                                   \
        fastalloc::object_pool<fastalloc::object, fastalloc::resource>&, fastalloc::object_key);

FASTALLOC_WAYS_INTO(fixed, fixed_pool_resource)
FASTALLOC_WAYS_INTO(growing, growing_pool_resource)
FASTALLOC_WAYS_INTO(thread_local, thread_local_pool_resource)
FASTALLOC_WAYS_INTO(synchronized, synchronized_pool_resource)
FASTALLOC_WAYS_INTO(lock_free, lock_free_pool_resource)

// Of whatever resource it is.
extern "C" void* pointer_allocate_64(std::pmr::memory_resource&);
extern "C" void pointer_deallocate_64(std::pmr::memory_resource&, void*);
extern "C" void drop(fastalloc::owned_handle<fastalloc::object>&);
extern "C" void drop_shared(fastalloc::shared_handle<fastalloc::object>&);

// Of the whole process.
extern "C" void* allocator_allocate_64();
extern "C" void allocator_deallocate_64(void*);
