// SPDX-License-Identifier: MIT
#pragma once

// Operations are rows, faults are columns. In each cell the operation is done in a world of its own with
// the first thing that may fail failing, in another one with the second, and so on until it is done
// without reaching the fault.
//
// A world is made by `World(upstream, seed, parameter)` and has
//   parameters()  static: of all worlds; each a `parameter_type`, with a `name`
//   sources       static: who fails there
//   observe()     a value `before` that can compare itself with a later one:
//                 before.is_as(after, may_grow), before.failures_until(after, least, most)
//   in_order()    whether invariants hold, and what is alive is as it was written

#include "faults/fault_points.hpp"

#include <cstddef>
#include <exception>
#include <functional>
#include <iostream>
#include <new>
#include <string>
#include <vector>

namespace fastalloc::testing::faults {

/// What a fault may change, though the operation fails.
enum class effects {
    none,
    growth,      // the pool has grown
    not_a_fail,  // the operation never fails: a fault is made good, or not reached
};

template <class World>
struct row {
    const char* name;
    /// Returns: whether it was done. May also throw.
    std::function<bool(World&)> run;
    effects allowed = effects::none;
    /// Failures that statistics show when it failed for want of memory, at least and at most.
    std::size_t least_failures = 0;
    std::size_t most_failures = 0;
    /// In which worlds; empty: in all.
    std::function<bool(const typename World::parameter_type&)> fits = {};
};

/// What was seen.
class tally {
public:
    std::size_t injected = 0;
    std::size_t cells = 0;
    std::vector<std::string> violations;

    void expect(bool is_so, const std::string& where, const char* what) {
        if (!is_so) violations.push_back(where + ": " + what);
    }

    bool has(const std::string& what) const {
        for (const std::string& v : violations) {
            if (v.find(what) != std::string::npos) return true;
        }
        return false;
    }
};

enum class outcome { done, refused, threw_memory, threw_injected, threw_other };

template <class World>
outcome attempt(const row<World>& r, World& world) {
    try {
        return r.run(world) ? outcome::done : outcome::refused;
    } catch (const std::bad_alloc&) {
        return outcome::threw_memory;
    } catch (const injected&) {
        return outcome::threw_injected;
    } catch (...) {
        return outcome::threw_other;
    }
}

inline bool is_possible(outcome o, source where, effects allowed) {
    if (o == outcome::done) return true;
    if (allowed == effects::not_a_fail || o == outcome::threw_other) return false;
    const bool is_users = o == outcome::threw_injected;
    switch (where) {
        case source::upstream:
        case source::operator_new:
            return !is_users;
        case source::growth_function:
            // For try_allocate, what it throws is one more reason to return null.
            return true;
        default:
            return is_users;
    }
}

/// Returns: whether the fault was reached.
template <class World, class Parameter>
bool inject(const row<World>& r, const fault& f, unsigned seed, const Parameter& parameter,
            const std::string& where, tally& t) {
    const std::size_t blocks = operator_new_blocks();
    std::size_t struck = 0;
    upstream up;
    {
        World world(&up, seed, parameter);
        t.expect(world.in_order(), where, "the world begins in order");
        const auto before = world.observe();
        arm(f);
        const outcome o = attempt(r, world);
        struck = disarm();
        t.injected += struck != 0;
        if (struck == 0) {
            t.expect(o == outcome::done, where, "without a fault it succeeds");
        } else {
            t.expect(is_possible(o, f.where, r.allowed), where, "it fails as it may");
            // A growth function that throws counts as a failure of upstream; operator new does where a
            // resource needs it for its books, and not where the caller does.
            const bool counts_always =
                f.where == source::upstream || f.where == source::growth_function;
            const bool may_count = counts_always || f.where == source::operator_new;
            if (o != outcome::done) {
                t.expect(before.is_as(world.observe(), r.allowed == effects::growth), where,
                         "a failure has no effects");
                t.expect(
                    before.failures_until(world.observe(), counts_always ? r.least_failures : 0,
                                          may_count ? r.most_failures : 0),
                    where, "failures are counted");
            }
        }
        t.expect(world.in_order(), where, "the world stays in order");
        t.expect(attempt(r, world) == outcome::done, where, "the next time it succeeds");
        t.expect(world.in_order(), where, "the world is in order in the end");
    }
    t.expect(up.checked().blocks_out() == 0, where, "upstream gets everything back");
    t.expect(up.checked().errors().empty(), where, up.checked().errors().c_str());
    t.expect(operator_new_blocks() == blocks, where, "everything is deleted");
    return struck != 0;
}

inline constexpr std::size_t most_points = 2'000;  // that one operation passes
inline constexpr std::size_t share = 6;            // of so many worlds an operation is done in one

/// Effects: each operation, in those worlds whose turn it is. After `share` seeds it was all of them.
template <class World>
void inject_everywhere(const std::string& name, const std::vector<row<World>>& rows, unsigned seed,
                       tally& t) {
    std::size_t turn = seed;
    for (const row<World>& r : rows) {
        for (const auto& parameter : World::parameters()) {
            if (r.fits && !r.fits(parameter)) continue;
            if (turn++ % share != 0) continue;
            for (const source where : World::sources) {
                for (const bool lasts : {false, true}) {
                    // Made before anything is counted: it is on the heap.
                    const std::string at = name + ", " + parameter.name + ", " + r.name + ", " +
                                           name_of(where) + (lasts ? " from then on" : " once");
                    fault f{where, lasts, 0};
                    while (f.n != most_points && inject(r, f, seed, parameter, at, t)) ++f.n;
                    t.expect(f.n != most_points, at, "in the end it passes all points");
                    ++t.cells;
                }
            }
        }
    }
}

}  // namespace fastalloc::testing::faults
