// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/detail/doubling_place.hpp>
#include <fastalloc/detail/invariants.hpp>
#include <fastalloc/error.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <new>

namespace fastalloc::detail {

/// As `object_stack`, for any number of threads, none of which waits for another.
///
/// 1. Objects are kept in nodes, which are on one of two lists (Treiber, 1986): of those that hold
///    an object, or of those that hold none. A node that is popped is its popper's alone until it
///    is pushed to the other list.
/// 2. The head of a list is one word: the number of its first node, and a tag that each pop and
///    push counts up. A popper reads the first node's successor, then compares and exchanges the
///    head; if the node was popped and pushed again in between, the tag is another one. (A tag
///    comes again after 2^32 operations between a load of the head and the exchange that follows.)
/// 3. A push releases what the node holds, and the object; the pop that gets the node acquires.
///    Exchanges of the head in between are read-modify-writes, and go on with the release sequence.
/// 4. Nodes are only added, by segments, and go back in the destructor: a stale number leads to a
///    node.
///
/// Progress: lock-free; an exchange fails only because another succeeded.
template <template <class> class Atomic>
class basic_atomic_object_stack {
public:
    explicit basic_atomic_object_stack(std::pmr::memory_resource* upstream) noexcept
        : upstream_(upstream) {}

    basic_atomic_object_stack(const basic_atomic_object_stack&) = delete;
    basic_atomic_object_stack& operator=(const basic_atomic_object_stack&) = delete;

    ~basic_atomic_object_stack() {
        for (std::uint32_t s = 0; s != segment_count; ++s) {
            if (node* const segment = segments_[s].load(std::memory_order_acquire)) {
                upstream_->deallocate(segment, place::size_of(s) * sizeof(node), alignof(node));
            }
        }
    }

    template <class Taken>
    bool try_make_room(Taken) noexcept {
        const std::size_t promised = promised_.fetch_add(1, std::memory_order_relaxed) + 1;
        for (std::uint32_t s = 0; s != segment_count && place::first_of(s) < promised; ++s) {
            if (segments_[s].load(std::memory_order_acquire) != nullptr) continue;
            if (try_add_segment_slow(s)) continue;
            lose_room();
            return false;
        }
        return true;
    }

    void lose_room() noexcept { promised_.fetch_sub(1, std::memory_order_relaxed); }

    /// Returns: false also while another thread has not yet entered the room that it makes.
    bool keep(void* object) noexcept {
        const std::uint32_t n = pop(empty_);
        if (n == 0) return false;
        node_at(n).object.store(object, std::memory_order_relaxed);
        push(full_, n, n);
        size_.fetch_add(1, std::memory_order_relaxed);
        return true;
    }

    void* take() noexcept {
        const std::uint32_t n = pop(full_);
        if (n == 0) return nullptr;
        size_.fetch_sub(1, std::memory_order_relaxed);
        void* const object = node_at(n).object.load(std::memory_order_relaxed);
        push(empty_, n, n);
        return object;
    }

    void* take_left() noexcept { return nullptr; }

    void* take_of_all() noexcept { return take(); }

    /// While others keep and take, a number that was nearly true.
    std::size_t size() const noexcept {
        const std::size_t size = size_.load(std::memory_order_relaxed);
        return size > promised_.load(std::memory_order_relaxed) ? 0 : size;
    }

    template <class F>
    void for_each(F f) const {
        visit(full_, [&](std::uint32_t n) {
            f(node_at(n).object.load(std::memory_order_relaxed));
            return true;
        });
    }

