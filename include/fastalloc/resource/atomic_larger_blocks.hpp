// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/detail/doubling_place.hpp>
#include <fastalloc/detail/invariants.hpp>
#include <fastalloc/error.hpp>
#include <fastalloc/resource/larger_blocks.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <new>

namespace fastalloc::detail {

/// As `larger_blocks`, for any number of threads, none of which waits for another.
///
/// Each block has an entry in a table, and its footer says which. An entry is null while nobody has it,
/// and taken by one compare and exchange. The only thing ever read through an entry is what `release`
/// reads, which requires that no other thread is inside: so entries may be reused at once, there is no
/// ABA problem, and every access to an entry is relaxed. The table is at most half full when a thread
/// looks for an entry, unless others take some at the same time; so a look finds one in a few steps, and
/// fails only where others succeed.
template <template <class> class Atomic>
class atomic_larger_blocks {
public:
    /// Throws: what upstream throws; `std::bad_alloc` if no upstream could represent the size.
    void* allocate(std::pmr::memory_resource& upstream, std::size_t bytes, std::size_t alignment) {
        const std::uint32_t entry_number = take_entry(upstream);
        const entry_guard guard{this, entry_number};
        const block_footer block = allocate_larger(upstream, bytes, alignment, sizeof(footer));
        auto* const f = ::new (footer_of<footer>(block.start, bytes)) footer{block, entry_number};
        entry_at(entry_number).store(f, std::memory_order_relaxed);
        return block.start;
    }

    /// Preconditions: `p` came from `allocate(upstream, bytes, alignment)`.
    void deallocate(std::pmr::memory_resource& upstream, void* p, std::size_t bytes,
                    std::size_t) noexcept {
        const footer f = *footer_of<footer>(p, bytes);
        return_entry(f.entry_number);
        deallocate_larger(upstream, f.block);
    }

    /// Effects: gives every block back. Preconditions: no other thread is inside.
    void release(std::pmr::memory_resource& upstream) noexcept {
        for (std::uint32_t s = 0; s != segment_count; ++s) {
            entry* const segment = segment_at(s);
            if (segment == nullptr) break;
            for (std::uint32_t i = 0; i != place::size_of(s); ++i) {
                footer* const f = segment[i].exchange(nullptr, std::memory_order_relaxed);
                // An entry stays reserved if fork() cut short who took it.
                if (f != nullptr && f != reserved()) deallocate_larger(upstream, f->block);
            }
            if (s == 0) continue;
            upstream.deallocate(segment, place::size_of(s) * sizeof(entry), alignof(entry));
            segments_[s].store(nullptr, std::memory_order_relaxed);
        }
        used_.store(0, std::memory_order_relaxed);
    }

    /// Whether each block has the entry that its footer says, and no other entry is taken. For tests,
    /// and builds that check everything. Preconditions: no other thread is inside. Complexity: linear in
    /// the number of entries.
    bool invariants_hold() const noexcept {
        std::uint32_t count = 0;
        for (std::uint32_t s = 0; s != segment_count; ++s) {
            const entry* const segment =
                s == 0 ? first_.data() : segments_[s].load(std::memory_order_relaxed);
            if (segment == nullptr) break;
            for (std::uint32_t i = 0; i != place::size_of(s); ++i) {
                const footer* const f = segment[i].load(std::memory_order_relaxed);
                if (f == nullptr) continue;
                ++count;
                if (f == reserved() || f->entry_number != place::first_of(s) + i) return false;
                if (!f->block.is_within(f)) return false;
            }
        }
        return count == used_.load(std::memory_order_relaxed);
    }

private:
    friend struct invariants_test_access;

    struct footer {
        block_footer block;
        std::uint32_t entry_number;
    };

    using entry = Atomic<footer*>;
    using place = doubling_place<8>;
    static constexpr std::uint32_t segment_count = 28;

    /// Returns the entry if it is still only reserved.
    struct entry_guard {
        atomic_larger_blocks* blocks;
        std::uint32_t entry_number;

        ~entry_guard() {
            auto& e = blocks->entry_at(entry_number);
            if (e.load(std::memory_order_relaxed) == blocks->reserved()) {
                blocks->return_entry(entry_number);
            }
        }
    };

    // An address that no footer has.
    footer* reserved() const noexcept {
        return reinterpret_cast<footer*>(const_cast<atomic_larger_blocks*>(this));
    }

    entry* segment_at(std::uint32_t s) noexcept {
        return s == 0 ? first_.data() : segments_[s].load(std::memory_order_acquire);
    }

    entry& entry_at(std::uint32_t number) noexcept {
        const place at(number);
        return segment_at(at.segment)[at.offset];
    }

    std::uint32_t capacity() noexcept {
        std::uint32_t s = 1;
        while (s != segment_count && segment_at(s) != nullptr) ++s;
        return place::first_of(s);
    }

    std::uint32_t take_entry(std::pmr::memory_resource& upstream) {
        const std::uint32_t used = used_.fetch_add(1, std::memory_order_relaxed) + 1;
        if (used * 2 > capacity()) try_add_segment(upstream);
        for (;;) {
            const std::uint32_t size = capacity();
            for (std::uint32_t i = 0; i != size; ++i) {
                const std::uint32_t number = next_.fetch_add(1, std::memory_order_relaxed) % size;
                footer* expected = nullptr;
                if (entry_at(number).compare_exchange_strong(expected, reserved(),
                                                             std::memory_order_relaxed)) {
                    return number;
                }
            }
            if (!try_add_segment(upstream)) break;
        }
        used_.fetch_sub(1, std::memory_order_relaxed);
        throw_bad_alloc();
    }

    bool try_add_segment(std::pmr::memory_resource& upstream) noexcept {
        std::uint32_t s = 1;
        while (s != segment_count && segment_at(s) != nullptr) ++s;
        if (s == segment_count) return false;
        const std::size_t bytes = place::size_of(s) * sizeof(entry);
        void* const memory = try_upstream(upstream, bytes, alignof(entry));
        if (memory == nullptr) return false;
        auto* const made = static_cast<entry*>(memory);
        for (std::uint32_t i = 0; i != place::size_of(s); ++i) ::new (made + i) entry(nullptr);
        entry* expected = nullptr;
        if (!segments_[s].compare_exchange_strong(expected, made, std::memory_order_release,
                                                  std::memory_order_relaxed)) {
            upstream.deallocate(memory, bytes, alignof(entry));
        }
        return true;
    }

    void return_entry(std::uint32_t number) noexcept {
        entry_at(number).store(nullptr, std::memory_order_relaxed);
        used_.fetch_sub(1, std::memory_order_relaxed);
    }

    std::array<entry, 8> first_{};
    std::array<Atomic<entry*>, segment_count> segments_{};  // the first is not used
    Atomic<std::uint32_t> used_{0};                         // entries that are not null
    Atomic<std::uint32_t> next_{0};                         // where to look first
};

}  // namespace fastalloc::detail
