// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

/// Runs lock-free code, whose atomics are a template parameter, under every order of its atomic
/// operations, on one thread: give it `explored_atomic` where `std::atomic` was. Link
/// interleaving.cpp and Boost.Context.
///
/// A scenario has a few fibers. Before each atomic operation of a fiber the explorer decides which
/// fiber goes on. Data that is not atomic is checked for races: by vector clocks, so that a missing
/// release or acquire is found although the explorer runs on one thread.
///
/// What the model says is true of C++20: whatever it finds is allowed there. It does not find all:
/// * the modification order of an atomic is the order in which its stores ran, and no load reads
///   from a store that runs later (no load buffering, no 2+2W);
/// * a read-modify-write reads the latest value, also a compare_exchange that fails;
/// * fences, wait() and notify() are not modelled; consume is acquire.
///
/// Fibers must not wait for each other: a schedule in which the other one never runs has no
/// progress, which is a failure. What fibers share and is not explored must not matter to them.
namespace fastalloc::testing {

constexpr std::size_t max_fibers = 7;

/// What one schedule runs. It has to do the same whenever it is made and run in the same order.
struct scenario {
    std::vector<std::function<void()>> fibers;
    std::function<void()> check = [] {};  // when all fibers have ended; it knows all they did
};

/// Makes the scenario anew for each schedule. The functions share what they own:
/// `auto s = std::make_shared<state>(); return scenario{{[s] {...}, [s] {...}}, [s] {...}};`
using scenario_factory = std::function<scenario()>;

enum class memory_model {
    sequential,  // a load reads the latest store; orders matter to the race checker only
    weak,        // a load reads any store that coherence, happens-before and seq_cst leave it
};

struct exploration_options {
    static constexpr unsigned unlimited = static_cast<unsigned>(-1);

    memory_model model = memory_model::sequential;
    /// How often a schedule may take the turn from a fiber that could go on. Bounded, the search
    /// is not reduced: it visits every such schedule, most of them equivalent to others.
    unsigned preemptions = unlimited;
    /// How many schedules are run, redundant ones included.
    std::size_t schedules = 10'000'000;
    /// Atomic operations of one schedule; beyond that there is no progress.
    std::size_t steps = 1'000;
    /// weak: how often a fiber may read the same store after a later one.
    unsigned stale_reads = 2;
    /// How often compare_exchange_weak may fail for no reason, for each fiber.
    unsigned spurious_failures = 0;
    /// One schedule stands for all that differ in the order of independent operations only.
    bool reduce = true;
};

struct failure {
    std::string message;
    std::vector<unsigned> choices;  // for replay()
    std::string trace;              // one operation a line
};

struct outcome {
    std::size_t schedules = 0;  // run to their end, or to the failure
    std::size_t redundant = 0;  // given up, being equivalent to one that was run
    bool exhaustive = false;    // there is no other schedule, and none failed
    std::optional<failure> failed;

    /// The counts, and the failure if there is one.
    std::string text() const;
};

/// Effects: runs all schedules, depth first, until one fails or a limit is reached.
outcome explore_all(const scenario_factory& make, const exploration_options& options = {});

/// Effects: runs `count` random schedules, until one fails; the same ones for the same `seed`. Half
/// of them take every step at random. The others give fibers random priorities and change them
/// twice (PCT), which finds what needs a fiber to be held for long.
outcome explore_random(const scenario_factory& make, std::size_t count, std::uint64_t seed,
                       const exploration_options& options = {});

/// Effects: runs the schedule of `choices` again. The model must be the same.
outcome replay(const scenario_factory& make, const std::vector<unsigned>& choices,
               const exploration_options& options = {});

/// Effects: if not `condition`, the schedule has failed, and the function that asked, which must not
/// be noexcept, is left by an exception. Functions that operate on atomics are noexcept, so the
/// other fibers are not: they run on to their end, in any order, and what they do does not count.
/// Fibers that never end so are dropped, with what they own.
void expect(bool condition, const char* message);

/// Accesses to what is not atomic, under any address: a slot between take and put, for example.
/// Two that are not ordered by happens-before, one of them a write, are a failure.
namespace race_checker {

void read(const void* p) noexcept;
void write(const void* p) noexcept;
/// Effects: `p` begins a new life, as memory does that is allocated again.
void forget(const void* p) noexcept;

}  // namespace race_checker

/// What explored_atomic tells the explorer. Outside of an exploration all of it does nothing.
namespace exploration {

void made(const void* atomic, std::uint64_t value) noexcept;
/// Effects: other fibers may run before it returns.
void point(const void* atomic, bool writes, std::memory_order order,
           const char* operation) noexcept;
/// Returns: the value that is read; the latest one if it must be `newest`.
std::uint64_t read(const void* atomic, std::uint64_t latest, std::memory_order order,
                   bool newest) noexcept;
void wrote(const void* atomic, std::uint64_t before, std::uint64_t value, std::memory_order order,
           bool is_update) noexcept;
bool fails_spuriously() noexcept;

}  // namespace exploration

/// `std::atomic<T>`, each operation of which is a scheduling point. As large as a `T`, and trivially
/// destructible: the explorer keeps what it knows by address. Setup and check see it without
/// scheduling. To be used before its construction is visible is a data race.
template <class T>
class explored_atomic {
    // Not a constraint, with which it would not fit a parameter `template <class> class Atomic`.
    static_assert(std::integral<T> || std::is_pointer_v<T>);

public:
    using value_type = T;
    using difference_type = std::conditional_t<std::is_pointer_v<T>, std::ptrdiff_t, T>;