    /// Whether each node is on one of the lists, once, and the counts are theirs. Preconditions: no
    /// other thread uses it.
    bool invariants_hold() const noexcept {
        std::size_t nodes = 0;
        for (std::uint32_t s = 0; s != segment_count; ++s) {
            if (segments_[s].load(std::memory_order_relaxed) != nullptr) nodes += place::size_of(s);
        }
        const auto length_of = [&](const head& list) {
            std::size_t length = 0;
            const bool ends =
                visit(list, [&](std::uint32_t n) { return n <= nodes && ++length <= nodes; });
            return ends ? length : nodes + 1;
        };
        return length_of(full_) + length_of(empty_) == nodes &&
               length_of(full_) == size_.load(std::memory_order_relaxed) &&
               promised_.load(std::memory_order_relaxed) <= nodes && are_distinct([&](auto f) {
                   for (const head* const list : {&full_, &empty_}) {
                       visit(*list, [&](std::uint32_t n) { return f(n), true; });
                   }
               });
    }

private:
    friend struct invariants_test_access;
    using place = doubling_place<16>;
    static constexpr std::uint32_t segment_count = 28;

    struct node {
        Atomic<void*> object{nullptr};
        Atomic<std::uint32_t> next{0};  // the number of the node below; 0: none
    };

    using head = Atomic<std::uint64_t>;  // the tag, then the number of the first node

    static std::uint32_t first_of(std::uint64_t word) noexcept {
        return static_cast<std::uint32_t>(word);
    }

    static std::uint64_t with_next_tag(std::uint64_t word, std::uint32_t first) noexcept {
        return ((word >> 32) + 1) << 32 | first;
    }

    // Nodes are numbered from 1 on.
    node& node_at(std::uint32_t n) const noexcept {
        const place at(n - 1);
        return segments_[at.segment].load(std::memory_order_acquire)[at.offset];
    }

    // Effects: calls `f(n)` for the nodes of a list, until that returns false. Returns: whether it did not.
    template <class F>
    bool visit(const head& list, F f) const {
        std::uint32_t n = first_of(list.load(std::memory_order_acquire));
        for (; n != 0; n = node_at(n).next.load(std::memory_order_relaxed)) {
            if (!f(n)) return false;
        }
        return true;
    }

    std::uint32_t pop(head& list) noexcept {
        std::uint64_t word = list.load(std::memory_order_acquire);
        while (first_of(word) != 0) {
            const std::uint32_t next = node_at(first_of(word)).next.load(std::memory_order_relaxed);
            if (list.compare_exchange_weak(word, with_next_tag(word, next),
                                           std::memory_order_acquire, std::memory_order_acquire)) {
                return first_of(word);
            }
        }
        return 0;
    }

    // Pushes the nodes from `first` to `last`, which are linked already.
    void push(head& list, std::uint32_t first, std::uint32_t last) noexcept {
        std::uint64_t word = list.load(std::memory_order_relaxed);
        do {
            node_at(last).next.store(first_of(word), std::memory_order_relaxed);
        } while (!list.compare_exchange_weak(word, with_next_tag(word, first),
                                             std::memory_order_release, std::memory_order_relaxed));
    }

    [[gnu::cold, gnu::noinline]] bool try_add_segment_slow(std::uint32_t s) noexcept {
        const std::uint32_t size = place::size_of(s);
        void* const memory = try_upstream(*upstream_, size * sizeof(node), alignof(node));
        if (memory == nullptr) return false;
        auto* const nodes = static_cast<node*>(memory);
        const std::uint32_t first = place::first_of(s) + 1;
        for (std::uint32_t i = 0; i != size; ++i) {
            ::new (nodes + i) node;
            nodes[i].next.store(first + i + 1, std::memory_order_relaxed);
        }
        node* expected = nullptr;
        if (segments_[s].compare_exchange_strong(expected, nodes, std::memory_order_release,
                                                 std::memory_order_relaxed)) {
            push(empty_, first, first + size - 1);
        } else {
            upstream_->deallocate(memory, size * sizeof(node), alignof(node));
        }
        return true;
    }

    std::pmr::memory_resource* upstream_;
    head full_{0};
    head empty_{0};
    Atomic<std::size_t> size_{0};      // nodes that are full
    Atomic<std::size_t> promised_{0};  // no more than there are nodes
    std::array<Atomic<node*>, segment_count> segments_{};
};

}  // namespace fastalloc::detail
