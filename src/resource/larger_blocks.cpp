// SPDX-License-Identifier: MIT
#include <fastalloc/detail/align.hpp>
#include <fastalloc/error.hpp>
#include <fastalloc/resource/larger_blocks.hpp>

#include <new>

namespace fastalloc::detail {

void* larger_blocks::allocate(std::pmr::memory_resource& upstream, std::size_t bytes,
                              std::size_t alignment) {
    // A block aligned to less than a footer may need padding before the footer. An upstream may
    // round up to the alignment, so that must not wrap either.
    const std::size_t block_bytes = saturating_add(bytes, sizeof(footer) + alignof(footer) - 1);
    if (saturating_add(block_bytes, alignment - 1) == size_max) {
        // Upstream decides how it fails: it is asked for what nobody has. (Volatile, because
        // compilers warn of such constants.)
        volatile std::size_t largest = size_max;
        const std::size_t size = largest;
        const std::size_t largest_alignment = size / 2 + 1;
        void* const impossible = upstream.allocate(size, largest_alignment);
        upstream.deallocate(impossible, size, largest_alignment);
        throw_bad_alloc();
    }
    void* const p = upstream.allocate(block_bytes, alignment);
    footer* const f =
        ::new (footer_of(p, bytes)) footer{nullptr, first_, p, block_bytes, alignment};
    if (first_ != nullptr) first_->previous = f;
    first_ = f;
    return p;
}

void larger_blocks::deallocate(std::pmr::memory_resource& upstream, void* p, std::size_t bytes,
                               std::size_t alignment) noexcept {
    const footer* const f = footer_of(p, bytes);
    const std::size_t block_bytes = f->block_bytes;
    unlink(f);
    upstream.deallocate(p, block_bytes, alignment);
}

void larger_blocks::release(std::pmr::memory_resource& upstream) noexcept {
    while (first_ != nullptr) {
        const footer f = *first_;
        unlink(first_);
        upstream.deallocate(f.start, f.block_bytes, f.alignment);
    }
}

larger_blocks::footer* larger_blocks::footer_of(void* p, std::size_t bytes) noexcept {
    const std::size_t end = address(p) + bytes;
    const std::size_t padding = round_up(end, alignof(footer)) - end;
    return reinterpret_cast<footer*>(static_cast<std::byte*>(p) + bytes + padding);
}

void larger_blocks::unlink(const footer* f) noexcept {
    if (f->previous != nullptr) {
        f->previous->next = f->next;
    } else {
        first_ = f->next;
    }
    if (f->next != nullptr) f->next->previous = f->previous;
}

}  // namespace fastalloc::detail
