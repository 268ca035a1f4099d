// SPDX-License-Identifier: MIT
#pragma once

/// Who is measured in `handles`: a contender makes objects, and says what owns them.

#include "contenders.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <type_traits>
#include <vector>

#ifdef FASTALLOC_PERF_BOOST_POOL
#include <boost/pool/object_pool.hpp>
#endif

namespace perf {

/// In the largest row.
constexpr std::uint32_t most_objects = 100'000;

struct object {
    explicit object(std::uint64_t n) : id(n) {}

    std::uint64_t id;
    double position[3] = {};
    double velocity[3] = {};
    std::uint32_t energy = 1;
    std::uint32_t flags = 0;
};
static_assert(sizeof(object) == 64);

// The contenders of the rows in which an object has one owner. Each says what its handle is, how an
// object is made and dropped, and how a handle leads to it.

/// Handles that drop their objects themselves.
template <class Handle>
struct with_owners {
    using resource_type = void;
    using handle = Handle;

    static void drop(handle& h) { h.reset(); }
    static object& at(const handle& h) { return *h; }
};

struct make_unique : with_owners<std::unique_ptr<object>> {
    static constexpr const char* name = "make_unique";

    static handle make(std::uint64_t n) { return std::make_unique<object>(n); }
};

template <class T>
struct mimalloc_allocator {
    using value_type = T;

    mimalloc_allocator() = default;
    template <class U>
    mimalloc_allocator(const mimalloc_allocator<U>&) {}

    T* allocate(std::size_t n) {
        void* const p = malloc_library::mimalloc.allocate(n * sizeof(T));
        if (p == nullptr) [[unlikely]]
            throw std::bad_alloc();
        return static_cast<T*>(p);
    }

    void deallocate(T* p, std::size_t) { malloc_library::mimalloc.free(p); }

    friend bool operator==(const mimalloc_allocator&, const mimalloc_allocator&) = default;
};

struct mimalloc_delete {
    void operator()(object* p) const {
        std::destroy_at(p);
        malloc_library::mimalloc.free(p);
    }
};

struct mimalloc_unique : with_owners<std::unique_ptr<object, mimalloc_delete>> {
    using resource_type = mimalloc;
    static constexpr const char* name = "mimalloc";

    static handle make(std::uint64_t n) {
        return handle(::new (mimalloc_allocator<object>().allocate(1)) object(n));
    }
};

#ifdef FASTALLOC_PERF_BOOST_POOL
/// Pointers, and whose they are the program must know.
struct with_pointers {
    using resource_type = void;
    using handle = object*;

    static object& at(handle h) { return *h; }
};

/// As it is: it keeps its free list in order, and looks for the place of each object that comes
/// back.
struct boost_object_pool : with_pointers {
    static constexpr const char* name = "boost_object_pool";

    handle make(std::uint64_t n) { return pool.construct(n); }
    void drop(handle h) { pool.destroy(h); }

    boost::object_pool<object> pool;
};

/// The pool of blocks below it, without that order.
struct boost_unordered_pool : with_pointers {
    static constexpr const char* name = "boost_pool";

    handle make(std::uint64_t n) {
        void* const p = pool.malloc();
        if (p == nullptr) [[unlikely]]
            throw std::bad_alloc();
        return ::new (p) object(n);
    }

    void drop(handle h) {
        std::destroy_at(h);
        pool.free(h);
    }

    boost::pool<> pool{sizeof(object)};
};

using with_boost = contender_list<boost_unordered_pool>;
using with_boost_order = contender_list<boost_object_pool>;
#else
using with_boost = contender_list<>;
using with_boost_order = contender_list<>;
#endif

/// Objects in a vector and handles that are places in it, with a generation to see stale ones by.
/// Written by hand. Its objects move when it grows, and none is destroyed before another takes its
/// place.
class slot_map {
public:
    using resource_type = void;
    static constexpr const char* name = "slot_map";

    struct handle {
        std::uint32_t place, generation;

        std::uint32_t get() const { return place; }
    };

    handle make(std::uint64_t n) {
        if (free_.empty()) {
            objects_.emplace_back(n);
            generations_.push_back(0);
            return {static_cast<std::uint32_t>(objects_.size() - 1), 0};
        }
        const std::uint32_t place = free_.back();
        free_.pop_back();
        objects_[place] = object(n);
        return {place, generations_[place]};
    }

    void drop(handle h) {
        (void)at(h);
        ++generations_[h.place];
        free_.push_back(h.place);
    }

    object& at(handle h) {
        object* const p = find(h);
        if (p == nullptr) [[unlikely]]
            std::abort();
        return *p;
    }

    static handle key_of(handle h) { return h; }

    object* find(handle h) {
        const bool is_alive =
            h.place < generations_.size() && generations_[h.place] == h.generation;
        return is_alive ? &objects_[h.place] : nullptr;
    }

private:
    std::vector<object> objects_;
    std::vector<std::uint32_t> generations_;
    std::vector<std::uint32_t> free_;
};

/// A pool of fastalloc. One that cannot grow has room for the objects of the largest row.
template <label Name, class Resource>
class typed_pool : public with_owners<fastalloc::owned_handle<object>> {
public:
    static constexpr const char* name = Name.text;

    auto make(std::uint64_t n) { return pool_.make(n); }
    auto make_batch(std::size_t count, std::uint64_t n) { return pool_.make_batch(count, n); }
    auto make_shared(std::uint64_t n) { return pool_.make_shared(n); }
    auto key_of(fastalloc::owned_handle<object>& h) { return pool_.key_of(h); }
    object* find(fastalloc::object_key key) { return pool_.find(key); }

private:
    static fastalloc::pool_config config() {
        constexpr bool grows = !std::is_same_v<Resource, fastalloc::fixed_pool_resource>;
        return fastalloc::pool_config::builder().capacity(grows ? 64 : most_objects).build();
    }

    fastalloc::object_pool<object, Resource> pool_{config()};
};

using fixed = typed_pool<"fastalloc_fixed", fastalloc::fixed_pool_resource>;
using growing = typed_pool<"fastalloc_growing", fastalloc::growing_pool_resource>;
using lock_free = typed_pool<"fastalloc_lock_free", fastalloc::lock_free_pool_resource>;

using with_keys =
    contender_list<slot_map, fixed, growing,
                   typed_pool<"fastalloc_thread_local", fastalloc::thread_local_pool_resource>,
                   typed_pool<"fastalloc_synchronized", fastalloc::synchronized_pool_resource>,
                   lock_free>;
using mallocs = contender_list<make_unique, mimalloc_unique>;
using shared_pools = contender_list<growing, lock_free>;

// The contenders of the rows in which an object has several.

/// std::shared_ptr, whose allocator is behind the door of a contender.
template <class Contender>
class shared_ptr_by : Contender {
public:
    using Contender::name;
    using typename Contender::resource_type;

    auto make_shared(std::uint64_t n) {
        return std::allocate_shared<object>(this->door().template allocator<object>(), n);
    }
};

struct mimalloc_process : through_process<"mimalloc", mimalloc_allocator> {
    using resource_type = mimalloc;
};

using shared_ptrs = contender_list<
    shared_ptr_by<through_process<"make_shared", std::allocator>>, shared_ptr_by<mimalloc_process>,
    shared_ptr_by<through_type<"fastalloc_resource_allocator", fastalloc::growing_pool_resource>>,
    shared_ptr_by<through_process<"fastalloc_allocator", fastalloc::allocator>>>;

}  // namespace perf
