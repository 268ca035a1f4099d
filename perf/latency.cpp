// SPDX-License-Identifier: MIT
/// How long single operations take, of a million blocks of 64 bytes, in nanoseconds of wall time
/// with the two readings of the clock around them, whose own time is the counter `clock`; and
/// what the system did meanwhile. Each cell runs in a process of its own; its time says nothing.

#include "apart.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <utility>
#include <vector>

#ifdef __x86_64__
#include <immintrin.h>
#endif

namespace perf {

namespace {

// Looking.

/// Returns: the time in ticks, when all before is done and nothing after has begun.
std::uint64_t ticks() {
#ifdef __x86_64__
    _mm_lfence();
    const std::uint64_t now = __rdtsc();
    _mm_lfence();
    return now;
#else
    return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
#endif
}

/// What a share of `q` of the sorted samples are at most.
double quantile(const std::vector<std::uint64_t>& sorted, double q) {
    const double rank = std::ceil(q * static_cast<double>(sorted.size()));
    return static_cast<double>(sorted[static_cast<std::size_t>(rank) - 1]);
}

/// Times of single operations, each kept as it is, in memory that was written to before.
class samples {
public:
    explicit samples(std::size_t most) : ticks_(most) {}

    template <class Operation>
    void time(const Operation& operation) {
        const std::uint64_t start = ticks();
        operation();
        ticks_[count_++] = ticks() - start;
    }

    std::vector<std::uint64_t> sorted() && {
        ticks_.resize(count_);
        std::sort(ticks_.begin(), ticks_.end());
        return std::move(ticks_);
    }

private:
    std::vector<std::uint64_t> ticks_;
    std::size_t count_ = 0;
};

/// The median of a reading of the clock and the next.
double clock_cost() {
    samples empty(10'000);
    for (int i = 0; i != 10'000; ++i) empty.time([] {});
    return quantile(std::move(empty).sorted(), 0.5);
}

/// Returns: what was seen while `work(samples)` took at most so many samples.
template <class Work>
outcome observed(std::size_t most, const Work& work) {
    using clock = std::chrono::steady_clock;
    samples taken(most);
    const double cost = clock_cost();
    rusage before{}, after{};
    getrusage(RUSAGE_SELF, &before);
    const auto start = clock::now();
    const std::uint64_t first = ticks();
    work(taken);
    const std::uint64_t last = ticks();
    const std::chrono::duration<double, std::nano> time = clock::now() - start;
    getrusage(RUSAGE_SELF, &after);

    const double tick = time.count() / static_cast<double>(last - first);
    const auto sorted = std::move(taken).sorted();
    outcome result;
    const auto add_quantile = [&](const char* name, double q) {
        result.add(name, quantile(sorted, q) * tick);
    };
    add_quantile("p50", 0.5);
    add_quantile("p90", 0.9);
    add_quantile("p99", 0.99);
    add_quantile("p99_9", 0.999);
    add_quantile("p99_99", 0.9999);
    add_quantile("max", 1);
    result.add("clock", cost * tick);
    const auto add_difference = [&](const char* name, long rusage::*field) {
        result.add(name, static_cast<double>(after.*field - before.*field));
    };
    add_difference("minor_faults", &rusage::ru_minflt);
    add_difference("major_faults", &rusage::ru_majflt);
    add_difference("voluntary", &rusage::ru_nvcsw);
    add_difference("involuntary", &rusage::ru_nivcsw);
    return result;
}

// The contenders.

/// Whose memory is there before the first block is asked for.
class ready_blocks : public fastalloc::fixed_pool_resource {
public:
    explicit ready_blocks(expected most)
        : fastalloc::fixed_pool_resource(fastalloc::pool_config::builder()
                                             .slot_size(sizeof(item))
                                             .capacity(most.blocks)
                                             .pre_initialize(true)
                                             .build()) {}
};

/// Which may grow so far.
class capped_blocks : public fastalloc::growing_pool_resource {
public:
    explicit capped_blocks(expected most)
        : fastalloc::growing_pool_resource(fastalloc::pool_config::builder()
                                               .slot_size(sizeof(item))
                                               .capacity(64)
                                               .max_capacity(most.blocks)
                                               .build()) {}
};

using timed =
    contender_list<through_pointer<"new_delete", new_delete>,
                   through_pointer<"malloc", process_malloc>, through_pointer<"mimalloc", mimalloc>,
                   through_pointer<"tbb", tbb_malloc>,
                   through_pointer<"libstdc++_pool", std::pmr::unsynchronized_pool_resource>,
#ifdef FASTALLOC_PERF_BOOST
                   through_pointer<"boost_pool", boost_pool>,
#endif
#ifdef FASTALLOC_PERF_FOONATHAN
                   through_pointer<"foonathan", foonathan_identity>,
#endif
#ifdef FASTALLOC_PERF_BOOST_POOL
                   through_pointer<"boost_simple_pool", boost_blocks>,
#endif
                   through_pointer<"fastalloc_fixed", ready_blocks>,
                   through_pointer<"fastalloc_growing", fastalloc::growing_pool_resource>,
                   through_pointer<"fastalloc_growing_max", capped_blocks>,
                   through_pointer<"fastalloc_thread_local", fastalloc::thread_local_pool_resource>,
                   through_pointer<"fastalloc_synchronized", fastalloc::synchronized_pool_resource>,
                   through_pointer<"fastalloc_lock_free", fastalloc::lock_free_pool_resource>>;

// The rows. An allocation is timed with the first write to the block.

constexpr std::uint32_t million = 1'000'000;

/// Which of the two is timed.
enum class operation { allocation, deallocation };

/// 10,000 live blocks, replaced at random.
template <operation Timed>
constexpr auto steady = apart{[](auto contender_type) {
    constexpr std::uint32_t few = 10'000;
    const numbers places = random_below(few, million);
    std::vector<item*> blocks(few);
    auto contender = make(contender_type, expected{few});
    auto allocator = contender.door().template allocator<item>();
    for (item*& p : blocks) p = take(allocator);
    const auto replace_all = [&](const auto& free, const auto& allocate) {
        for (const std::uint32_t i : places) {
            free([&] { give(allocator, blocks[i]); });
            allocate([&] { blocks[i] = take(allocator); });
        }
    };
    const auto untimed = [](const auto& f) { f(); };
    replace_all(untimed, untimed);
    const outcome result = observed(million, [&](samples& samples) {
        const auto sampled = [&](const auto& f) { samples.time(f); };
        if constexpr (Timed == operation::allocation) {
            replace_all(untimed, sampled);
        } else {
            replace_all(sampled, untimed);
        }
    });
    for (item* const p : blocks) give(allocator, p);
    return result;
}};

/// From no block to a million.
constexpr auto growth = apart{[](auto contender_type) {
    std::vector<item*> blocks(million);
    auto contender = make(contender_type, expected{million});
    auto allocator = contender.door().template allocator<item>();
    const outcome result = observed(million, [&](samples& samples) {
        for (item*& p : blocks) samples.time([&] { p = take(allocator); });
    });
    for (item* const p : blocks) give(allocator, p);
    return result;
}};

}  // namespace

void add_rows() {
    add_row("steady_64", steady<operation::allocation>, timed{});
    add_row("steady_deallocate_64", steady<operation::deallocation>, timed{});
    add_row("growth_64", growth, timed{});
}

}  // namespace perf
