// SPDX-License-Identifier: MIT
#pragma once

/// Who is measured. A *contender* is a resource and the *door* that a program reaches it by; a
/// workload asks the door for `allocator<T>()` and knows nothing else of it.

#include <fastalloc/fastalloc.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <memory_resource>
#include <new>
#include <optional>
#include <string_view>
#include <type_traits>

#if __has_include(<boost/pool/pool.hpp>)
#include <boost/pool/pool.hpp>
#define FASTALLOC_PERF_BOOST_POOL
#endif
#ifdef FASTALLOC_PERF_BOOST
#include <fastalloc/boost/bridge.hpp>

#include <boost/container/pmr/synchronized_pool_resource.hpp>
#include <boost/container/pmr/unsynchronized_pool_resource.hpp>
#endif
#ifdef FASTALLOC_PERF_FOONATHAN
#include <foonathan_memory/foonathan/memory/memory_pool_collection.hpp>
#endif

namespace perf {

/// How many blocks of 64 bytes a cell has at most, for whoever must be told.
struct expected {
    std::size_t blocks;
};

// The resources.

/// What allocation costs when nobody allocates: the same address each time.
class floor final : public std::pmr::memory_resource {
    void* do_allocate(std::size_t, std::size_t) override { return block_; }

    void do_deallocate(void*, std::size_t, std::size_t) override {}

    bool do_is_equal(const memory_resource& other) const noexcept override {
        return this == &other;
    }

    alignas(std::max_align_t) std::byte block_[4096];
};

/// What allocation costs when nobody frees: the next bytes of a buffer that has been written to.
class monotonic final : public std::pmr::memory_resource {
public:
    /// Effects: begins anew.
    void release() { resource_.release(); }

private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        return resource_.allocate(bytes, alignment);
    }

    void do_deallocate(void*, std::size_t, std::size_t) override {}

    bool do_is_equal(const memory_resource& other) const noexcept override {
        return this == &other;
    }

    static constexpr std::size_t size = 32 << 20;  // as much as any row takes

    std::unique_ptr<std::byte[]> buffer_ = std::make_unique<std::byte[]>(size);
    std::pmr::monotonic_buffer_resource resource_{buffer_.get(), size};
};

/// Stands for `std::pmr::new_delete_resource()`.
struct new_delete {};

/// `malloc` and `free`, with less on the way than `std::pmr::new_delete_resource()`, which asks for
/// every alignment by name.
class process_malloc final : public std::pmr::memory_resource {
public:
    /// Whose it is: "glibc", unless the command line names one that was preloaded.
    static std::string_view library;

private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        void* const p = alignment <= alignof(std::max_align_t)
                            ? std::malloc(bytes)
                            : std::aligned_alloc(alignment, (bytes + alignment - 1) & -alignment);
        if (p == nullptr) [[unlikely]]
            throw std::bad_alloc();
        return p;
    }

    void do_deallocate(void* p, std::size_t, std::size_t) override { std::free(p); }

    bool do_is_equal(const memory_resource& other) const noexcept override {
        return this == &other;
    }
};

#ifdef FASTALLOC_PERF_BOOST
/// Without a second virtual call on the way from std::pmr to Boost.
template <class Pool>
class boost_resource final : public std::pmr::memory_resource {
public:
    boost_resource() = default;

    explicit boost_resource(std::pmr::memory_resource* upstream)
        : upstream_(*upstream), pool_(&*upstream_) {}

private:
    struct pool : Pool {
        using Pool::Pool;

        void* take(std::size_t bytes, std::size_t alignment) {
            return Pool::do_allocate(bytes, alignment);
        }

        void put(void* p, std::size_t bytes, std::size_t alignment) {
            Pool::do_deallocate(p, bytes, alignment);
        }
    };

    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        return pool_.take(bytes, alignment);
    }

    void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) override {
        pool_.put(p, bytes, alignment);
    }

    bool do_is_equal(const memory_resource& other) const noexcept override {
        return this == &other;
    }

    std::optional<fastalloc::boost_resource> upstream_;  // if none, Boost's own
    pool pool_;
};

using boost_pool = boost_resource<boost::container::pmr::unsynchronized_pool_resource>;
using boost_synchronized_pool = boost_resource<boost::container::pmr::synchronized_pool_resource>;
#endif

#ifdef FASTALLOC_PERF_BOOST_POOL
/// Boost.Pool's, which has blocks of one size.
class boost_blocks final : public std::pmr::memory_resource {
public:
    // They hide the base's, as fastalloc's do, so that both doors lead here.
    void* allocate(std::size_t, std::size_t) {
        void* const p = pool_.malloc();
        if (p == nullptr) [[unlikely]]
            throw std::bad_alloc();
        return p;
    }

    void deallocate(void* p, std::size_t, std::size_t) { pool_.free(p); }

private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        return allocate(bytes, alignment);
    }

    void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) override {
        deallocate(p, bytes, alignment);
    }

    bool do_is_equal(const memory_resource& other) const noexcept override {
        return this == &other;
    }

    boost::pool<> pool_{64};
};
#endif

