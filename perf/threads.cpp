// SPDX-License-Identifier: MIT
/// What a block costs when several threads share one resource. The time of a row is the wall's,
/// from when the first thread begins to when the last is done, by the operations of all of them.

#include "rows.hpp"
#include "team.hpp"

#include <barrier>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace perf {

namespace {

/// A block of words, or none.
struct piece {
    std::uint64_t* start = nullptr;
    std::size_t words = 0;
};

constexpr std::uint32_t most_live = 1'000;  // of each thread
constexpr std::size_t steps = 8'192;        // of each thread in a round

/// Each thread's own, not in a cache line with another's.
template <class T>
struct alignas(cache_line) own : T {};

/// A workload, given a team of so many threads.
template <class Workload>
struct on_threads {
    static constexpr bool sets_time = true;

    void operator()(benchmark::State& state, auto& door) const {
        team workers(threads);
        workload(state, door, workers);
    }

    Workload workload;
    std::size_t threads;
};

/// Measures `work(thread, rounds)` on all threads at once; each round is as many `operations` of
/// each thread.
///
/// All rounds are one start and one end: waking threads up costs as much as thousands of blocks.
template <class Work>
void measure(benchmark::State& state, team& workers, std::size_t operations, const Work& work) {
    workers.run([&](std::size_t thread) { work(thread, 1); });  // nobody pays for its first memory
    const auto rounds = state.max_iterations;
    while (state.KeepRunningBatch(rounds)) {
        state.SetIterationTime(workers.run([&](std::size_t thread) { work(thread, rounds); }));
    }
    count_operations(state, operations * workers.size());
}

/// Frees the pieces at `places` in turn, and allocates others, of one more than `words`.
template <class Allocator>
void replace(Allocator allocator, std::span<piece> pieces, const numbers& places,
             const numbers& words) {
    for (std::size_t i = 0; i != places.size(); ++i) {
        piece& p = pieces[places[i]];
        give(allocator, p.start, p.words);
        p = {take(allocator, words[i] + 1), words[i] + 1};
    }
}

template <class Allocator>
void fill(Allocator allocator, std::span<piece> pieces, const numbers& words) {
    for (std::size_t i = 0; i != pieces.size(); ++i) {
        pieces[i] = {take(allocator, words[i] + 1), words[i] + 1};
    }
}

template <class Allocator>
void drop(Allocator allocator, std::span<piece> pieces) {
    for (const piece& p : pieces) give(allocator, p.start, p.words);
}

/// Each thread has 1,000 blocks of 64 bytes, and replaces one of them, chosen at random. An
/// operation frees one and allocates one.
constexpr auto replace_64 = [](benchmark::State& state, auto& door, team& workers) {
    struct blocks {
        std::vector<item*> live;
        numbers places;
    };
    const auto allocator = door.template allocator<item>();
    std::vector<own<blocks>> owners(workers.size());
    workers.run([&](std::size_t thread) {
        auto mine = allocator;
        auto& [live, places] = static_cast<blocks&>(owners[thread]);
        live.resize(most_live);
        for (item*& p : live) p = take(mine);
        places = random_below(most_live, steps, thread);
    });
    measure(state, workers, steps, [&](std::size_t thread, auto rounds) {
        auto mine = allocator;
        auto& [live, places] = static_cast<blocks&>(owners[thread]);
        for (; rounds != 0; --rounds) {
            for (const std::uint32_t i : places) {
                give(mine, live[i]);
                live[i] = take(mine);
            }
        }
    });
    workers.run([&](std::size_t thread) {
        auto mine = allocator;
        for (item* const p : owners[thread].live) give(mine, p);
    });
};

/// The same with blocks of 8 to 512 bytes.
constexpr auto replace_mixed = [](benchmark::State& state, auto& door, team& workers) {
    struct blocks {
        std::vector<piece> live;
        numbers places, words;
    };
    const auto allocator = door.template allocator<std::uint64_t>();
    std::vector<own<blocks>> owners(workers.size());
    workers.run([&](std::size_t thread) {
        auto& [live, places, words] = static_cast<blocks&>(owners[thread]);
        live.resize(most_live);
        places = random_below(most_live, steps, 2 * thread);
        words = random_below(64, steps, 2 * thread + 1);
        fill(allocator, live, words);
    });
    measure(state, workers, steps, [&](std::size_t thread, auto rounds) {
        auto& [live, places, words] = static_cast<blocks&>(owners[thread]);
        for (; rounds != 0; --rounds) replace(allocator, live, places, words);
    });
    workers.run([&](std::size_t thread) { drop(allocator, owners[thread].live); });
};

/// As in the benchmark of Larson and Krishnan: 1,000 blocks of 8 to 1,000 bytes a thread, replaced
/// at random; after each round a thread takes over the blocks of the next thread. So some blocks
/// are freed by another thread than allocated them. An operation frees one and allocates one.
constexpr auto larson = [](benchmark::State& state, auto& door, team& workers) {
    struct inputs {
        numbers places, words;
    };
    const auto allocator = door.template allocator<std::uint64_t>();
    const std::size_t n = workers.size();
    std::vector<own<inputs>> inputs_of(n);
    std::vector<piece> pieces(n * most_live);
    const auto part = [&](std::size_t i) {
        return std::span(pieces).subspan(i % n * most_live, most_live);
    };
    std::barrier turned(static_cast<std::ptrdiff_t>(n));
    workers.run([&](std::size_t thread) {
        auto& [places, words] = static_cast<inputs&>(inputs_of[thread]);
        places = random_below(most_live, steps, 2 * thread);
        words = random_below(125, steps, 2 * thread + 1);
        fill(allocator, part(thread), words);
    });
    measure(state, workers, steps, [&](std::size_t thread, auto rounds) {
        const auto& [places, words] = static_cast<inputs&>(inputs_of[thread]);
        for (std::size_t turn = thread; rounds != 0; --rounds, ++turn) {
            replace(allocator, part(turn), places, words);
            turned.arrive_and_wait();
        }
    });
    workers.run([&](std::size_t thread) { drop(allocator, part(thread)); });
};

/// Every other thread allocates blocks of 64 bytes and writes to them, the next one reads and
/// frees them, at most 1,024 behind. A thread that is alone does both, 1,024 blocks at a time. An
/// operation is one block.
constexpr auto hand_off_64 = [](benchmark::State& state, auto& door, team& workers) {
    using items = ring<item>;
    constexpr std::size_t batches = steps / std::tuple_size_v<items::batch>;
    static_assert(batches % items::batches == 0);
    const auto allocator = door.template allocator<item>();
    const bool alone = workers.size() == 1;
    std::deque<items> rings;
    for (std::size_t i = 0; i < workers.size(); i += 2) rings.emplace_back(workers.size());
    const auto produce = [&allocator](items& to, std::size_t count) {
        for (auto mine = allocator; count != 0; --count) {
            to.push([&](items::batch& batch) {
                for (item*& p : batch) p = take(mine);
            });
        }
    };
    const auto consume = [&allocator](items& from, std::size_t count) {
        for (auto mine = allocator; count != 0; --count) {
            from.pop([&](items::batch& batch) {
                for (item* const p : batch) {
                    benchmark::DoNotOptimize(p->words[0]);
                    give(mine, p);
                }
            });
        }
    };
    // Of two threads only one allocates.
    measure(state, workers, alone ? steps : steps / 2, [&](std::size_t thread, auto rounds) {
        items& mine = rings[thread / 2];
        const std::size_t count = batches * static_cast<std::size_t>(rounds);
        if (alone) {
            for (std::size_t i = 0; i != count; i += items::batches) {
                produce(mine, items::batches);
                consume(mine, items::batches);
            }
        } else if (thread % 2 == 0) {
            produce(mine, count);
        } else {
            consume(mine, count);
        }
    });
};

/// Each thread has a map of 1,000 random keys, the oldest of which is replaced by another. An
/// operation erases one key and inserts another.
constexpr auto map_churn = [](benchmark::State& state, auto& door, team& workers) {
    using entry = std::pair<const int, std::uint64_t>;
    const auto allocator = door.template allocator<entry>();
    using map = std::map<int, std::uint64_t, std::less<int>, std::remove_cv_t<decltype(allocator)>>;
    const numbers random = shuffled(2 * most_live);
    const std::vector<int> keys(random.begin(), random.end());
    std::vector<own<std::optional<map>>> maps(workers.size());
    workers.run([&](std::size_t thread) {
        maps[thread].emplace(allocator);
        for (std::size_t i = 0; i != most_live; ++i) maps[thread]->emplace(keys[i], i);
    });
    measure(state, workers, keys.size(), [&](std::size_t thread, auto rounds) {
        map& mine = *maps[thread];
        for (; rounds != 0; --rounds) {
            for (std::size_t i = 0; i != keys.size(); ++i) {
                mine.erase(keys[i]);
                mine.emplace(keys[(i + most_live) % keys.size()], i);
            }
        }
    });
    workers.run([&](std::size_t thread) { maps[thread].reset(); });
};

/// All threads allocate 10,000 blocks of 8 to 512 bytes each, free them in random order, and wait
/// until the last is done. An operation is one allocation and one deallocation.
constexpr auto burst = [](benchmark::State& state, auto& door, team& workers) {
    struct blocks {
        std::vector<piece> pieces;
        numbers words;
    };
    const numbers order = shuffled(10'000);
    const auto allocator = door.template allocator<std::uint64_t>();
    std::vector<own<blocks>> owners(workers.size());
    std::barrier idle(static_cast<std::ptrdiff_t>(workers.size()));
    workers.run([&](std::size_t thread) {
        owners[thread].pieces.resize(order.size());
        owners[thread].words = random_below(64, order.size(), thread);
    });
    measure(state, workers, order.size(), [&](std::size_t thread, auto rounds) {
        auto mine = allocator;
        auto& [pieces, words] = static_cast<blocks&>(owners[thread]);
        for (; rounds != 0; --rounds) {
            fill(mine, pieces, words);
            for (const std::uint32_t i : order) give(mine, pieces[i].start, pieces[i].words);
            idle.arrive_and_wait();
        }
    });
};

/// Starts a thread that allocates 10 blocks of 8 to 512 bytes and frees them, and waits for its end.
/// An operation is one thread; what it costs alone is what the floor takes.
struct thread_start {
    static constexpr bool sets_time = true;

    void operator()(benchmark::State& state, auto& door) const {
        using clock = std::chrono::steady_clock;
        const auto allocator = door.template allocator<std::uint64_t>();
        const numbers words = random_below(64, 10);
        std::vector<piece> pieces(words.size());
        const auto live = [&] {
            fill(allocator, pieces, words);
            drop(allocator, pieces);
        };
        std::thread(live).join();  // nobody pays for its first memory
        for (auto _ : state) {
            const auto start = clock::now();
            std::thread(live).join();
            state.SetIterationTime(std::chrono::duration<double>(clock::now() - start).count());
        }
        count_operations(state, 1);
    }
};

template <class Workload>
void add_threads_row(const std::string& row, Workload workload) {
    for (const std::size_t threads : {1u, 2u, 4u, 8u}) {
        const std::string name = row + "/t" + std::to_string(threads);
        add_row(name, on_threads<Workload>{workload, threads}, shared_contenders{});
    }
}

/// A row in which each thread frees its own blocks only.
template <class Workload>
void add_own_blocks_row(const std::string& row, Workload workload) {
    add_threads_row(row, workload);
    for (const std::size_t threads : {1u, 2u, 4u, 8u}) {
        const std::string name = row + "/t" + std::to_string(threads);
        const on_threads<Workload> cell{workload, threads};
        add_row(name, cell, with_thread_local{});
        if (threads == 1) add_row(name, cell, with_growing{});
    }
}

}  // namespace

void add_rows() {
    add_own_blocks_row("replace_64", replace_64);
    add_own_blocks_row("replace_mixed", replace_mixed);
    add_threads_row("larson", larson);
    add_threads_row("hand_off_64", hand_off_64);
    add_own_blocks_row("map_churn_1000", map_churn);
    add_own_blocks_row("burst", burst);
    add_row("thread_start", thread_start{}, with_floor{}, shared_contenders{}, with_thread_local{});
}

}  // namespace perf
