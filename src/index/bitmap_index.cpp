// SPDX-License-Identifier: MIT
#include <fastalloc/index/bitmap_index.hpp>

namespace fastalloc {

bool bitmap_index::invariants_hold() const noexcept {
    std::size_t free = 0;
    std::size_t bits = capacity_;
    for (std::uint32_t level = 0; level != levels_; ++level, bits = words_for(bits)) {
        const word* const words = words_ + begin_[level];
        const std::size_t count = words_for(bits);
        const bool is_top = level + 1 == levels_;
        if (is_top != (count == 1)) return false;
        const word last = bits == 0 ? 0 : ~word{0} >> (-bits % 64);
        if ((words[count - 1] & ~last) != 0) return false;
        for (std::size_t w = 0; w != count; ++w) {
            if (level == 0) free += static_cast<std::size_t>(std::popcount(words[w]));
            if (is_top) continue;
            const word summary = words_[begin_[level + 1] + w / 64];
            if ((words[w] != 0) != ((summary >> (w % 64) & 1) != 0)) return false;
        }
    }
    return free == available_;
}

}  // namespace fastalloc