#ifdef FASTALLOC_PERF_FOONATHAN
/// foonathan/memory's pools for nodes of up to `LargestNode` bytes; larger blocks from upstream.
///
/// It has two ways from a size to its pool, and neither is the best everywhere: one pool for each
/// power of two is cheap to make, one pool for each size is fast to find. A block is shared out among
/// all of them, and each share has to be larger than a node.
template <class Buckets, std::size_t LargestNode, std::size_t FirstBlock>
class foonathan_pools final : public std::pmr::memory_resource {
public:
    // As above.
    void* allocate(std::size_t bytes, std::size_t alignment) {
        if (bytes > LargestNode) [[unlikely]]
            return upstream_->allocate(bytes, alignment);
        return pools_.allocate_node(bytes);
    }

    void deallocate(void* p, std::size_t bytes, std::size_t alignment) {
        if (bytes > LargestNode) [[unlikely]]
            return upstream_->deallocate(p, bytes, alignment);
        pools_.deallocate_node(p, bytes);
    }

private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        return allocate(bytes, alignment);
    }

    void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) override {
        deallocate(p, bytes, alignment);
    }

    bool do_is_equal(const memory_resource& other) const noexcept override {
        return this == &other;
    }

    foonathan::memory::memory_pool_collection<foonathan::memory::node_pool, Buckets> pools_{
        LargestNode, FirstBlock};
    std::pmr::memory_resource* upstream_ = std::pmr::get_default_resource();
};

using foonathan_log2 = foonathan_pools<foonathan::memory::log2_buckets, 4096, 64 << 10>;
using foonathan_identity = foonathan_pools<foonathan::memory::identity_buckets, 1024, 4 << 20>;
#endif

/// A malloc that is found at run time: a program that links mimalloc has no other malloc to compare
/// with.
struct malloc_library {
    void* (*allocate)(std::size_t bytes) = nullptr;
    void* (*allocate_aligned)(std::size_t bytes, std::size_t alignment) = nullptr;
    void (*free)(void* p) = nullptr;

    /// Nulls where a library is missing.
    static const malloc_library mimalloc, tbb;
};

template <const malloc_library& Library>
class library_malloc final : public std::pmr::memory_resource {
public:
    static bool is_available() { return Library.allocate != nullptr; }

private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        void* const p = alignment <= alignof(std::max_align_t)
                            ? Library.allocate(bytes)
                            : Library.allocate_aligned(bytes, alignment);
        if (p == nullptr) [[unlikely]]
            throw std::bad_alloc();
        return p;
    }

    void do_deallocate(void* p, std::size_t, std::size_t) override { Library.free(p); }

    bool do_is_equal(const memory_resource& other) const noexcept override {
        return this == &other;
    }
};

using mimalloc = library_malloc<malloc_library::mimalloc>;
using tbb_malloc = library_malloc<malloc_library::tbb>;

/// Of blocks of 64 bytes.
class fixed_blocks : public fastalloc::fixed_pool_resource {
public:
    explicit fixed_blocks(expected most = {64},
                          std::pmr::memory_resource* upstream = std::pmr::get_default_resource())
        : fastalloc::fixed_pool_resource(
              fastalloc::pool_config::builder().slot_size(64).capacity(most.blocks).build(),
              upstream) {}
};

// The doors.

/// A string literal as a template argument.
template <std::size_t N>
struct label {
    char text[N];

    constexpr label(const char (&literal)[N]) { std::copy_n(literal, N, text); }
};

/// The same pointer, but the compiler no longer knows the object: virtual calls stay virtual.
template <class T>
T* opaque(T* p) {
    asm("" : "+r"(p));
    return p;
}

/// What a workload sees of a contender that is reached by way of `memory_resource*`: the same type of
/// all, so that all run the same machine code. For each of them alone the compiler would inline more
/// of a container or less, which alone can be a quarter of the time.
class pointer_door {
public:
    explicit pointer_door(std::pmr::memory_resource* resource, monotonic* buffer = nullptr)
        : resource_(opaque(resource)), buffer_(buffer) {}

    template <class T>
    std::pmr::polymorphic_allocator<T> allocator() const {
        return resource_;
    }

    /// To be called where nothing is live: who does not free begins anew.
    void all_is_freed() const {
        if (buffer_ != nullptr) buffer_->release();
    }

private:
    std::pmr::memory_resource* resource_;
    monotonic* buffer_;
};

/// By way of `memory_resource*`, as std::pmr's containers go.
template <label Name, class Resource>
class through_pointer {
public:
    using resource_type = Resource;
    static constexpr const char* name = Name.text;

    template <class... Arguments>
    requires std::is_constructible_v<Resource, Arguments...>
    explicit through_pointer(Arguments... arguments) : resource_(arguments...) {}

    Resource& resource() { return resource_; }