    static constexpr bool is_always_lock_free = true;

    explored_atomic() noexcept : explored_atomic(T()) {}
    explored_atomic(T value) noexcept : latest_(value) { exploration::made(this, bits(value)); }
    explored_atomic(const explored_atomic&) = delete;
    explored_atomic& operator=(const explored_atomic&) = delete;

    bool is_lock_free() const noexcept { return true; }

    T load(std::memory_order order = std::memory_order_seq_cst) const noexcept {
        exploration::point(this, false, order, "load");
        return from_bits(exploration::read(this, bits(latest_), order, false));
    }

    void store(T value, std::memory_order order = std::memory_order_seq_cst) noexcept {
        exploration::point(this, true, order, "store");
        exploration::wrote(this, bits(latest_), bits(value), order, false);
        latest_ = value;
    }

    operator T() const noexcept { return load(); }
    T operator=(T value) noexcept {
        store(value);
        return value;
    }

    T exchange(T value, std::memory_order order = std::memory_order_seq_cst) noexcept {
        return update("exchange", order, [value](T) { return value; });
    }

    bool compare_exchange_strong(T& expected, T desired,
                                 std::memory_order order = std::memory_order_seq_cst) noexcept {
        return compare_exchange(expected, desired, order, for_failure(order), false);
    }
    bool compare_exchange_strong(T& expected, T desired, std::memory_order success,
                                 std::memory_order if_not) noexcept {
        return compare_exchange(expected, desired, success, if_not, false);
    }
    bool compare_exchange_weak(T& expected, T desired,
                               std::memory_order order = std::memory_order_seq_cst) noexcept {
        return compare_exchange(expected, desired, order, for_failure(order), true);
    }
    bool compare_exchange_weak(T& expected, T desired, std::memory_order success,
                               std::memory_order if_not) noexcept {
        return compare_exchange(expected, desired, success, if_not, true);
    }

    T fetch_add(difference_type n, std::memory_order order = std::memory_order_seq_cst) noexcept {
        return update("fetch_add", order, [n](T old) { return static_cast<T>(old + n); });
    }
    T fetch_sub(difference_type n, std::memory_order order = std::memory_order_seq_cst) noexcept {
        return update("fetch_sub", order, [n](T old) { return static_cast<T>(old - n); });
    }
    T fetch_or(T value, std::memory_order order =
                            std::memory_order_seq_cst) noexcept requires std::integral<T> {
        return update("fetch_or", order, [value](T old) { return static_cast<T>(old | value); });
    }
    T fetch_and(T value, std::memory_order order =
                             std::memory_order_seq_cst) noexcept requires std::integral<T> {
        return update("fetch_and", order, [value](T old) { return static_cast<T>(old & value); });
    }
    T fetch_xor(T value, std::memory_order order =
                             std::memory_order_seq_cst) noexcept requires std::integral<T> {
        return update("fetch_xor", order, [value](T old) { return static_cast<T>(old ^ value); });
    }

    T operator++() noexcept { return static_cast<T>(fetch_add(1) + 1); }
    T operator++(int) noexcept { return fetch_add(1); }
    T operator--() noexcept { return static_cast<T>(fetch_sub(1) - 1); }
    T operator--(int) noexcept { return fetch_sub(1); }
    T operator+=(difference_type n) noexcept { return static_cast<T>(fetch_add(n) + n); }
    T operator-=(difference_type n) noexcept { return static_cast<T>(fetch_sub(n) - n); }

private:
    static std::uint64_t bits(T value) noexcept {
        std::uint64_t all = 0;
        std::memcpy(&all, &value, sizeof value);
        return all;
    }
    static T from_bits(std::uint64_t all) noexcept {
        T value;
        std::memcpy(&value, &all, sizeof value);
        return value;
    }
    static std::memory_order for_failure(std::memory_order order) noexcept {
        if (order == std::memory_order_acq_rel) return std::memory_order_acquire;
        return order == std::memory_order_release ? std::memory_order_relaxed : order;
    }

    template <class Change>
    T update(const char* name, std::memory_order order, Change change) noexcept {
        exploration::point(this, true, order, name);
        const T old = latest_;
        const T value = change(old);
        exploration::wrote(this, bits(old), bits(value), order, true);
        latest_ = value;
        return old;
    }

    bool compare_exchange(T& expected, T desired, std::memory_order success,
                          std::memory_order if_not, bool is_weak) noexcept {
        exploration::point(this, true, success, "compare_exchange");
        const T old = latest_;
        if (old == expected && !(is_weak && exploration::fails_spuriously())) {
            exploration::wrote(this, bits(old), bits(desired), success, true);
            latest_ = desired;
            return true;
        }
        exploration::read(this, bits(old), if_not, true);
        expected = old;
        return false;
    }

    T latest_;
};

/// A value that is not atomic, every access to which is checked for races.
template <class T>
class explored_data {
public:
    explored_data(T value = T()) : value_(value) {
        race_checker::forget(this);
        race_checker::write(this);
    }
    explored_data(const explored_data&) = delete;
    explored_data& operator=(const explored_data&) = delete;

    T get() const {
        race_checker::read(this);
        return value_;
    }
    void set(T value) {
        race_checker::write(this);
        value_ = value;
    }
    operator T() const { return get(); }
    T operator=(T value) {
        set(value);
        return value;
    }

private:
    T value_;
};

}  // namespace fastalloc::testing
