// SPDX-License-Identifier: MIT
#pragma once

/// Cells that each run in a process of their own: what a contender has allocated, and left behind
/// in the heap, is gone before the next one comes.

#include "rows.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <ctime>
#include <optional>
#include <type_traits>

namespace perf {

/// What the process of a cell has to say.
class outcome {
public:
    std::size_t operations = 0;  // that took so many seconds; 0 if it was not about time
    double seconds = 0;

    /// Preconditions: `name` is a literal, which is at the same address in both processes.
    void add(const char* name, double value) { counters_[count_++] = {name, value}; }

    void show(benchmark::State& state) const {
        for (std::size_t i = 0; i != count_; ++i) {
            state.counters[counters_[i].name] = counters_[i].value;
        }
    }

private:
    struct counter {
        const char* name;
        double value;
    };

    std::array<counter, 16> counters_{};
    std::size_t count_ = 0;
};
static_assert(std::is_trivially_copyable_v<outcome>);

/// Returns: what `work()` returned in a new process, which then ended; nothing if it ended before.
template <class Work>
std::optional<outcome> in_child(const Work& work) {
    int ends[2];
    if (pipe(ends) != 0) return {};
    const pid_t child = fork();
    if (child == 0) {
        const outcome told = work();
        const bool is_whole = write(ends[1], &told, sizeof told) == sizeof told;
        _exit(is_whole ? 0 : 1);
    }
    close(ends[1]);
    outcome told;
    const bool is_whole = read(ends[0], &told, sizeof told) == sizeof told;
    close(ends[0]);
    if (child > 0) waitpid(child, nullptr, 0);
    if (!is_whole) return {};
    return told;
}

/// A workload that is `work(contender_type)` in a process of its own, once an iteration.
template <class Work>
struct apart {
    static constexpr bool sets_time = true;

    template <class Contender>
    void operator()(benchmark::State& state, std::type_identity<Contender> contender) const {
        using clock = std::chrono::steady_clock;
        std::optional<outcome> told;
        for (auto _ : state) {
            const auto start = clock::now();
            told = in_child([&] { return work(contender); });
            if (!told) {
                state.SkipWithError("the process of the cell did not come to its end");
                return;
            }
            const std::chrono::duration<double> lived = clock::now() - start;
            state.SetIterationTime(told->operations == 0 ? lived.count() : told->seconds);
        }
        told->show(state);
        if (told->operations != 0) count_operations(state, told->operations);
    }

    Work work;
};

template <class Work>
apart(Work) -> apart<Work>;

/// Returns: the processor time of rounds of so many `operations`, as many rounds as make a million.
template <class Round>
outcome measured(std::size_t operations, const Round& round) {
    round();  // no contender pays for its first memory
    const std::size_t rounds = std::max<std::size_t>(1'000'000 / operations, 1);
    const std::clock_t start = std::clock();
    for (std::size_t i = 0; i != rounds; ++i) round();
    const std::clock_t time = std::clock() - start;
    outcome result;
    result.operations = rounds * operations;
    result.seconds = static_cast<double>(time) / CLOCKS_PER_SEC;
    return result;
}

/// Returns: the contender, made for so many blocks if it must know.
template <class Contender>
Contender make(std::type_identity<Contender>, expected most) {
    if constexpr (std::is_constructible_v<Contender, expected>) {
        return Contender(most);
    } else {
        return Contender();
    }
}

}  // namespace perf
