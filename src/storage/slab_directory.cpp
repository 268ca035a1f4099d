// SPDX-License-Identifier: MIT
#include <fastalloc/storage/slab_directory.hpp>

#include <algorithm>
#include <bit>

namespace fastalloc::detail {

void slab_directory::insert(slab_range* s) noexcept {
    const std::uintptr_t first = address(s->base) >> granule_shift_;
    const std::size_t count = granules_of(*s, granule_shift_);
    for (std::uintptr_t granule = first; granule != first + count; ++granule) {
        std::size_t i = home(granule);
        while (entries_[i].slab != nullptr) i = (i + 1) & mask_;
        entries_[i] = {granule, s};
    }
    used_ += count;
}

bool slab_directory::has_room_for(const slab_range& s) const noexcept {
    return !empty() && (used_ + granules_of(s, granule_shift_)) * 2 <= mask_ + 1;
}

slab_directory slab_directory::made_of(slab_range* added, slab_range* others,
                                       std::pmr::memory_resource* upstream) {
    std::size_t bytes = added->bytes;
    std::size_t count = 1;
    for (const slab_range* s = others; s != nullptr; s = s->next) {
        bytes += s->bytes;
        ++count;
    }
    slab_directory larger;
    larger.granule_shift_ = granule_shift_for(bytes / count);
    std::size_t needed = granules_of(*added, larger.granule_shift_);
    for (const slab_range* s = others; s != nullptr; s = s->next) {
        needed += granules_of(*s, larger.granule_shift_);
    }

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

bool slab_directory::invariants_hold(const slab_range* all) const noexcept {
    const std::size_t size = mask_ + 1;
    if (!std::has_single_bit(size) ||
        std::countr_zero(size) != 64 - static_cast<int>(hash_shift_) || used_ * 2 > size) {
        return false;
    }
    const auto is_used = [](const entry& e) { return e.slab != nullptr; };
    if (static_cast<std::size_t>(std::count_if(entries_, entries_ + size, is_used)) != used_) {
        return false;
    }
    std::size_t expected = 0;
    for (const slab_range* s = all; s != nullptr; s = s->next) {
        const std::uintptr_t first = address(s->base) >> granule_shift_;
        const std::size_t count = granules_of(*s, granule_shift_);
        expected += count;
        if (expected > used_) return false;
        for (std::uintptr_t granule = first; granule != first + count; ++granule) {
            bool is_found = false;
            for (std::size_t i = home(granule); is_used(entries_[i]); i = (i + 1) & mask_) {
                const entry& e = entries_[i];
                if (e.granule != granule) continue;
                if (e.slab == s) {
                    is_found = true;
                } else if (e.slab->contains(s->base)) {
                    return false;
                }
            }
            if (!is_found) return false;
        }
    }
    return expected == used_;
}

}  // namespace fastalloc::detail
