// SPDX-License-Identifier: MIT
#pragma once

/// Collectors: what a resource counts while it works, chosen by the last parameter of its template.
///
///   basic_growing_pool_resource<bitmap_index>                       nothing: the default
///   basic_growing_pool_resource<bitmap_index, counting_statistics>  what happens
///   basic_growing_pool_resource<bitmap_index, timing_statistics>    also how long it takes
///
/// Each class of each thread has counters of its own, beside its magazine: counting writes to no
/// memory that other threads write to, and who asks adds up. Statistics are of one moment while no
/// other thread is inside; else each counter is of some moment while they were asked for.

#include <fastalloc/detail/machine.hpp>
#include <fastalloc/detail/relaxed.hpp>
#include <fastalloc/detail/thread_number.hpp>
#include <fastalloc/latency_histogram.hpp>
#include <fastalloc/statistics.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace fastalloc {

namespace detail {

/// What happened to the slots of one class. `Word` is a `relaxed` integer, where one thread at a
/// time counts, or a `contended` one. Any thread may read and reset.
template <template <class> class Word>
class slot_counts {
public:
    void allocated() noexcept {
        allocations_.add(1);
        move_in(1);
    }

    void deallocated() noexcept {
        deallocations_.add(1);
        live_.add(-1);
    }

    /// Effects: `slots` more are live here, which are counted as allocated elsewhere.
    void move_in(std::int64_t slots) noexcept { peak_.raise_to(live_.add(slots)); }

    void missed() noexcept { misses_.add(1); }

    void grew() noexcept { growths_.add(1); }

    void failed(allocation_failure why) noexcept {
        failures_[static_cast<std::size_t>(why)].add(1);
    }

    /// Effects: adds what was counted. What is live may be negative, modulo 2^64: see `settle`.
    void add_to(slot_statistics& sum) const noexcept {
        sum.current += static_cast<std::size_t>(live());
        sum.peak += static_cast<std::size_t>(static_cast<std::int64_t>(peak_));
        sum.misses += misses_.since_reset();
        sum.allocations += allocations_.since_reset();
        sum.deallocations += deallocations_.since_reset();
        sum.growth_count += growths_.since_reset();
        sum.failures.exhausted += failures_of(allocation_failure::exhausted);
        sum.failures.at_cap += failures_of(allocation_failure::at_cap);
        sum.failures.upstream += failures_of(allocation_failure::upstream);
        sum.failures.no_class += failures_of(allocation_failure::no_class);
    }

    void reset() noexcept {
        peak_ = std::max(live(), std::int64_t{0});
        for (count* const c : {&allocations_, &deallocations_, &misses_, &growths_}) c->reset();
        for (count& c : failures_) c.reset();
    }

private:
    /// Counts on while it is reset: that is for others, and only remembers where it stood.
    class count {
    public:
        void add(std::uint64_t n) noexcept { total_.add(n); }

        std::uint64_t since_reset() const noexcept {
            const std::uint64_t before = at_reset_;  // first: then the total is no less
            return total_ - before;
        }

        void reset() noexcept { at_reset_ = static_cast<std::uint64_t>(total_); }

    private:
        Word<std::uint64_t> total_;
        published<std::uint64_t> at_reset_;
    };

    std::int64_t live() const noexcept { return live_; }

    std::uint64_t failures_of(allocation_failure why) const noexcept {
        return failures_[static_cast<std::size_t>(why)].since_reset();
    }

    count allocations_;
    count deallocations_;
    Word<std::int64_t> live_;  // below 0 where others' slots are given back
    Word<std::int64_t> peak_;  // the most that live_ was, and not below 0
    count misses_;
    count growths_;
    std::array<count, 4> failures_;
};

/// Effects: mends what a sum over threads that went on counting cannot be.
inline void settle(slot_statistics& sum, std::size_t most_slots) noexcept {
    const auto live = static_cast<std::int64_t>(sum.current);
    sum.current = std::min(static_cast<std::size_t>(std::max(live, std::int64_t{0})), most_slots);
    sum.peak = std::max(sum.peak, sum.current);
    sum.misses = std::min(sum.misses, sum.allocations);
}

/// The same for a class that threads share, beside what each of them counts: what was done without
/// a magazine, and how many slots left the depot.
class alignas(cache_line) depot_counts : public slot_counts<contended> {
public:
    /// Effects: up to `most` slots are about to leave. Returns: how many may be out already.
    std::uint64_t leaving(std::uint64_t most) noexcept { return out_.add(most) - most; }

