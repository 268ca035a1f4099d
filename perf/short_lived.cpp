// SPDX-License-Identifier: MIT
/// What a resource costs that does not live long, its making and destruction included. An operation
/// is one block, with its share of them.

#include "apart.hpp"

#include <malloc.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <type_traits>
#include <vector>

namespace perf {

namespace {

/// A resource that is made for one request: 300 blocks of 8 to 2,048 bytes, at most 100 at a time,
/// each freed before the resource is destroyed.
constexpr auto request = [](benchmark::State& state, auto contender_type) {
    constexpr std::uint32_t most = 100;
    constexpr std::size_t steps = 300;
    const numbers words = random_sizes(1, 256, steps);
    const numbers places = random_below(most, steps);
    struct piece {
        std::uint64_t* start = nullptr;
        std::size_t words = 0;
    };
    const auto serve = [&words, &places](auto& door) {
        auto allocator = door.template allocator<std::uint64_t>();
        piece pieces[most];
        const auto drop = [&](piece& p) {
            if (p.start != nullptr) give(allocator, p.start, p.words);
        };
        for (std::size_t i = 0; i != steps; ++i) {
            piece& p = pieces[places[i]];
            drop(p);
            p = {take(allocator, words[i]), words[i]};
        }
        for (piece& p : pieces) drop(p);
    };
    for (auto _ : state) {
        typename decltype(contender_type)::type fresh;
        auto door = fresh.door();
        compiled_once(serve, door);
    }
    count_operations(state, steps);
};

/// `count` resources that are alive at once, and take turns to allocate eight blocks each, of 16 to
/// 256 bytes; then to free them. In a process of its own: memory for all of them is much, and what
/// it costs depends on what others have left.
auto many_pools(std::size_t count) {
    return apart{[=](auto contender_type) {
        using contender = typename decltype(contender_type)::type;
        constexpr std::array<std::size_t, 8> words{2, 8, 4, 32, 8, 2, 16, 8};
        std::vector<std::uint64_t*> blocks(count * words.size());
        return measured(blocks.size(), [&] {
            const auto all = std::make_unique<contender[]>(count);
            const auto each_in_turn = [&](const auto& work) {
                for (std::size_t i = 0; i != blocks.size(); ++i) {
                    auto allocator = all[i % count].door().template allocator<std::uint64_t>();
                    work(allocator, blocks[i], words[i / count]);
                }
            };
            each_in_turn(
                [](auto& allocator, std::uint64_t*& p, std::size_t n) { p = take(allocator, n); });
            each_in_turn(
                [](auto& allocator, std::uint64_t*& p, std::size_t n) { give(allocator, p, n); });
        });
    }};
}

/// As it is, which asks for memory like the others.
using with_fresh_monotonic =
    contender_list<through_pointer<"monotonic", std::pmr::monotonic_buffer_resource>>;

/// Effects: glibc gives nothing back to the system that comes from its heap, as in a program that has
/// worked for a while it rarely does. Else each resource would fetch the same pages again.
void keep_heap() {
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
}

}  // namespace

void add_rows() {
    keep_heap();
    add_row("request", request, with_fresh_monotonic{}, contenders{});
    add_row("many_pools_10000", many_pools(10'000), with_fresh_monotonic{}, peers{}, ours{});
}

}  // namespace perf
