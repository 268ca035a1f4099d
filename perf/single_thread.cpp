// SPDX-License-Identifier: MIT
/// What one block costs: blocks of one size in the orders that programs free them, without any
/// container in between. An operation is one allocation and one deallocation.

#include "rows.hpp"

#include <cstddef>
#include <cstdint>
#include <new>
#include <string>
#include <vector>

namespace perf {

namespace {

/// As `pair`, but nobody writes to the block: the cost of the two calls alone.
constexpr auto pair_untouched = [](benchmark::State& state, auto& contender) {
    auto allocator = contender.template allocator<item>();
    for (auto _ : state) {
        item* p = allocator.allocate(1);
        benchmark::DoNotOptimize(p);
        give(allocator, p);
    }
    count_operations(state, 1);
};

/// As `pair`, with a size that is known only when asked for: 8 to 512 bytes.
constexpr auto pair_mixed = [](benchmark::State& state, auto& contender) {
    constexpr std::size_t count = 1024;
    const numbers words = random_below(64, count);
    auto allocator = contender.template allocator<std::uint64_t>();
    for (auto _ : state) {
        for (const std::size_t n : words) give(allocator, take(allocator, n + 1), n + 1);
    }
    count_operations(state, count);
};

/// Allocates as many blocks as `order` has numbers, then frees them in that order.
auto batch(numbers order) {
    return [order](benchmark::State& state, auto& contender) {
        auto allocator = contender.template allocator<item>();
        std::vector<item*> blocks(order.size());
        const auto round = [&] {
            for (item*& p : blocks) p = take(allocator);
            for (const std::uint32_t i : order) give(allocator, blocks[i]);
        };
        round();  // no contender pays for its first memory
        for (auto _ : state) round();
        count_operations(state, order.size());
    };
}

/// Frees the oldest of `length` blocks and allocates one.
auto fifo(std::size_t length) {
    return [length](benchmark::State& state, auto& contender) {
        auto allocator = contender.template allocator<item>();
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

struct fixed_blocks : fastalloc::fixed_pool_resource {
    fixed_blocks()
        : fastalloc::fixed_pool_resource(
              fastalloc::pool_config::builder().slot_size(sizeof(item)).capacity(64).build()) {}
};

using of_one_size = contender_list<through_type<"inline_lifo", lifo>,
                                   through_type<"fastalloc_fixed_static", fixed_blocks>>;

}  // namespace

void add_rows() {
    add_row("pair_64", pair, with_floor{}, contenders{}, of_one_size{});
    add_row("pair_64_untouched", pair_untouched, with_floor{}, contenders{}, of_one_size{});
    add_row("pair_mixed", pair_mixed, with_floor{}, contenders{});
    for (const std::uint32_t n : {1'000u, 100'000u}) {
        const std::string name = "batch_" + std::to_string(n);
        add_row(name + "_in_order", batch(ascending(n)), with_floor{}, contenders{});
        add_row(name + "_reverse", batch(descending(n)), with_floor{}, contenders{});
        add_row(name + "_random", batch(shuffled(n)), with_floor{}, contenders{});
    }
    add_row("fifo_1000", fifo(1'000), with_floor{}, contenders{});
}

}  // namespace perf