    pointer_door door() {
        if constexpr (std::is_same_v<Resource, new_delete>) {
            return pointer_door(std::pmr::new_delete_resource());
        } else if constexpr (std::is_same_v<Resource, monotonic>) {
            return pointer_door(&resource_, &resource_);
        } else {
            return pointer_door(&resource_);
        }
    }

private:
    Resource resource_;
};

template <class Resource>
class type_door {
public:
    explicit type_door(Resource& resource) : resource_(opaque(&resource)) {}

    template <class T>
    fastalloc::resource_allocator<T, Resource> allocator() const {
        return *resource_;
    }

    void all_is_freed() const {}

private:
    Resource* resource_;
};

/// By way of the resource's type, without a virtual call.
template <label Name, class Resource>
class through_type {
public:
    using resource_type = Resource;
    static constexpr const char* name = Name.text;

    template <class... Arguments>
    requires std::is_constructible_v<Resource, Arguments...>
    explicit through_type(Arguments... arguments) : resource_(arguments...) {}

    type_door<Resource> door() { return type_door<Resource>(resource_); }

private:
    Resource resource_;
};

template <template <class> class Allocator>
struct process_door {
    template <class T>
    Allocator<T> allocator() const {
        return {};
    }
};

/// By way of an allocator that is the same in the whole process.
template <label Name, template <class> class Allocator>
class through_process {
public:
    using resource_type = void;
    static constexpr const char* name = Name.text;

    process_door<Allocator> door() { return {}; }
};

// The contenders.

template <class... Contenders>
struct contender_list {};

template <class... First, class... Then>
contender_list<First..., Then...> operator+(contender_list<First...>, contender_list<Then...>) {
    return {};
}

using with_floor = contender_list<through_pointer<"floor", floor>>;
using with_monotonic = contender_list<through_pointer<"monotonic", monotonic>>;

/// Those of which a program can have thousands.
using peers =
    contender_list<through_pointer<"new_delete", new_delete>,
                   through_pointer<"malloc", process_malloc>, through_pointer<"mimalloc", mimalloc>,
                   through_pointer<"tbb", tbb_malloc>,
                   through_pointer<"libstdc++_pool", std::pmr::unsynchronized_pool_resource>
#ifdef FASTALLOC_PERF_BOOST
                   ,
                   through_pointer<"boost_pool", boost_pool>
#endif
                   >;

/// Those that ask for much to begin with.
using large_peers = contender_list<
#ifdef FASTALLOC_PERF_FOONATHAN
    through_pointer<"foonathan_log2", foonathan_log2>,
    through_pointer<"foonathan", foonathan_identity>,
    through_type<"foonathan_static", foonathan_identity>
#endif
    >;

using ours = contender_list<through_pointer<"fastalloc", fastalloc::growing_pool_resource>,
                            through_type<"fastalloc_static", fastalloc::growing_pool_resource>>;

using contenders = decltype(peers{} + large_peers{} + ours{});

/// Where all blocks are of 64 bytes.
using with_one_size = contender_list<
#ifdef FASTALLOC_PERF_BOOST_POOL
    through_pointer<"boost_simple_pool", boost_blocks>,
    through_type<"boost_simple_pool_static", boost_blocks>
#endif
    >;

/// Where it is said as well how many there are at most, or few are.
using with_fixed = contender_list<through_pointer<"fastalloc_fixed", fixed_blocks>,
                                  through_type<"fastalloc_fixed_static", fixed_blocks>>;

struct pages_below {
    fastalloc::page_resource pages;
};

/// Over memory straight from the system, in huge pages where there are some.
class pool_over_pages : pages_below, public fastalloc::growing_pool_resource {
public:
    pool_over_pages() : fastalloc::growing_pool_resource(&this->pages) {}
};

using with_pages = contender_list<through_pointer<"fastalloc_pages", pool_over_pages>>;

/// What several threads may use at once.
using shared_contenders =
    contender_list<through_pointer<"new_delete", new_delete>,
                   through_pointer<"malloc", process_malloc>,
                   through_pointer<"libstdc++_synchronized", std::pmr::synchronized_pool_resource>,
#ifdef FASTALLOC_PERF_BOOST
                   through_pointer<"boost_synchronized", boost_synchronized_pool>,
#endif
                   through_pointer<"mimalloc", mimalloc>, through_pointer<"tbb", tbb_malloc>,
                   through_pointer<"fastalloc_synchronized", fastalloc::synchronized_pool_resource>,
                   through_pointer<"fastalloc_lock_free", fastalloc::lock_free_pool_resource>,
                   through_process<"fastalloc_allocator", fastalloc::allocator>>;

/// What one thread may use, as the mark for what it costs that others might come.
using with_growing =
    contender_list<through_pointer<"fastalloc_growing", fastalloc::growing_pool_resource>>;

/// Where each thread frees its own blocks only.
using with_thread_local = contender_list<
    through_pointer<"fastalloc_thread_local", fastalloc::thread_local_pool_resource>>;

}  // namespace perf
