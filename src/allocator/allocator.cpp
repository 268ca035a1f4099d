// SPDX-License-Identifier: MIT
#include <fastalloc/allocator/allocator.hpp>
#include <fastalloc/detail/align.hpp>
#include <fastalloc/error.hpp>

#include <cstdlib>

namespace fastalloc::detail {

namespace {

// Not operator new, which a program may define by way of the very pool that this is the upstream of.
class malloc_resource final : public std::pmr::memory_resource {
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        void* const p = alignment <= alignof(std::max_align_t)
                            ? std::malloc(bytes)
                            : std::aligned_alloc(alignment, rounded(bytes, alignment));
        if (p == nullptr) throw_bad_alloc();
        return p;
    }

    void do_deallocate(void* p, std::size_t, std::size_t) override { std::free(p); }

    bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
        return this == &other;
    }

    static std::size_t rounded(std::size_t bytes, std::size_t alignment) {
        if (bytes > size_max - alignment) throw_bad_alloc();
        return round_up(bytes, alignment);
    }
};

constinit immortal<malloc_resource> upstream_of_process_pool;

}  // namespace

constinit immortal<lock_free_pool_resource> process_pool(&upstream_of_process_pool.object);

}  // namespace fastalloc::detail