    /// Effects: `taken` of `most` have left, when `before` may have been out. Whoever was last to
    /// announce what left counts all others: so the peak is no less than what was out at a time.
    void left(std::uint64_t before, std::uint64_t most, std::uint64_t taken) noexcept {
        out_.add(taken - most);  // modulo 2^64
        most_out_.raise_to(before + taken);
    }

    void came_back(std::uint64_t slots) noexcept { out_.add(-slots); }

    /// The most slots that were with users and in magazines.
    std::size_t most_out() const noexcept { return most_out_; }

    void reset() noexcept {
        slot_counts::reset();
        most_out_ = 0;
        most_out_.raise_to(out_);
    }

private:
    contended<std::uint64_t> out_;
    contended<std::uint64_t> most_out_;
};

/// Requests that no class has to do with, and how often counting began anew. Any thread may count.
class larger_counts {
public:
    void allocated() noexcept { counts_.allocated(); }
    void deallocated() noexcept { counts_.deallocated(); }
    void failed(allocation_failure why) noexcept { counts_.failed(why); }

    /// Effects: nothing has happened yet.
    void clear() noexcept {
        counts_ = {};
        periods_.add(1);
    }

    /// Begins of counting: while it says the same, no peak was forgotten.
    std::uint64_t period() const noexcept { return periods_; }

    void add_to(pool_statistics& sum) const noexcept {
        slot_statistics blocks;
        counts_.add_to(blocks);
        sum.larger_allocations += blocks.allocations;
        sum.larger_deallocations += blocks.deallocations;
        sum.larger_current += blocks.current;
        sum.failures.upstream += blocks.failures.upstream;
        sum.failures.no_class += blocks.failures.no_class;
    }

    void reset() noexcept {
        counts_.reset();
        periods_.add(1);
    }

private:
    slot_counts<contended> counts_;
    contended<std::uint64_t> periods_;
};

/// All of the above, where nothing is counted.
struct no_counts {
    static void allocated() noexcept {}
    static void move_in(std::int64_t) noexcept {}
    static void deallocated() noexcept {}
    static void missed() noexcept {}
    static void grew() noexcept {}
    static void failed(allocation_failure) noexcept {}
    static std::uint64_t leaving(std::uint64_t) noexcept { return 0; }
    static void left(std::uint64_t, std::uint64_t, std::uint64_t) noexcept {}
    static void came_back(std::uint64_t) noexcept {}
    static void clear() noexcept {}
    static std::uint64_t period() noexcept { return 0; }
    static void reset() noexcept {}
    static void add_to(slot_statistics&) noexcept {}
    static std::size_t most_out() noexcept { return 0; }
};

/// Returns: `f()`. Effects: if that throws, counts it as a failure of upstream.
template <class Counts, class F>
auto counting_failure(Counts& counts, F f) {
    struct guard {
        Counts* counts;
        ~guard() {
            if (counts != nullptr) counts->failed(allocation_failure::upstream);
        }
    } g{&counts};
    if constexpr (std::is_void_v<decltype(f())>) {
        f();
        g.counts = nullptr;
    } else {
        const auto result = f();
        g.counts = nullptr;
        return result;
    }
}

/// How long operations of many threads took: a histogram in stripes, which most threads do not
/// share.
class striped_histogram {
public:
    void record(std::uint64_t nanoseconds) noexcept {
        stripes_[thread_number::mine().value() % stripes_.size()]
            .counts[latency_histogram::bucket_of(nanoseconds)]
            .add(1);
    }

    latency_histogram since_reset() const noexcept {
        latency_histogram h;
        for (std::size_t b = 0; b != latency_histogram::bucket_count; ++b) {
            const std::uint64_t before = at_reset_[b];  // first: then the total is no less
            h.record(latency_histogram::longest_of(b), ever(b) - before);
        }
        return h;
    }

    void reset() noexcept {
        for (std::size_t b = 0; b != latency_histogram::bucket_count; ++b) at_reset_[b] = ever(b);
    }

private:
    struct alignas(cache_line) stripe {
        std::array<contended<std::uint64_t>, latency_histogram::bucket_count> counts;
    };

    std::uint64_t ever(std::size_t bucket) const noexcept {
        std::uint64_t sum = 0;
        for (const stripe& s : stripes_) sum += s.counts[bucket];
        return sum;
    }

