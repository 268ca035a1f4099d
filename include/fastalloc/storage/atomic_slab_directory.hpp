// SPDX-License-Identifier: MIT
#pragma once

/// Says to which slab an address belongs while other threads add slabs.
///
/// 1. The list of slabs, which only grows, is the truth: a look-up that fails here walks it. So the
///    directory may lag behind, and has to be right only in what it does say.
/// 2. A table is a hash table with linear probing. Entries go from null to a slab, by compare and
///    exchange, and never change again: a probe that passes an entry passes it for good.
/// 3. A table that is full is replaced by a larger one. Who replaces it enters all slabs of the list,
///    publishes the table, then enters those that have joined the list meanwhile. Who adds a slab
///    joins it to the list first, enters it, and then looks whether the table is still the same;
///    otherwise he enters it into the new one. Joining, publishing and both second looks are
///    sequentially consistent: so one of the two sees what the other did, and the slab is entered.
/// 4. A replaced table is kept until nobody can be reading it, which is when the owner says so. Sizes
///    double, so that all together are at most twice the last.
///
/// Progress: look-ups and entries end in a bounded number of steps; a replacement is repeated only when
/// another thread's has succeeded.

#include <fastalloc/detail/invariants.hpp>
#include <fastalloc/error.hpp>
#include <fastalloc/storage/slab.hpp>
#include <fastalloc/storage/slab_directory.hpp>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <new>

namespace fastalloc::detail {

/// As `slab_directory`, for any number of threads.
template <template <class> class Atomic>
class atomic_slab_directory {
public:
    /// Returns: the slab that contains `p`; null if none does, or it is not entered yet.
    slab_range* find(const void* p) const noexcept {
        const table* const t = table_.load(std::memory_order_acquire);
        return t == nullptr ? nullptr : t->find(p);
    }

    /// Effects: enters `added`, if upstream has memory for a table that it fits in. `head` is where
    /// the list of slabs begins, which `added` has joined.
    template <class Head>
    void enter(slab_range* added, const Head& head, std::pmr::memory_resource& upstream) noexcept {
        for (;;) {
            table* const t = table_.load(std::memory_order_seq_cst);
            const bool is_entered = t != nullptr && t->try_enter(added);
            if (!is_entered) {
                if (!try_replace(t, head, upstream)) return;
            } else if (table_.load(std::memory_order_seq_cst) == t) {
                return;
            }
        }
    }

    /// Effects: gives all tables back. Preconditions: no other thread uses it.
    void release(std::pmr::memory_resource& upstream) noexcept {
        table* t = table_.exchange(nullptr, std::memory_order_relaxed);
        while (t != nullptr) {
            table* const replaced = t->replaced;
            t->give_back(upstream);
            t = replaced;
        }
    }

    /// Whether the table in use is as its invariants say, and has slabs of the list `all` only. For
    /// tests, and builds that check everything. Preconditions: no other thread uses it. Complexity:
    /// linear in the number of entries, for each slab.
    bool invariants_hold(const slab_range* all) const noexcept {
        const table* const t = table_.load(std::memory_order_acquire);
        return t == nullptr || t->invariants_hold(all);
    }

private:
    friend struct invariants_test_access;

    using entry = Atomic<slab_range*>;

    struct table {
        table* replaced;
        std::size_t mask;  // number of entries - 1
        std::uint32_t hash_shift;
        std::uint32_t granule_shift;
        Atomic<std::size_t> used;  // entries that are not null, or more; at most half of all

        static std::size_t bytes(std::size_t entries) noexcept {
            return sizeof(table) + entries * sizeof(entry);
        }

        entry* entries() noexcept { return reinterpret_cast<entry*>(this + 1); }

        const entry* entries() const noexcept { return reinterpret_cast<const entry*>(this + 1); }

        std::size_t home(std::uintptr_t granule) const noexcept {
            return static_cast<std::size_t>((granule * 0x9E3779B97F4A7C15u) >> hash_shift);
        }

