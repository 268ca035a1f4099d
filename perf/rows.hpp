// SPDX-License-Identifier: MIT
#pragma once

/// What a program of this folder is made of: rows, each a workload over every contender.

#include "contenders.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <random>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace perf {

/// Each program's own: registers its rows.
void add_rows();

/// The contender's name in this process; empty if it is not measured there.
template <class Contender>
std::string name_here() {
    using resource = typename Contender::resource_type;
    if constexpr (requires { resource::is_available(); }) {
        if (!resource::is_available()) return {};
    }
    const std::string malloc(process_malloc::library);
    if (malloc == "glibc") return Contender::name;
    // A preloaded malloc feeds all the others too, and they are measured without it.
    if (std::is_same_v<resource, process_malloc>) return malloc;
    if (std::is_same_v<resource, new_delete>) return malloc + "_new_delete";
    return {};
}

/// Returns: `work(arguments...)`, which is compiled by itself, whoever calls: contenders whose door has
/// the same type run the same machine code.
template <class Work, class... Arguments>
auto compiled_once(const Work& work, Arguments&... arguments) {
    using function = decltype(work(arguments...))(const Work&, Arguments&...);
    function* const body = [](const Work& w, Arguments&... a) { return w(a...); };
    return opaque(body)(work, arguments...);
}

/// Effects: `workload(state, door)`, or `workload(state, contender)` of one that has no door. A
/// workload that makes its contender itself is told which.
template <class Contender, class Workload>
void run(benchmark::State& state, const Workload& workload) {
    if constexpr (std::is_invocable_v<Workload, benchmark::State&, std::type_identity<Contender>>) {
        workload(state, std::type_identity<Contender>());
    } else {
        Contender contender;
        if constexpr (requires { contender.door(); }) {
            auto door = contender.door();
            compiled_once(workload, state, door);
        } else {
            workload(state, contender);
        }
    }
}

template <class Contender, class Workload>
void add_cell(const std::string& row, Workload workload) {
    const std::string name = name_here<Contender>();
    if (name.empty()) return;
    auto* const cell = benchmark::RegisterBenchmark(
        (row + '/' + name).c_str(),
        [workload](benchmark::State& state) { run<Contender>(state, workload); });
    if constexpr (requires { Workload::sets_time; }) cell->UseManualTime();
}

template <class Workload, class... Contenders>
void add_cells(const std::string& row, Workload workload, contender_list<Contenders...>) {
    (add_cell<Contenders>(row, workload), ...);
}

/// Registers `workload` as `row/contender` for each contender of each list.
template <class Workload, class... Lists>
void add_row(const std::string& row, Workload workload, Lists... lists) {
    (add_cells(row, workload, lists), ...);
}

/// Effects: says that each iteration was `operations` pairs of allocation and deallocation, or
/// whatever the row counts.
inline void count_operations(benchmark::State& state, std::size_t operations) {
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(operations));
}

/// Measures `round()`, which is as many `operations` and leaves nothing live.
template <class Door, class Round>
void measure_rounds(benchmark::State& state, Door& door, std::size_t operations, Round round) {
    const auto whole = [&] {
        round();
        door.all_is_freed();
    };
    whole();  // no contender pays for its first memory
    for (auto _ : state) whole();
    count_operations(state, operations);
}

/// What a door's allocators are.
template <class Door, class T>
using allocator_of = decltype(std::declval<Door&>().template allocator<T>());

/// Allocates `n` objects and writes the first word, as a user would.
///
/// The clobbers here and in `give` stand for the rest of the program: what a resource keeps has to
/// be in memory after each call, however much of the call was inlined.
template <class Allocator>
auto* take(Allocator& allocator, std::size_t n = 1) {
    auto* const p = allocator.allocate(n);
    *reinterpret_cast<std::uint64_t*>(p) = 1;
    asm volatile("" : : "r"(p) : "memory");
    return p;
}

template <class Allocator>
void give(Allocator& allocator, typename Allocator::value_type* p, std::size_t n = 1) {
    allocator.deallocate(p, n);
    benchmark::ClobberMemory();
}

/// What most rows allocate: 64 bytes.
struct item {
    std::uint64_t words[8];
};

/// Allocates a block and frees it.
inline constexpr auto pair = [](benchmark::State& state, auto& door) {
    auto allocator = door.template allocator<item>();
    for (auto _ : state) give(allocator, take(allocator));
    count_operations(state, 1);
};

// Inputs. They are made before the clock starts, and are the same in every run.

using numbers = std::vector<std::uint32_t>;

/// 0 … n-1
inline numbers ascending(std::uint32_t n) {
    numbers result(n);
    std::iota(result.begin(), result.end(), 0u);
    return result;
}

inline numbers descending(std::uint32_t n) {
    numbers result = ascending(n);
    std::reverse(result.begin(), result.end());
    return result;
}

inline numbers shuffled(std::uint32_t n) {
    numbers result = ascending(n);
    std::shuffle(result.begin(), result.end(), std::mt19937{});
    return result;
}

/// `count` numbers below `limit`, others for another `seed`.
inline numbers random_below(std::uint32_t limit, std::size_t count,
                            std::size_t seed = std::mt19937::default_seed) {
    std::mt19937 random(static_cast<std::mt19937::result_type>(seed));
    std::uniform_int_distribution<std::uint32_t> distribution(0, limit - 1);
    numbers result(count);
    for (auto& n : result) n = distribution(random);
    return result;
}

/// `count` numbers in [smallest, largest], a small one likelier than a large one by their ratio.
inline numbers random_sizes(double smallest, double largest, std::size_t count) {
    std::mt19937 random;
    std::uniform_real_distribution<double> distribution(std::log(smallest), std::log(largest));
    numbers result(count);
    for (auto& n : result) n = static_cast<std::uint32_t>(std::exp(distribution(random)));
    return result;
}

}  // namespace perf
