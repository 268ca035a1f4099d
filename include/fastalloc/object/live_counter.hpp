// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/collector.hpp>
#include <fastalloc/detail/machine.hpp>
#include <fastalloc/detail/relaxed.hpp>
#include <fastalloc/detail/thread_number.hpp>
#include <fastalloc/resource/pool_resource_interface.hpp>
#include <fastalloc/statistics.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace fastalloc::detail {

/// How many objects of a pool are alive.
template <template <class> class Word>
class live_counter {
public:
    void add() noexcept { count_.add(1); }
    void remove() noexcept { count_.add(std::size_t{0} - 1); }
    std::size_t count() const noexcept { return count_; }

private:
    Word<std::size_t> count_;
};

/// The same, and what happened.
template <template <class> class Word>
class live_statistics {
public:
    void add() noexcept { counts_.allocated(); }
    void remove() noexcept { counts_.deallocated(); }

    std::size_t count() const noexcept {
        slot_statistics s;
        counts_.add_to(s);
        return s.current;
    }

    void add_to(object_statistics& sum) const noexcept {
        slot_statistics s;
        counts_.add_to(s);
        sum.made += s.allocations;
        sum.dropped += s.deallocations;
        sum.alive += s.current;
        sum.peak += s.peak;
    }

    void reset() noexcept { counts_.reset(); }

private:
    slot_counts<Word> counts_;
};

/// The same for threads, most of which do not disturb each other: the sum of counters, of which
/// each may be negative, for an object may go in another thread than it came in. Exact while nobody
/// counts.
template <class Counter>
class striped {
public:
    void add() noexcept { mine().add(); }
    void remove() noexcept { mine().remove(); }

    std::size_t count() const noexcept {
        std::size_t sum = 0;
        for (const stripe& s : stripes_) sum += s.counter.count();
        return sum;
    }

    void add_to(object_statistics& sum) const noexcept {
        for (const stripe& s : stripes_) s.counter.add_to(sum);
        // It may be a little below 0 while threads count.
        if (static_cast<std::int64_t>(sum.alive) < 0) sum.alive = 0;
        sum.peak = std::max(sum.peak, sum.alive);
    }

    void reset() noexcept {
        for (stripe& s : stripes_) s.counter.reset();
    }

private:
    struct alignas(cache_line) stripe {
        Counter counter;
    };

    Counter& mine() noexcept {
        return stripes_[thread_number::mine().value() % stripes_.size()].counter;
    }

    std::array<stripe, 16> stripes_;
};

/// Which of a resource's periods of counting something is of; nothing, if it does not count.
template <bool Counts>
class counting_period : public published<std::uint64_t> {
public:
    using published<std::uint64_t>::published;
    using published<std::uint64_t>::operator=;
};

template <>
class counting_period<false> {
public:
    explicit counting_period(std::uint64_t) noexcept {}
};

template <threads UsedBy, bool Counts>
using live_counter_of = std::conditional_t<
    UsedBy == threads::one,
    std::conditional_t<Counts, live_statistics<relaxed>, live_counter<relaxed>>,
    striped<std::conditional_t<Counts, live_statistics<contended>, live_counter<contended>>>>;

}  // namespace fastalloc::detail
