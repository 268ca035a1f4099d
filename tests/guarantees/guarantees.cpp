// SPDX-License-Identifier: MIT

// What GUARANTEES.md has in its tables, for each resource: guarantees_test.py puts a line
// FASTALLOC_GUARANTEE(operation, whether it is noexcept) for each row in place of the includes.

#include <fastalloc/fastalloc.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <memory_resource>
#include <span>
#include <utility>

using namespace fastalloc;

#define FASTALLOC_GUARANTEE(operation, is_noexcept) \
    static_assert(noexcept(operation) == (is_noexcept), #operation)

namespace {

struct thing {
    int value = 0;
};

[[maybe_unused]] const auto f = [](const auto&...) {};
constexpr std::size_t n = 1;
constexpr std::size_t align = 1;

template <class R>
void of_resource(R& r, void* p, std::span<void*> out) {
#include "resources"
}

template <class R>
void of_constructors(R& r, std::pmr::memory_resource* up, const std::pmr::pool_options& options,
                     const pool_config& config, const std::array<pool_config, 2>& list) {
#include "constructors"
}

template <class R>
void of_fixed(std::pmr::memory_resource* up, const pool_config& config,
              const std::array<pool_config, 2>& list, std::span<std::byte> buffer) {
#include "fixed"
}

template <class R>
void of_statistics(R& r) {
#include "statistics"
}

template <class Pool, class T = thing>
void of_pool(Pool& pool, T* object, owned_handle<T>& owned, shared_handle<T>& shared,
             object_key key) {
#include "pools"
}

template <class T>
void of_handles(owned_handle<T>& owned, shared_handle<T>& shared, weak_handle<T>& weak,
                object_key key) {
#include "handles"
}

template <class A>
void of_allocator(A& a, typename A::value_type* t) {
#include "allocators"
}

template <class Limited>
void of_adaptors(statistics_resource& statistics, Limited& limited, page_resource& pages) {
#include "adaptors"
}

using index = bitmap_index;
using timed = timing_statistics;

// What has an address is instantiated.
[[maybe_unused]] const void* const all[] = {
    reinterpret_cast<const void*>(&of_resource<fixed_pool_resource>),
    reinterpret_cast<const void*>(&of_resource<growing_pool_resource>),
    reinterpret_cast<const void*>(&of_resource<thread_local_pool_resource>),
    reinterpret_cast<const void*>(&of_resource<synchronized_pool_resource>),
    reinterpret_cast<const void*>(&of_resource<lock_free_pool_resource>),
    reinterpret_cast<const void*>(&of_fixed<fixed_pool_resource>),
    reinterpret_cast<const void*>(&of_constructors<growing_pool_resource>),
    reinterpret_cast<const void*>(&of_constructors<thread_local_pool_resource>),
    reinterpret_cast<const void*>(&of_constructors<synchronized_pool_resource>),
    reinterpret_cast<const void*>(&of_constructors<lock_free_pool_resource>),
    reinterpret_cast<const void*>(&of_statistics<basic_fixed_pool_resource<index, timed>>),
    reinterpret_cast<const void*>(&of_statistics<basic_growing_pool_resource<index, timed>>),
    reinterpret_cast<const void*>(&of_statistics<basic_thread_local_pool_resource<index, timed>>),
    reinterpret_cast<const void*>(&of_statistics<basic_synchronized_pool_resource<index, timed>>),
    reinterpret_cast<const void*>(
        &of_statistics<basic_lock_free_pool_resource<std::atomic, timed>>),
    reinterpret_cast<const void*>(&of_pool<fixed_pool<thing>>),
    reinterpret_cast<const void*>(&of_pool<growing_pool<thing>>),
    reinterpret_cast<const void*>(&of_pool<thread_local_pool<thing>>),
    reinterpret_cast<const void*>(&of_pool<synchronized_pool<thing>>),
    reinterpret_cast<const void*>(&of_pool<lock_free_pool<thing>>),
    reinterpret_cast<const void*>(&of_handles<thing>),
    reinterpret_cast<const void*>(&of_allocator<allocator<thing>>),
    reinterpret_cast<const void*>(&of_allocator<resource_allocator<thing, fixed_pool_resource>>),
    reinterpret_cast<const void*>(&of_adaptors<limit_resource>),
};

}  // namespace
