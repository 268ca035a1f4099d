// SPDX-License-Identifier: MIT
#include <fastalloc/error.hpp>
#include <fastalloc/resource/larger_blocks.hpp>

#include <new>

namespace fastalloc::detail {

block_footer allocate_larger(std::pmr::memory_resource& upstream, std::size_t bytes,
                             std::size_t alignment, std::size_t footer_bytes) {
    // A block aligned to less than a footer may need padding before the footer. An upstream may
    // round up to the alignment, so that must not wrap either.
    const std::size_t block_bytes = saturating_add(bytes, footer_bytes + alignof(block_footer) - 1);
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
    return {upstream.allocate(block_bytes, alignment), block_bytes, alignment};
}

void* larger_blocks::allocate(std::pmr::memory_resource& upstream, std::size_t bytes,
                              std::size_t alignment) {
    const block_footer block = allocate_larger(upstream, bytes, alignment, sizeof(footer));
    auto* const f = ::new (footer_of<footer>(block.start, bytes)) footer{block, nullptr, first_};
    if (first_ != nullptr) first_->previous = f;
    first_ = f;
    return block.start;
}

void larger_blocks::deallocate(std::pmr::memory_resource& upstream, void* p, std::size_t bytes,
                               std::size_t) noexcept {
    const footer* const f = footer_of<footer>(p, bytes);
    unlink(f);
    deallocate_larger(upstream, f->block);
}

void larger_blocks::release(std::pmr::memory_resource& upstream) noexcept {
    while (first_ != nullptr) {
        const footer* const f = first_;
        unlink(f);
        deallocate_larger(upstream, f->block);
    }
}

bool larger_blocks::invariants_hold() const noexcept {
    // A list that goes round comes to a footer from another one than the first time.
    const footer* previous = nullptr;
    for (const footer* f = first_; f != nullptr; f = f->next) {
        if (f->previous != previous || !f->block.is_within(f)) return false;
        previous = f;
    }
    return true;
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