    std::array<stripe, 8> stripes_;
    std::array<published<std::uint64_t>, latency_histogram::bucket_count> at_reset_;
};

}  // namespace detail

/// What the last parameter of a resource is.
template <class C>
concept collector = std::default_initializable<C> &&
    requires(C& c, typename C::slot_counts& slots, typename C::depot_counts& depot,
             typename C::larger_counts& larger, allocation_failure why, slot_statistics& s,
             pool_statistics& p) {
    { C::counts } -> std::convertible_to<bool>;
    typename C::without_times;  // for a part whose operations another measures
    c.time_allocate();          // what that returns lives as long as the operation
    c.time_deallocate();
    c.reset();
    slots.allocated();
    slots.deallocated();
    slots.move_in(1);
    slots.missed();
    slots.grew();
    slots.failed(why);
    slots.add_to(s);
    slots.reset();
    depot.left(depot.leaving(1), 1, 1);
    depot.came_back(1);
    { depot.most_out() } -> std::convertible_to<std::size_t>;
    depot.add_to(s);
    depot.reset();
    larger.allocated();
    larger.deallocated();
    larger.failed(why);
    larger.add_to(p);
    larger.reset();
    larger.clear();
    { larger.period() } -> std::convertible_to<std::uint64_t>;  // another after each reset or clear
};

/// Counts nothing, and costs nothing: what a resource does on its hot path is the same code as if
/// it knew of no collectors.
struct no_statistics {
    static constexpr bool counts = false;

    // What a resource asks of its collector.

    using slot_counts = detail::no_counts;
    using depot_counts = detail::no_counts;
    using larger_counts = detail::no_counts;
    using without_times = no_statistics;

    static constexpr void reset() noexcept {}

    struct stopwatch {};
    static constexpr stopwatch time_allocate() noexcept { return {}; }
    static constexpr stopwatch time_deallocate() noexcept { return {}; }
};

/// Counts what happens to slots: see `pool_statistics`.
///
/// Costs: a few instructions for each operation; 160 bytes for each class of each thread, where a
/// drop-in resource has 64.
struct counting_statistics {
    static constexpr bool counts = true;

    using slot_counts = detail::slot_counts<detail::relaxed>;
    using depot_counts = detail::depot_counts;
    using larger_counts = detail::larger_counts;
    using without_times = counting_statistics;

    static constexpr no_statistics::stopwatch time_allocate() noexcept { return {}; }
    static constexpr no_statistics::stopwatch time_deallocate() noexcept { return {}; }
    static constexpr void reset() noexcept {}
};

/// Counts the same, and measures how long each `allocate`, `try_allocate` and `deallocate` takes.
///
/// Costs: also two readings of `std::chrono::steady_clock` for each operation, of which each time
/// includes about one, and 38 KiB in the resource.
class timing_statistics {
public:
    static constexpr bool counts = true;

    using slot_counts = counting_statistics::slot_counts;
    using depot_counts = counting_statistics::depot_counts;
    using larger_counts = counting_statistics::larger_counts;
    using without_times = counting_statistics;

    /// Records how long it lived.
    class stopwatch {
    public:
        explicit stopwatch(detail::striped_histogram& histogram) noexcept
            : histogram_(&histogram), start_(clock::now()) {}

        stopwatch(const stopwatch&) = delete;
        stopwatch& operator=(const stopwatch&) = delete;

        ~stopwatch() {
            const std::chrono::nanoseconds time = clock::now() - start_;
            histogram_->record(static_cast<std::uint64_t>(time.count()));
        }

    private:
        using clock = std::chrono::steady_clock;

        detail::striped_histogram* histogram_;
        clock::time_point start_;
    };

    stopwatch time_allocate() noexcept { return stopwatch(allocate_); }
    stopwatch time_deallocate() noexcept { return stopwatch(deallocate_); }

    latency_statistics latency() const noexcept {
        return {allocate_.since_reset(), deallocate_.since_reset()};
    }

    void reset() noexcept {
        allocate_.reset();
        deallocate_.reset();
    }

private:
    detail::striped_histogram allocate_;
    detail::striped_histogram deallocate_;
};

static_assert(collector<no_statistics>);
static_assert(collector<counting_statistics>);
static_assert(collector<timing_statistics>);

}  // namespace fastalloc