        slab_range* find(const void* p) const noexcept {
            for (std::size_t i = home(address(p) >> granule_shift);; i = (i + 1) & mask) {
                // Acquire: the slab's record.
                slab_range* const s = entries()[i].load(std::memory_order_acquire);
                if (s == nullptr || s->contains(p)) return s;
            }
        }

        // Half of the entries stay null, so that every probe ends.
        bool try_enter(slab_range* s) noexcept {
            const std::size_t granules = granules_of(*s, granule_shift);
            const std::size_t before = used.fetch_add(granules, std::memory_order_relaxed);
            if ((before + granules) * 2 > mask + 1) {
                used.fetch_sub(granules, std::memory_order_relaxed);
                return false;
            }
            const std::uintptr_t first = address(s->base) >> granule_shift;
            for (std::size_t g = 0; g != granules; ++g) {
                std::size_t i = home(first + g);
                for (;; i = (i + 1) & mask) {
                    slab_range* there = entries()[i].load(std::memory_order_relaxed);
                    if (there == nullptr &&
                        entries()[i].compare_exchange_strong(there, s, std::memory_order_release,
                                                             std::memory_order_relaxed)) {
                        break;
                    }
                    if (there == s) break;
                }
            }
            return true;
        }

        bool invariants_hold(const slab_range* all) const noexcept {
            const auto count_of = [this](auto is_one) {
                return static_cast<std::size_t>(std::count_if(
                    entries(), entries() + mask + 1,
                    [&](const entry& e) { return is_one(e.load(std::memory_order_relaxed)); }));
            };
            std::size_t null = count_of([](const slab_range* s) { return s == nullptr; });
            const std::size_t most = used.load(std::memory_order_relaxed);
            if (mask + 1 - null > most || most * 2 > mask + 1) return false;
            std::size_t listed = 0;
            for (; all != nullptr; all = all->next) {
                const std::size_t own = count_of([&](const slab_range* s) { return s == all; });
                const slab_range* const found = find(all->base);
                if (own != 0 && found != all) return false;
                listed += own;
            }
            return listed == mask + 1 - null;
        }

        void give_back(std::pmr::memory_resource& upstream) noexcept {
            upstream.deallocate(this, bytes(mask + 1), alignof(table));
        }
    };

    // Effects: replaces `old`, unless another thread does. Returns: false if there is no memory for it.
    template <class Head>
    bool try_replace(table* old, const Head& head, std::pmr::memory_resource& upstream) noexcept {
        slab_range* const newest = head.load(std::memory_order_seq_cst);
        table* const made = try_make(newest, upstream);
        if (made == nullptr) return false;
        made->replaced = old;
        for (slab_range* s = newest; s != nullptr; s = s->next) made->try_enter(s);
        table* expected = old;
        if (!table_.compare_exchange_strong(expected, made, std::memory_order_seq_cst)) {
            made->give_back(upstream);
            return true;
        }
        for (slab_range* s = head.load(std::memory_order_seq_cst); s != newest; s = s->next) {
            made->try_enter(s);
        }
        return true;
    }

    static table* try_make(const slab_range* slabs, std::pmr::memory_resource& upstream) noexcept {
        std::size_t bytes = 0;
        std::size_t count = 0;
        for (const slab_range* s = slabs; s != nullptr; s = s->next, ++count) bytes += s->bytes;
        const std::uint32_t shift = granule_shift_for(bytes / count);
        std::size_t needed = 0;
        for (const slab_range* s = slabs; s != nullptr; s = s->next) {
            needed += granules_of(*s, shift);
        }
        const std::size_t size = std::bit_ceil(std::max<std::size_t>(needed * 4, 32));
        void* const memory = try_upstream(upstream, table::bytes(size), alignof(table));
        if (memory == nullptr) return nullptr;
        const auto hash_shift = static_cast<std::uint32_t>(64 - std::countr_zero(size));
        auto* const made = ::new (memory) table{nullptr, size - 1, hash_shift, shift, {0}};
        for (std::size_t i = 0; i != size; ++i) ::new (made->entries() + i) entry(nullptr);
        return made;
    }

    Atomic<table*> table_{nullptr};
};

}  // namespace fastalloc::detail
