// SPDX-License-Identifier: MIT
#pragma once

/// A bitmap that any number of threads take from and put into at the same time.
///
/// 1. A slot's bit is set while it is free. `take` clears bits with one fetch_and and owns those that
///    were set before; `put` sets them with one fetch_or. Whoever clears a bit owns the slot, and only
///    the owner sets it: so no slot is handed out twice, and none is lost. Both are single
///    instructions that always succeed. A bit says nothing of the past, so there is no ABA problem.
/// 2. The fetch_or releases what the last user did with the slot, and the fetch_and acquires it.
/// 3. A summary bit says that a word may have a free slot. It may be set in vain. Whoever finds the
///    word empty clears it, then looks at the word again, and sets it if that has changed; whoever sets
///    bits in a word then looks at the summary bit, and sets it if it is clear. All four are
///    sequentially consistent: so one of the two sees what the other did first, and when both are
///    done, the summary bit is set or the word is empty.
/// 4. In between, a free slot may not be announced. `take` may then miss it; `announce_all` does not.
///
/// Progress: every operation ends in a bounded number of its own steps, whatever others do.
/// Reclamation: nothing is freed before the destructor.

#include <fastalloc/detail/invariants.hpp>
#include <fastalloc/index/index_strategy.hpp>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <new>

namespace fastalloc {

/// As `bitmap_index`, for any number of threads. The lowest free slot comes first, as far as one can say
/// while others take and put. `Atomic` is `std::atomic`, or what a test puts in its place.
///
/// Memory: 1 bit a slot, 1/64 of that for the summary.
/// Thread safety: full. `available()` counts what was free when it came by.
template <template <class> class Atomic = std::atomic>
class basic_atomic_bitmap_index {
public:
    /// Effects: all `capacity` slots are free. Throws: whatever `memory` throws.
    explicit basic_atomic_bitmap_index(
        slot_number capacity, std::pmr::memory_resource* memory = std::pmr::get_default_resource())
        : memory_(memory), capacity_(capacity) {
        const std::size_t total = words_of(capacity) + words_of(words_of(capacity));
        words_ = static_cast<word*>(memory->allocate(total * sizeof(word), alignof(word)));
        summary_ = words_ + words_of(capacity);
        fill(words_, capacity);
        fill(summary_, words_of(capacity));
    }

    ~basic_atomic_bitmap_index() {
        memory_->deallocate(words_, required_bytes(capacity_), alignof(word));
    }

    basic_atomic_bitmap_index(const basic_atomic_bitmap_index&) = delete;
    basic_atomic_bitmap_index& operator=(const basic_atomic_bitmap_index&) = delete;

    static std::size_t required_bytes(slot_number capacity) noexcept {
        return (words_of(capacity) + words_of(words_of(capacity))) * sizeof(word);
    }

    /// Returns: a free slot, which is taken from then on; `no_slot` if none is announced.
    slot_number take() noexcept {
        slot_number taken = no_slot;
        take_some(1, [&](slot_number n, slot_number) { taken = n; });
        return taken;
    }

    /// Takes up to `most` slots and hands them to `sink`, words in ascending order, in runs
    /// `sink(n, count)`. Returns: how many. Complexity: linear in the words visited and the size of the
    /// summary.
    template <class Sink>
    slot_number take_some(slot_number most, Sink sink) noexcept {
        slot_number missing = most;
        const std::size_t summary_words = words_of(words_of(capacity_));
        for (std::size_t s = 0; s != summary_words && missing != 0; ++s) {
            bits announced = summary_[s].load(std::memory_order_relaxed);
            for (; announced != 0 && missing != 0; announced &= announced - 1) {
                const auto w = static_cast<slot_number>(s * 64) +
                               static_cast<slot_number>(std::countr_zero(announced));
                missing -= take_from_word(w, missing, sink);
            }
        }
        return most - missing;
    }

    /// Preconditions: `n` is taken.
    void put(slot_number n) noexcept {
        put_some(1, [n](std::size_t) { return n; });
    }

    /// Puts the slots `source(0)` up to `source(count - 1)`. Preconditions: they are taken, and no
    /// two are the same; `count` is not 0.
    template <class Source>
    void put_some(std::size_t count, Source source) noexcept {
        slot_number n = source(0);
        slot_number w = n / 64;
        bits freed = 0;
        for (std::size_t i = 0;;) {
            freed |= bits{1} << (n % 64);
            if (++i == count) break;
            n = source(i);
            if (n / 64 == w) continue;
            put_into_word(w, freed);
            w = n / 64;
            freed = 0;
        }
        put_into_word(w, freed);
    }

    /// Puts the slots `first` up to `first + count - 1`. Preconditions: they are taken; `count` is not
    /// 0.
    void put_run(slot_number first, slot_number count) noexcept {
        for (slot_number w = first / 64, begin = first % 64; count != 0; ++w, begin = 0) {
            const slot_number here = std::min(count, 64 - begin);
            put_into_word(w, (~bits{0} >> (64 - here)) << begin);
            count -= here;
        }
    }

    /// Whether a free slot may be announced. Never false because of what one thread did, unless that
    /// thread took what it announced.
    bool may_have_free() const noexcept {
        const std::size_t summary_words = words_of(words_of(capacity_));
        for (std::size_t s = 0; s != summary_words; ++s) {
            if (summary_[s].load(std::memory_order_seq_cst) != 0) return true;
        }
        return false;
    }

