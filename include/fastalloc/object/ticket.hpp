// SPDX-License-Identifier: MIT
#pragma once

/// What shared handles, weak handles and keys of one object have in common.
///
/// 1. All is one word: a generation, a count of owners, and whether the object was observed, which
///    is to say that a weak handle or a key of it exists. A new generation begins when an observed
///    object dies, so that whoever has an older one sees that it is gone.
/// 2. Only an owner adds owners, so an object whose count is 0 stays dead. The one exception is
///    `try_add`, with a generation that it got while the object was observed: it compares the whole
///    word and exchanges it, and succeeds only if the count is not 0 and the generation the same.
/// 3. The last owner's fetch_sub takes the count to 0. From there on `try_add` fails, and nobody
///    else writes to the word: the new generation may follow by a plain store. Between the two the
///    object is as dead as after them.
/// 4. An owner that reads a count of 1 without the observed bit is alone: no other owner is there
///    to add one, and no weak handle or key to find it by. What it reads is the latest value, for
///    every later one would have been written by another owner. So it needs no read-modify-write.
/// 5. What an owner did with the object happens before its destruction: each fetch_sub releases;
///    the last one, or the load of (4), acquires. What the maker did happens before `try_add`
///    returns, which acquires: the word is only changed by read-modify-writes while the object
///    lives, so that it reads from the release sequence of whoever observed it.
/// 6. A ticket serves one object after the other, but no generation twice: when the last one has
///    been used up, the ticket is retired.
///
/// Progress: all but `try_add` end in a bounded number of steps; that one repeats only when another
/// thread has changed the word.

#include <atomic>
#include <cstdint>

namespace fastalloc::detail {

class ticket_source;

/// The word. A pool that one thread uses at a time has it changed without atomic
/// read-modify-writes.
template <template <class> class Atomic = std::atomic, unsigned GenerationBits = 32>
class basic_ticket_state {
public:
    static constexpr std::uint32_t last_generation =
        static_cast<std::uint32_t>((std::uint64_t{1} << GenerationBits) - 1);

    explicit basic_ticket_state(bool for_threads, std::uint32_t generation = 0) noexcept
        : word_(std::uint64_t{generation} << generation_shift | (for_threads ? threads : 0)) {}

    /// Effects: the next object has one owner. Preconditions: the one before is dead; not worn out.
    void begin() noexcept {
        // Release: whoever sees the owner sees what the ticket says of the object.
        word_.store(load(std::memory_order_relaxed) + 1, std::memory_order_release);
    }

    /// Effects: adds an owner. Preconditions: the caller is one.
    void add() noexcept {
        const std::uint64_t word = load(std::memory_order_relaxed);
        if ((word & threads) != 0) {
            word_.fetch_add(1, std::memory_order_relaxed);
        } else {
            word_.store(word + 1, std::memory_order_relaxed);
        }
    }

    /// Effects: removes an owner. Returns: whether it was the last: then the object is dead for all
    /// others, and the caller's to destroy. Preconditions: the caller is an owner.
    [[nodiscard]] bool drop() noexcept {
        std::uint64_t word = load(std::memory_order_acquire);
        if ((word & (observed | count_mask)) == 1 || (word & threads) == 0) {
            word_.store(word - 1, std::memory_order_relaxed);
        } else {
            word = word_.fetch_sub(1, std::memory_order_acq_rel);
        }
        if ((word & count_mask) != 1) return false;
        if ((word & observed) != 0) {
            const std::uint64_t next = ((word >> generation_shift) + 1) << generation_shift;
            word_.store(next | (word & threads), std::memory_order_relaxed);
        }
        return true;
    }

    /// Effects: the object is observed from now on. Returns: its generation. Preconditions: the
    /// caller is an owner.
    [[nodiscard]] std::uint32_t observe() noexcept {
        const std::uint64_t word = load(std::memory_order_relaxed);
        if ((word & observed) == 0) {
            if ((word & threads) != 0) {
                word_.fetch_or(observed, std::memory_order_release);
            } else {
                word_.store(word | observed, std::memory_order_relaxed);
            }
        }
        return generation_of(word);
    }

    /// Effects: adds an owner, if the object of that generation is alive. Returns: whether it is.
    [[nodiscard]] bool try_add(std::uint32_t generation) noexcept {
        std::uint64_t word = load(std::memory_order_relaxed);
        while (is_alive(word, generation)) {
            if ((word & threads) == 0) {
                word_.store(word + 1, std::memory_order_relaxed);
                return true;
            }
            if (word_.compare_exchange_weak(word, word + 1, std::memory_order_acquire,
                                            std::memory_order_relaxed)) {
                return true;
            }
        }
        return false;
    }

    /// Whether the object of that generation has an owner.
    bool is_alive(std::uint32_t generation) const noexcept {
        return is_alive(load(std::memory_order_relaxed), generation);
    }

    /// Whether the last owner of the object of that generation, which was observed, is not gone. Where
    /// another thread may be dropping it, `is_alive` knows more.
    bool is_at(std::uint32_t generation) const noexcept {
        return generation_of(load(std::memory_order_relaxed)) == generation;
    }

    /// Owners, by the time somebody reads it.
    std::uint32_t count() const noexcept {
        return static_cast<std::uint32_t>(load(std::memory_order_acquire) & count_mask);
    }

    /// Whether no generation is left for another object that is observed.
    bool is_worn_out() const noexcept {
        return generation_of(load(std::memory_order_relaxed)) == last_generation;
    }

private:
    static constexpr std::uint64_t count_mask = (std::uint64_t{1} << 30) - 1;
    static constexpr std::uint64_t observed = std::uint64_t{1} << 30;
    static constexpr std::uint64_t threads = std::uint64_t{1} << 31;  // never changes
    static constexpr unsigned generation_shift = 32;

    std::uint64_t load(std::memory_order order) const noexcept { return word_.load(order); }

    static std::uint32_t generation_of(std::uint64_t word) noexcept {
        return static_cast<std::uint32_t>(word >> generation_shift);
    }

    static bool is_alive(std::uint64_t word, std::uint32_t generation) noexcept {
        return (word & count_mask) != 0 && generation_of(word) == generation;
    }

    Atomic<std::uint64_t> word_;
};

/// One object's at a time. Its memory stays until the pool goes.
struct alignas(32) ticket {
    basic_ticket_state<> state;
    std::atomic<void*> object{nullptr};    // in the slot's first byte
    ticket_source* const source;           // of the pool
    std::atomic<std::uint32_t> number{0};  // for keys; 0: none yet. It stays for later objects

    ticket(ticket_source* whose, bool for_threads) noexcept : state(for_threads), source(whose) {}
};

}  // namespace fastalloc::detail
