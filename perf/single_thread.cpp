// SPDX-License-Identifier: MIT
/// What one block costs while few are live, without any container in between. An operation is one
/// allocation and one deallocation.

#include "rows.hpp"

#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

namespace perf {

namespace {

/// As `pair`, but nobody writes to the block: the cost of the two calls alone.
constexpr auto pair_untouched = [](benchmark::State& state, auto& door) {
    auto allocator = door.template allocator<item>();
    for (auto _ : state) {
        item* p = allocator.allocate(1);
        benchmark::DoNotOptimize(p);
        give(allocator, p);
    }
    count_operations(state, 1);
};

/// As `pair`, with a size that is known only when asked for: 8 to 512 bytes.
constexpr auto pair_mixed = [](benchmark::State& state, auto& door) {
    constexpr std::size_t count = 1024;
    const numbers words = random_below(64, count);
    auto allocator = door.template allocator<std::uint64_t>();
    for (auto _ : state) {
        for (const std::size_t n : words) give(allocator, take(allocator, n + 1), n + 1);
    }
    count_operations(state, count);
};

/// Frees the oldest of `length` blocks and allocates one.
auto fifo(std::size_t length) {
    return [length](benchmark::State& state, auto& door) {
        auto allocator = door.template allocator<item>();
        std::vector<item*> blocks(length);
        for (item*& p : blocks) p = take(allocator);
        for (auto _ : state) {
            for (item*& p : blocks) {
                give(allocator, p);
                p = take(allocator);
            }
        }
        count_operations(state, length);
        for (item* const p : blocks) give(allocator, p);
    };
}

/// The least that a pool can be: a list through its free blocks, written by hand for one size.
class lifo {
public:
    lifo() {
        for (node& n : nodes_) put(&n);
    }

    void* allocate(std::size_t, std::size_t) {
        node* const n = top_;
        if (n == nullptr) [[unlikely]]
            throw std::bad_alloc();
        top_ = n->next;
        return n;
    }

    void deallocate(void* p, std::size_t, std::size_t) { put(static_cast<node*>(p)); }

private:
    union node {
        node* next;
        item contents;
    };

    void put(node* n) {
        n->next = top_;
        top_ = n;
    }

    node* top_ = nullptr;
    node nodes_[64];
};

using with_lifo = contender_list<through_type<"inline_lifo", lifo>>;

}  // namespace

void add_rows() {
    add_row("pair_64", pair, with_floor{}, contenders{}, with_one_size{}, with_fixed{},
            with_lifo{});
    add_row("pair_64_untouched", pair_untouched, with_floor{}, contenders{}, with_one_size{},
            with_fixed{}, with_lifo{});
    add_row("pair_mixed", pair_mixed, with_floor{}, contenders{});
    add_row("fifo_1000", fifo(1'000), with_floor{}, contenders{}, with_one_size{});
}

}  // namespace perf
