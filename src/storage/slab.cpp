// SPDX-License-Identifier: MIT
#include <fastalloc/detail/machine.hpp>
#include <fastalloc/storage/slab.hpp>

namespace fastalloc::detail {

void touch_pages(std::byte* base, std::size_t bytes) noexcept {
    // A page that is larger is touched more than once.
    volatile std::byte* const memory = base;
    for (std::size_t offset = 0; offset < bytes; offset += page) memory[offset] = std::byte{0};
    if (bytes != 0) memory[bytes - 1] = std::byte{0};
}

}  // namespace fastalloc::detail
