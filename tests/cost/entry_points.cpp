// SPDX-License-Identifier: MIT

// The ways into each resource, as functions whose code can be looked at. Those with numbers in them
// are the hot path for one size; the others have to find the class first.

#include <fastalloc/fastalloc.hpp>

#include <cstddef>
#include <new>

using namespace fastalloc;

#define FASTALLOC_ENTRY_POINTS(name, resource)                                                \
    extern "C" void* name##_allocate_64(resource& r) { return r.allocate(64, 8); }            \
    extern "C" void name##_deallocate_64(resource& r, void* p) { r.deallocate(p, 64, 8); }    \
    extern "C" void* name##_try_allocate_64(resource& r) { return r.try_allocate(64, 8); }    \
    extern "C" void* name##_allocate(resource& r, std::size_t bytes, std::size_t alignment) { \
        return r.allocate(bytes, alignment);                                                  \
    }                                                                                         \
    extern "C" void name##_deallocate(resource& r, void* p, std::size_t bytes,                \
                                      std::size_t alignment) {                                \
        r.deallocate(p, bytes, alignment);                                                    \
    }                                                                                         \
    extern "C" void name##_make(object_pool<std::max_align_t, resource>& p,                   \
                                owned_handle<std::max_align_t>* out) {                        \
        ::new (static_cast<void*>(out)) owned_handle<std::max_align_t>(p.make());             \
    }                                                                                         \
    extern "C" void name##_drop(owned_handle<std::max_align_t>& h) { h.reset(); }

FASTALLOC_ENTRY_POINTS(fixed, fixed_pool_resource)
FASTALLOC_ENTRY_POINTS(growing, growing_pool_resource)
FASTALLOC_ENTRY_POINTS(thread_local_, thread_local_pool_resource)
FASTALLOC_ENTRY_POINTS(synchronized, synchronized_pool_resource)
FASTALLOC_ENTRY_POINTS(lock_free, lock_free_pool_resource)

// The virtual functions of the vtables as well, which are otherwise in the library.
template class fastalloc::basic_pool_resource<bitmap_index, false, no_statistics>;
template class fastalloc::basic_pool_resource<bitmap_index, true, no_statistics>;
template class fastalloc::basic_shared_pool_resource<detail::locked_sharing<bitmap_index>,
                                                     no_statistics>;
template class fastalloc::basic_shared_pool_resource<detail::lock_free_sharing<std::atomic>,
                                                     no_statistics>;
template class fastalloc::basic_thread_local_pool_resource<bitmap_index, no_statistics>;
