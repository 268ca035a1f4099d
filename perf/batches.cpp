// SPDX-License-Identifier: MIT
/// What one block costs when few or many are live, in the orders in which programs free them. An
/// operation is one allocation and one deallocation. Each cell runs in a process of its own.

#include "apart.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace perf {

namespace {

using order = numbers(std::uint32_t);

/// Allocates `count` blocks, then frees them in that order.
auto batch(std::uint32_t count, order* order_of) {
    const auto work = [](auto& door, const numbers& places) {
        std::vector<item*> blocks(places.size());
        auto allocator = door.template allocator<item>();
        return measured(blocks.size(), [&] {
            for (item*& p : blocks) p = take(allocator);
            for (const std::uint32_t i : places) give(allocator, blocks[i]);
        });
    };
    return apart{[=](auto contender_type) {
        const numbers places = order_of(count);
        auto contender = make(contender_type, expected{count});
        auto door = contender.door();
        return compiled_once(work, door, places);
    }};
}

/// Has `count` live blocks, and frees and refills them at random, one of so many `parts` after the
/// other.
auto refill(std::uint32_t count, std::uint32_t parts) {
    const auto work = [=](auto& door, const numbers& places) {
        const std::size_t size = count / parts;
        std::vector<item*> blocks(count);
        auto allocator = door.template allocator<item>();
        for (item*& p : blocks) p = take(allocator);
        const outcome result = measured(count, [&] {
            for (std::size_t start = 0; start != count; start += size) {
                const auto part = std::span(places).subspan(start, size);
                for (const std::uint32_t i : part) give(allocator, blocks[i]);
                for (const std::uint32_t i : part) blocks[i] = take(allocator);
            }
        });
        for (item* const p : blocks) give(allocator, p);
        return result;
    };
    return apart{[=](auto contender_type) {
        const numbers places = shuffled(count);
        auto contender = make(contender_type, expected{count});
        auto door = contender.door();
        return compiled_once(work, door, places);
    }};
}

template <class Workload>
void add_batch_row(const std::string& row, Workload workload) {
    add_row(row, workload, with_floor{}, contenders{}, with_one_size{}, with_fixed{}, with_pages{});
}

}  // namespace

void add_rows() {
    for (std::uint32_t n = 100; n <= 10'000'000; n *= 10) {
        const std::string name = "batch_" + std::to_string(n);
        add_batch_row(name + "_in_order", batch(n, ascending));
        add_batch_row(name + "_reverse", batch(n, descending));
        add_batch_row(name + "_random", batch(n, shuffled));
        add_batch_row(name + "_half_random", refill(n, 2));
    }
    add_batch_row("refill_10000000_random", refill(10'000'000, 1));
}

}  // namespace perf