    /// Effects: announces every free slot, also those that another thread is about to.
    /// Returns: whether there are any.
    bool announce_all() noexcept {
        bool any = false;
        for (slot_number w = 0; w != words_of(capacity_); ++w) {
            if (words_[w].load(std::memory_order_seq_cst) == 0) continue;
            announce(w);
            any = true;
        }
        return any;
    }

    /// Whether all slots are free, judged by a few words.
    bool seems_unused() const noexcept {
        constexpr slot_number samples = 4;
        const auto words = static_cast<slot_number>(words_of(capacity_));
        const slot_number step = words / samples + 1;
        slot_number free = 0;
        slot_number seen = 0;
        for (slot_number w = 0; w < words; w += step) {
            free +=
                static_cast<slot_number>(std::popcount(words_[w].load(std::memory_order_relaxed)));
            seen += std::min<slot_number>(64, capacity_ - w * 64);
        }
        return free == seen;
    }

    /// Whether slot `n` was free a moment ago.
    bool is_free(slot_number n) const noexcept {
        return (words_[n / 64].load(std::memory_order_relaxed) >> (n % 64) & 1) != 0;
    }

    slot_number available() const noexcept {
        slot_number total = 0;
        for (slot_number w = 0; w != words_of(capacity_); ++w) {
            total +=
                static_cast<slot_number>(std::popcount(words_[w].load(std::memory_order_relaxed)));
        }
        return total;
    }

    slot_number capacity() const noexcept { return capacity_; }

    /// Effects: calls `f(n)` for each free slot, the lowest first.
    template <class F>
    void for_each_free(F f) const noexcept {
        for (slot_number w = 0; w != words_of(capacity_); ++w) {
            for (bits free = words_[w].load(std::memory_order_relaxed); free != 0;
                 free &= free - 1) {
                f(w * 64 + static_cast<slot_number>(std::countr_zero(free)));
            }
        }
    }

    /// Whether the books are as the invariants say. For tests, and builds that check everything.
    /// Preconditions: no other thread is inside. Complexity: linear in the capacity, 64 slots at a
    /// time.
    bool invariants_hold() const noexcept {
        const auto has_only = [](const word* words, std::size_t n) {
            return (words[words_of(n) - 1].load(std::memory_order_relaxed) & ~last_word(n)) == 0;
        };
        for (slot_number w = 0; w != words_of(capacity_); ++w) {
            const bits announced = summary_[w / 64].load(std::memory_order_relaxed) >> (w % 64);
            if (words_[w].load(std::memory_order_relaxed) != 0 && (announced & 1) == 0)
                return false;
        }
        return has_only(words_, capacity_) && has_only(summary_, words_of(capacity_));
    }

private:
    friend struct detail::invariants_test_access;

    using bits = std::uint64_t;
    using word = Atomic<bits>;

    static std::size_t words_of(std::size_t n) noexcept { return n == 0 ? 1 : (n + 63) / 64; }

    static void fill(word* words, std::size_t n) noexcept {
        const std::size_t last = words_of(n) - 1;
        for (std::size_t w = 0; w != last; ++w) ::new (&words[w]) word(~bits{0});
        ::new (&words[last]) word(last_word(n));
    }

    // Returns: the last of `words_of(n)` words with n bits set.
    static bits last_word(std::size_t n) noexcept { return n == 0 ? 0 : ~bits{0} >> (-n % 64); }

    template <class Sink>
    slot_number take_from_word(slot_number w, slot_number most, Sink sink) noexcept {
        const bits seen = words_[w].load(std::memory_order_relaxed);
        bits wanted = seen;
        // The lowest `most` bits.
        if (most < 64) {
            bits left = seen;
            for (slot_number i = 0; i != most; ++i) left &= left - 1;
            wanted = seen & ~left;
        }
        const bits before =
            wanted == 0 ? seen : words_[w].fetch_and(~wanted, std::memory_order_acquire);
        slot_number count = 0;
        if ((before & wanted) == ~bits{0}) {
            sink(w * 64, 64);
            count = 64;
        } else {
            for (bits taken = before & wanted; taken != 0; taken &= taken - 1, ++count) {
                sink(w * 64 + static_cast<slot_number>(std::countr_zero(taken)), 1);
            }
        }
        if ((before & ~wanted) == 0) retract(w);
        return count;
    }

    void put_into_word(slot_number w, bits freed) noexcept {
        words_[w].fetch_or(freed, std::memory_order_seq_cst);
        announce(w);
    }

    void announce(slot_number w) noexcept {
        const bits bit = bits{1} << (w % 64);
        word& summary = summary_[w / 64];
        if ((summary.load(std::memory_order_seq_cst) & bit) == 0) {
            summary.fetch_or(bit, std::memory_order_seq_cst);
        }
    }

    void retract(slot_number w) noexcept {
        const bits bit = bits{1} << (w % 64);
        summary_[w / 64].fetch_and(~bit, std::memory_order_seq_cst);
        if (words_[w].load(std::memory_order_seq_cst) != 0) {
            summary_[w / 64].fetch_or(bit, std::memory_order_seq_cst);
        }
    }

    std::pmr::memory_resource* memory_;
    word* words_ = nullptr;    // a bit is set while its slot is free
    word* summary_ = nullptr;  // behind the words; the bit of a word that is not 0 is set (3)
    slot_number capacity_;
};

using atomic_bitmap_index = basic_atomic_bitmap_index<>;

static_assert(index_strategy<atomic_bitmap_index>);

}  // namespace fastalloc
