// SPDX-License-Identifier: MIT
#include <fastalloc/error.hpp>
#include <fastalloc/storage/partial_slabs.hpp>

#include <memory>
#include <new>

namespace fastalloc::detail {

namespace {

// One block has the object, then the pointers, then the words of the bitmap.

std::size_t words_offset(slot_number capacity) noexcept {
    return sizeof(partial_slabs) + capacity * sizeof(slab_range*);
}

std::size_t block_bytes(slot_number capacity) noexcept {
    return words_offset(capacity) + bitmap_index::required_bytes(capacity);
}

}  // namespace

partial_slabs::partial_slabs(std::byte* memory, slot_number capacity)
    : words_memory_(memory + words_offset(capacity), bitmap_index::required_bytes(capacity)),
      positions_(capacity, &words_memory_),
      slabs_(reinterpret_cast<slab_range**>(memory + sizeof(partial_slabs))) {
    std::uninitialized_fill_n(slabs_, capacity, nullptr);
    clear();
}

partial_slabs* partial_slabs::made_for(std::size_t capacity, std::pmr::memory_resource* upstream) {
    if (capacity > no_slot) throw_bad_alloc();
    const auto most = static_cast<slot_number>(capacity);
    auto* const memory =
        static_cast<std::byte*>(upstream->allocate(block_bytes(most), alignof(partial_slabs)));
    return ::new (memory) partial_slabs(memory, most);
}

void partial_slabs::release(partial_slabs* slabs, std::pmr::memory_resource* upstream) noexcept {
    if (slabs == nullptr) return;
    const std::size_t bytes = block_bytes(slabs->positions_.capacity());
    slabs->~partial_slabs();
    upstream->deallocate(slabs, bytes, alignof(partial_slabs));
}

void partial_slabs::take_all(partial_slabs& others) noexcept {
    others.positions_.for_each_free([&](slot_number position) {
        const slot_number number = others.mirrored(position);
        put(others.slabs_[number], number);
    });
    others.clear();
}

}  // namespace fastalloc::detail
