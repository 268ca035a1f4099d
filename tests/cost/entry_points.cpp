// SPDX-License-Identifier: MIT
#include "entry_points.hpp"

#include <cstddef>
#include <memory_resource>
#include <new>

using namespace fastalloc;

#define FASTALLOC_DEFINE_WAYS_INTO(name, resource)                                           \
    void* name##_allocate_64(resource& r) {                                                  \
        return resource_allocator<block_64, resource>(r).allocate(1);                        \
    }                                                                                        \
    void name##_deallocate_64(resource& r, void* p) {                                        \
        resource_allocator<block_64, resource>(r).deallocate(static_cast<block_64*>(p), 1);  \
    }                                                                                        \
    void* name##_try_allocate_64(resource& r) { return r.try_allocate(64, 8); }              \
    void* name##_allocate(resource& r, std::size_t bytes, std::size_t alignment) {           \
        return r.allocate(bytes, alignment);                                                 \
    }                                                                                        \
    void name##_deallocate(resource& r, void* p, std::size_t bytes, std::size_t alignment) { \
        r.deallocate(p, bytes, alignment);                                                   \
    }                                                                                        \
    void name##_make(object_pool<object, resource>& p, owned_handle<object>* out) {          \
        ::new (static_cast<void*>(out)) owned_handle<object>(p.make());                      \
    }                                                                                        \
    void name##_make_shared(object_pool<object, resource>& p, shared_handle<object>* out) {  \
        ::new (static_cast<void*>(out)) shared_handle<object>(p.make_shared());              \
    }                                                                                        \
    object* name##_find(object_pool<object, resource>& p, object_key key) { return p.find(key); }

FASTALLOC_DEFINE_WAYS_INTO(fixed, fixed_pool_resource)
FASTALLOC_DEFINE_WAYS_INTO(growing, growing_pool_resource)
FASTALLOC_DEFINE_WAYS_INTO(thread_local, thread_local_pool_resource)
FASTALLOC_DEFINE_WAYS_INTO(synchronized, synchronized_pool_resource)
FASTALLOC_DEFINE_WAYS_INTO(lock_free, lock_free_pool_resource)

void* pointer_allocate_64(std::pmr::memory_resource& r) { return r.allocate(64, 8); }

void pointer_deallocate_64(std::pmr::memory_resource& r, void* p) { r.deallocate(p, 64, 8); }

void drop(owned_handle<object>& h) { h.reset(); }

void drop_shared(shared_handle<object>& h) { h.reset(); }

void* allocator_allocate_64() { return allocator<block_64>().allocate(1); }

void allocator_deallocate_64(void* p) {
    allocator<block_64>().deallocate(static_cast<block_64*>(p), 1);
}
