// SPDX-License-Identifier: MIT
/// What an object costs together with the handle that owns it. An operation is one object made and
/// dropped, one copy or lock and its drop, or one object reached.

#include "owners.hpp"
#include "rows.hpp"

#include <sys/single_threaded.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace perf {

namespace {

std::weak_ptr<object> weak_of(const std::shared_ptr<object>& h) { return h; }
fastalloc::weak_handle<object> weak_of(const fastalloc::shared_handle<object>& h) { return h; }

/// What of a handle the compiler must believe that somebody follows.
template <class Handle>
auto way_of(const Handle& h) {
    if constexpr (requires { h.get(); }) {
        return h.get();
    } else {
        return h;
    }
}

/// Stands for the rest of the program, which may look at the object and at all that the contender
/// keeps.
template <class Contender, class Handle>
void show(Contender& contender, const Handle& h) {
    asm volatile("" : : "r"(way_of(h)), "r"(&contender) : "memory");
}

// Both are inlined for all contenders alike, and not where the compiler finds it worth the room.
template <class Contender>
[[gnu::always_inline]] inline auto make_one(Contender& contender, std::uint64_t n) {
    auto h = contender.make(n);
    show(contender, h);
    return h;
}

template <class Contender>
[[gnu::always_inline]] inline void drop_one(Contender& contender, typename Contender::handle& h) {
    contender.drop(h);
    benchmark::ClobberMemory();
}

/// Returns: `count` objects, by one call where there is such a thing.
template <class Contender>
auto make_many(Contender& contender, std::uint32_t count) {
    std::vector<typename Contender::handle> made;
    if constexpr (requires { contender.make_batch(count, 0u); }) {
        made = contender.make_batch(count, 0u);
    } else {
        made.reserve(count);
        for (std::uint32_t i = 0; i != count; ++i) made.push_back(contender.make(i));
    }
    auto* const first = made.data();
    asm volatile("" : : "r"(first), "r"(&contender) : "memory");
    return made;
}

/// Makes an object and drops it.
constexpr auto make_drop = [](benchmark::State& state, auto& contender) {
    std::uint64_t n = 0;
    const auto round = [&] {
        auto h = make_one(contender, ++n);
        drop_one(contender, h);
    };
    round();  // no contender pays for its first memory
    for (auto _ : state) round();
    count_operations(state, 1);
};

/// Drops any of `live` objects and makes one.
auto replace(std::uint32_t live) {
    return [live](benchmark::State& state, auto& contender) {
        const numbers order = random_below(live, 8'192);
        auto handles = make_many(contender, live);
        const auto round = [&] {
            for (const std::uint32_t i : order) {
                drop_one(contender, handles[i]);
                handles[i] = make_one(contender, i);
            }
        };
        round();
        for (auto _ : state) round();
        count_operations(state, order.size());
        for (auto& h : handles) drop_one(contender, h);
    };
}

/// Makes as many objects as `order` has numbers, into a vector, and drops them in that order.
auto batch(numbers order) {
    return [order](benchmark::State& state, auto& contender) {
        const auto round = [&] {
            auto handles = make_many(contender, static_cast<std::uint32_t>(order.size()));
            for (const std::uint32_t i : order) drop_one(contender, handles[i]);
        };
        round();
        for (auto _ : state) round();
        count_operations(state, order.size());
    };
}

/// Returns: handles of `count` objects in the order in which these were made. Half as many were
/// dropped on the way, at random, some thousand at a time, and others made.
template <class Contender>
auto make_aged(Contender& contender, std::uint32_t count) {
    constexpr std::uint32_t steps = 10;
    const std::uint32_t replaced = count / 2 / steps;
    auto all = make_many(contender, count);
    numbers live = ascending(count);
    std::mt19937 random;
    for (std::uint32_t step = 0; step != steps; ++step) {
        std::shuffle(live.begin(), live.end(), random);
        for (std::uint32_t i = 0; i != replaced; ++i) drop_one(contender, all[live[i]]);
        for (std::uint32_t i = 0; i != replaced; ++i) {
            live[i] = static_cast<std::uint32_t>(all.size());
            all.push_back(make_one(contender, i));
        }
    }
    std::sort(live.begin(), live.end());
    decltype(all) result;
    for (const std::uint32_t i : live) result.push_back(std::move(all[i]));
    return result;
}

/// Adds up a number out of each object, in an order that counts from the oldest on.
auto walk(numbers order) {
    return [order](benchmark::State& state, auto& contender) {
        auto made = make_aged(contender, static_cast<std::uint32_t>(order.size()));
        decltype(made) handles;
        for (const std::uint32_t i : order) handles.push_back(std::move(made[i]));
        for (auto _ : state) {
            std::uint64_t sum = 0;
            for (const auto& h : handles) sum += contender.at(h).id;
            benchmark::DoNotOptimize(sum);
        }
        count_operations(state, handles.size());
        for (auto& h : handles) drop_one(contender, h);
    };
}

/// Finds any of `live` objects by its key, and adds up a number out of each.
auto find_key(std::uint32_t live) {
    return [live](benchmark::State& state, auto& contender) {
        auto handles = make_aged(contender, live);
        std::vector<decltype(contender.key_of(handles.front()))> keys;
        for (const std::uint32_t i : random_below(live, live)) {
            keys.push_back(contender.key_of(handles[i]));
        }
        for (auto _ : state) {
            std::uint64_t sum = 0;
            for (const auto key : keys) {
                if (const object* const p = contender.find(key)) sum += p->id;
            }
            benchmark::DoNotOptimize(sum);
        }
        count_operations(state, keys.size());
        for (auto& h : handles) drop_one(contender, h);
    };
}

/// Copies the handle of an object with several owners, and drops the copy.
constexpr auto shared_copy_drop = [](benchmark::State& state, auto& contender) {
    auto h = contender.make_shared(1);
    const auto& original = *opaque(&h);
    for (auto _ : state) {
        const auto copy = original;
        show(contender, copy);
    }
    count_operations(state, 1);
};

/// Makes an object that may have several owners, and drops it.
constexpr auto make_shared_drop = [](benchmark::State& state, auto& contender) {
    std::uint64_t n = 0;
    const auto round = [&] {
        const auto h = contender.make_shared(++n);
        show(contender, h);
    };
    round();
    for (auto _ : state) round();
    count_operations(state, 1);
};

/// Makes an owner out of a weak handle of a live object, and drops it.
constexpr auto weak_lock = [](benchmark::State& state, auto& contender) {
    const auto h = contender.make_shared(1);
    auto weak = weak_of(h);
    const auto& original = *opaque(&weak);
    for (auto _ : state) {
        const auto locked = original.lock();
        show(contender, locked);
    }
    count_operations(state, 1);
};

/// The workload as it is in a process that has started another thread: libstdc++ counts owners
/// without atomic operations until then.
///
/// None is started, only what libstdc++ looks at is set. The C library never takes back that there
/// was a thread, and its malloc would be slower from then on in all other cells.
template <class Workload>
auto with_threads(Workload workload) {
    return [workload](benchmark::State& state, auto& contender) {
        __libc_single_threaded = false;
        workload(state, contender);
        __libc_single_threaded = true;
    };
}

}  // namespace

void add_rows() {
    const auto add_owned = [](const std::string& name, auto workload, auto... more) {
        add_row(name, workload, mallocs{}, more..., with_boost{}, with_keys{});
    };
    add_owned("make_drop", make_drop, with_boost_order{});
    add_owned("replace_1000", replace(1'000), with_boost_order{});
    add_owned("batch_1000", batch(shuffled(1'000)), with_boost_order{});
    add_owned("walk_created_100000", walk(ascending(most_objects)));
    add_owned("walk_random_100000", walk(shuffled(most_objects)));
    add_row("find_key", find_key(most_objects), with_keys{});

    const auto add_shared = [](const std::string& name, auto workload) {
        add_row(name, workload, shared_ptrs{}, shared_pools{});
        add_row(name + "_mt", with_threads(workload), shared_ptrs{}, shared_pools{});
    };
    add_shared("shared_copy_drop", shared_copy_drop);
    add_shared("make_shared_drop", make_shared_drop);
    add_shared("weak_lock", weak_lock);
}

}  // namespace perf
