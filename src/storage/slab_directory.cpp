// SPDX-License-Identifier: MIT
#include <fastalloc/detail/machine.hpp>
#include <fastalloc/storage/slab_directory.hpp>

#include <algorithm>
#include <bit>

namespace fastalloc::detail {

std::size_t slab_directory::granules_of(const slab_range& s) const noexcept {
    const std::uintptr_t first = address(s.base) >> granule_shift_;
    const std::uintptr_t last = (address(s.base) + s.bytes - 1) >> granule_shift_;
    return last - first + 1;
}

void slab_directory::insert(slab_range* s) noexcept {
    const std::uintptr_t first = address(s->base) >> granule_shift_;
    const std::size_t count = granules_of(*s);
    for (std::uintptr_t granule = first; granule != first + count; ++granule) {
        std::size_t i = home(granule);
        while (entries_[i].slab != nullptr) i = (i + 1) & mask_;
        entries_[i] = {granule, s};
    }
    used_ += count;
}

bool slab_directory::has_room_for(const slab_range& s) const noexcept {
    return !empty() && (used_ + granules_of(s)) * 2 <= mask_ + 1;
}

slab_directory slab_directory::made_of(slab_range* added, slab_range* others,
                                       std::pmr::memory_resource* upstream) {
    // Granules of an eighth of today's mean slab make most look-ups end at the first
    // entry; below a page there is no such gain, and the table would outweigh small slabs.
    std::size_t bytes = added->bytes;
    std::size_t count = 1;
    for (const slab_range* s = others; s != nullptr; s = s->next) {
        bytes += s->bytes;
        ++count;
    }
    slab_directory larger;
    constexpr int page_shift = std::countr_zero(page);
    constexpr int smallest_granule = 6;
    const int mean = static_cast<int>(std::bit_width(bytes / count)) - 1;
    larger.granule_shift_ = static_cast<std::uint32_t>(
        std::max({mean - 3, std::min(mean, page_shift), smallest_granule}));
    std::size_t needed = larger.granules_of(*added);
    for (const slab_range* s = others; s != nullptr; s = s->next) needed += larger.granules_of(*s);

    const std::size_t size = std::bit_ceil(std::max<std::size_t>(needed * 3, 16));
    larger.entries_ = static_cast<entry*>(upstream->allocate(size * sizeof(entry), alignof(entry)));
    larger.mask_ = size - 1;
    larger.hash_shift_ = static_cast<std::uint32_t>(64 - std::countr_zero(size));
    larger.keep_only(others);
    larger.insert(added);
    return larger;
}

void slab_directory::keep_only(slab_range* all) noexcept {
    std::fill_n(entries_, mask_ + 1, entry{0, nullptr});
    used_ = 0;
    for (; all != nullptr; all = all->next) insert(all);
}

void slab_directory::release(std::pmr::memory_resource* upstream) noexcept {
    if (empty()) return;
    upstream->deallocate(entries_, (mask_ + 1) * sizeof(entry), alignof(entry));
    *this = slab_directory{};
}

}  // namespace fastalloc::detail
