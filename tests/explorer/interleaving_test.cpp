// SPDX-License-Identifier: MIT
#include "support/interleaving.hpp"
#include "explorer/check_explored.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace fastalloc::testing {

namespace {

// Each fiber does `operation` `steps` times, on an atomic of its own or on one for all.
template <class Operation>
scenario_factory repeated(std::size_t fibers, std::size_t steps, bool is_shared,
                          Operation operation) {
    return [=] {
        auto atomics = std::make_shared<std::array<explored_atomic<int>, max_fibers>>();
        scenario s;
        for (std::size_t i = 0; i != fibers; ++i) {
            s.fibers.push_back([=] {
                for (std::size_t n = 0; n != steps; ++n) operation((*atomics)[is_shared ? 0 : i]);
            });
        }
        return s;
    };
}

constexpr auto increment = [](explored_atomic<int>& a) { a.fetch_add(1); };
constexpr auto look = [](explored_atomic<int>& a) { a.load(); };

std::size_t factorial(std::size_t n) { return n < 2 ? 1 : n * factorial(n - 1); }

}  // namespace

TEST_CASE("every order of dependent steps is run once") {
    for (std::size_t n = 1; n != 7; ++n) {
        const outcome result = explore_all(repeated(2, n, true, increment));
        CHECK(result.exhaustive);
        CHECK(result.redundant == 0);
        CHECK(result.schedules == factorial(2 * n) / factorial(n) / factorial(n));
    }
    CHECK(explore_all(repeated(3, 2, true, increment)).schedules == 90);
    CHECK(explore_all(repeated(3, 3, true, increment)).schedules == 1'680);
    CHECK(explore_all(repeated(max_fibers, 1, true, increment)).schedules == 5'040);
}

TEST_CASE("one order of independent steps stands for all") {
    exploration_options plain;
    plain.reduce = false;
    CHECK(explore_all(repeated(2, 4, false, increment)).schedules == 1);
    CHECK(explore_all(repeated(2, 4, true, look)).schedules == 1);
    CHECK(explore_all(repeated(2, 4, false, increment), plain).schedules == 70);
    CHECK(explore_all(repeated(2, 4, true, look), plain).schedules == 70);
}

TEST_CASE("the preemptions are bounded") {
    for (std::size_t n = 2; n != 6; ++n) {
        const outcome none = explore_all(repeated(2, n, true, increment), with_preemptions(0));
        CHECK(none.schedules == 2);
        CHECK_FALSE(none.exhaustive);
        const outcome one = explore_all(repeated(2, n, true, increment), with_preemptions(1));
        CHECK(one.schedules == 2 * n);
        CHECK(explore_all(repeated(2, n, false, increment), with_preemptions(1)).schedules ==
              one.schedules);
    }
}

TEST_CASE("the number of schedules is bounded") {
    exploration_options options;
    options.schedules = 7;
    const outcome result = explore_all(repeated(2, 4, true, increment), options);
    CHECK(result.schedules == 7);
    CHECK_FALSE(result.exhaustive);
}

TEST_CASE("a lost update is found") {
    const auto counter = [](bool is_atomic) {
        return [is_atomic] {
            auto count = std::make_shared<explored_atomic<int>>();
            const auto add = [=] {
                if (is_atomic) {
                    count->fetch_add(1);
                } else {
                    count->store(count->load() + 1);
                }
            };
            return scenario{{add, add}, [=] { expect(count->load() == 2, "lost an update"); }};
        };
    };
    for (const auto model : {memory_model::sequential, memory_model::weak}) {
        check_passes(counter(true), in(model));
        check_fails(counter(false), "lost an update", in(model));
    }
    // A preemption between load and store is all it takes.
    check_fails(counter(false), "lost an update", with_preemptions(1));
    CHECK_FALSE(explore_all(counter(false), with_preemptions(0)).failed);
}

// Litmus tests ------------------------------------------------------------------------------------

namespace {

struct registers {
    explored_atomic<int> x{0};
    explored_atomic<int> y{0};
    std::array<int, 4> r{};
};

template <class Test>
scenario_factory litmus(Test test) {
    return [test] { return test(std::make_shared<registers>()); };
}

auto store_buffering(std::memory_order stored, std::memory_order loaded) {
    return litmus([=](auto s) {
        return scenario{{[=] {
                             s->x.store(1, stored);
                             s->r[0] = s->y.load(loaded);
                         },
                         [=] {
                             s->y.store(1, stored);
                             s->r[1] = s->x.load(loaded);
                         }},
                        [=] { expect(s->r[0] + s->r[1] != 0, "both read 0"); }};
    });
}

auto message_passing(std::memory_order stored, std::memory_order loaded) {
    return litmus([=](auto s) {
        return scenario{{[=] {
                             s->x.store(1, relaxed);
                             s->y.store(1, stored);
                         },
                         [=] {
                             if (s->y.load(loaded) == 1) {
                                 expect(s->x.load(relaxed) == 1, "stale");
                             }
                         }}};
    });
}

auto independent_reads(std::memory_order order) {
    return litmus([=](auto s) {
        const std::memory_order stored = order == seq_cst ? seq_cst : release;
        return scenario{{[=] { s->x.store(1, stored); }, [=] { s->y.store(1, stored); },
                         [=] {
                             s->r[0] = s->x.load(order);
                             s->r[1] = s->y.load(order);
                         },
                         [=] {
                             s->r[2] = s->y.load(order);
                             s->r[3] = s->x.load(order);
                         }},
                        [=] {
                            expect(s->r != std::array{1, 0, 1, 0}, "two orders of stores");
                        }};
    });
}

}  // namespace

TEST_CASE("store buffering: only seq_cst orders a store before a load") {
    const auto weak = in(memory_model::weak);
    check_fails(store_buffering(relaxed, relaxed), "both read 0", weak);
    check_fails(store_buffering(release, acquire), "both read 0", weak);
    check_fails(store_buffering(seq_cst, acquire), "both read 0", weak);
    check_fails(store_buffering(release, seq_cst), "both read 0", weak);
    check_passes(store_buffering(seq_cst, seq_cst), weak);
    check_passes(store_buffering(relaxed, relaxed), in(memory_model::sequential));
}

TEST_CASE("store buffering: an exchange reads the latest value") {
    check_passes(litmus([](auto s) {
                     return scenario{{[=] {
                                          s->x.store(1, relaxed);
                                          s->r[0] = s->y.exchange(1, acq_rel);
                                      },
                                      [=] {
                                          if (s->y.exchange(1, acq_rel) == 1) {
                                              s->r[1] = s->x.load(relaxed);
                                          } else {
                                              s->r[1] = 1;
                                          }
                                      }},
                                     [=] { expect(s->r[1] == 1, "stale"); }};
                 }),
                 in(memory_model::weak));
}

TEST_CASE("message passing needs release and acquire") {
    const auto weak = in(memory_model::weak);
    check_fails(message_passing(relaxed, relaxed), "stale", weak);
    check_fails(message_passing(release, relaxed), "stale", weak);
    check_fails(message_passing(relaxed, acquire), "stale", weak);
    check_passes(message_passing(release, acquire), weak);
    check_passes(message_passing(seq_cst, seq_cst), weak);
    check_passes(message_passing(relaxed, relaxed), in(memory_model::sequential));
}

TEST_CASE("independent reads of independent writes: only seq_cst has one order") {
    check_fails(independent_reads(acquire), "two orders", in(memory_model::weak));
    check_passes(independent_reads(seq_cst), in(memory_model::weak));
    check_passes(independent_reads(acquire), in(memory_model::sequential));
}

TEST_CASE("seq_cst loads agree on an order with all seq_cst operations") {
    // The store to x is in no such order, but what a seq_cst load has seen of it is.
    const auto between = [](std::memory_order last) {
        return litmus([last](auto s) {
            return scenario{{[=] { s->x.store(1, relaxed); },
                             [=] {
                                 s->r[0] = s->x.load(seq_cst);
                                 s->r[1] = s->y.load(seq_cst);
                             },
                             [=] {
                                 s->y.store(1, seq_cst);
                                 s->r[2] = s->x.load(last);
                             }},
                            [=] {
                                expect(s->r != std::array{1, 0, 0, 0}, "a cycle");
                            }};
        });
    };
    check_passes(between(seq_cst), in(memory_model::weak));
    check_fails(between(acquire), "a cycle", in(memory_model::weak));

    // Two seq_cst loads may come in either order, though neither writes.
    for (const auto& one_is_stale : {std::array{1, 0, 1, 1}, std::array{1, 1, 1, 0}}) {
        check_fails(litmus([=](auto s) {
                        const auto look_from = [s](std::size_t first) {
                            s->r[first] = s->y.load(relaxed);
                            s->r[first + 1] = s->x.load(seq_cst);
                        };
                        return scenario{{[=] {
                                             s->x.store(1, relaxed);
                                             s->y.store(1, relaxed);
                                         },
                                         [=] { look_from(0); }, [=] { look_from(2); }},
                                        [=] { expect(s->r != one_is_stale, "one is stale"); }};
                    }),
                    "one is stale", in(memory_model::weak));
    }
}

TEST_CASE("coherence: no fiber sees an atomic go back") {
    check_passes(
        litmus([](auto s) {
            return scenario{{[=] {
                                 s->x.store(1, relaxed);
                                 expect(s->x.load(relaxed) != 0, "missed its own store");
                                 s->x.store(2, relaxed);
                                 expect(s->x.load(relaxed) != 1, "read its own former store");
                             },
                             [=] {
                                 const int first = s->x.load(relaxed);
                                 const int second = s->x.load(relaxed);
                                 expect(first <= second, "back");
                                 // What this one has seen the next one cannot miss.
                                 s->r[0] = second;
                                 s->y.store(1, release);
                             },
                             [=] {
                                 if (s->y.load(acquire) == 0) return;
                                 expect(s->x.load(relaxed) >= s->r[0], "back across fibers");
                             }}};
        }),
        in(memory_model::weak));
    // But without an order between them, two fibers may see different values at a time.
    check_fails(litmus([](auto s) {
                    return scenario{{[=] { s->x.store(1, relaxed); },
                                     [=] {
                                         s->r[0] = s->x.load(relaxed);
                                         s->y.store(1, relaxed);
                                     },
                                     [=] {
                                         if (s->y.load(relaxed) == 0) return;
                                         expect(s->x.load(relaxed) >= s->r[0], "older");
                                     }}};
                }),
                "older", in(memory_model::weak));
}

TEST_CASE("an overwritten value is read a bounded number of times") {
    const auto reads = litmus([](auto s) {
        return scenario{{[=] { s->x.store(1, relaxed); },
                         [=] {
                             int missed = 0;
                             if (s->y.load(relaxed) == 0) return;
                             while (s->x.load(relaxed) == 0) ++missed;
                             expect(missed < 3, "three times");
                         },
                         [=] {
                             if (s->x.load(acquire) == 1) s->y.store(1, relaxed);
                         }}};
    });
    auto options = in(memory_model::weak);
    options.stale_reads = 2;
    check_passes(reads, options);
    options.stale_reads = 3;
    check_fails(reads, "three times", options);
}

namespace {

// Three fibers of random operations; `seen` gets what they read, and the last values.
scenario_factory random_program(std::uint32_t seed, std::set<std::vector<int>>& seen) {
    return [seed, &seen] {
        auto s = std::make_shared<registers>();
        auto reads = std::make_shared<std::array<std::vector<int>, 3>>();
        std::mt19937 random(seed);
        scenario made;
        for (std::size_t fiber = 0; fiber != 3; ++fiber) {
            std::vector<std::size_t> operations(fiber == 0 ? 3 : 2);
            for (std::size_t& o : operations) o = random() >> 8;
            made.fibers.push_back([=] {
                for (std::size_t n = 0; n != operations.size(); ++n) {
                    const std::size_t o = operations[n];
                    const int value = static_cast<int>(10 * (fiber + 1) + n);
                    explored_atomic<int>& a = o % 2 == 0 ? s->x : s->y;
                    const auto to_load = std::array{relaxed, acquire, seq_cst}[o / 2 % 3];
                    const auto to_store = std::array{relaxed, release, seq_cst}[o / 2 % 3];
                    int old = 0;
                    switch (o / 6 % 5) {
                        case 0:
                        case 1:
                            old = a.load(to_load);
                            break;
                        case 2:
                        case 3:
                            a.store(value, to_store);
                            break;
                        default:
                            a.compare_exchange_strong(old, value, to_store, to_load);
                    }
                    (*reads)[fiber].push_back(old);
                }
            });
        }
        made.check = [s, reads, &seen] {
            std::vector<int> all{s->x.load(), s->y.load()};
            for (const auto& r : *reads) all.insert(all.end(), r.begin(), r.end());
            seen.insert(all);
        };
        return made;
    };
}

}  // namespace

TEST_CASE("the reduction loses no outcome, and the weak model none of the sequential one") {
    for (std::uint32_t seed = 0; seed != 100; ++seed) {
        std::set<std::vector<int>> sequential;
        for (const auto model : {memory_model::sequential, memory_model::weak}) {
            std::set<std::vector<int>> reduced;
            std::set<std::vector<int>> plain;
            exploration_options options = in(model);
            const outcome few = explore_all(random_program(seed, reduced), options);
            options.reduce = false;
            const outcome all = explore_all(random_program(seed, plain), options);
            CAPTURE(seed, few.text(), all.text());
            CHECK((few.exhaustive && all.exhaustive));
            CHECK(few.schedules <= all.schedules);
            CHECK(reduced == plain);
            if (model == memory_model::sequential) sequential = plain;
            CHECK(std::includes(plain.begin(), plain.end(), sequential.begin(), sequential.end()));
        }
    }
}

// Races -------------------------------------------------------------------------------------------

namespace {

struct message {
    explored_data<int> data{0};
    explored_atomic<int> flag{0};
};

template <class Publish>
scenario_factory published(Publish publish, std::memory_order loaded, int seen = 1) {
    return [=] {
        auto m = std::make_shared<message>();
        return scenario{{[=] {
                             m->data = 42;
                             publish(m->flag);
                         },
                         [=] {
                             // Others may add to the flag before it is seen.
                             int zero = 0;
                             m->flag.compare_exchange_strong(zero, 0, relaxed);
                             if (m->flag.load(loaded) >= seen) expect(m->data == 42, "wrong");
                         },
                         [=] {
                             int one = 1;
                             m->flag.compare_exchange_strong(one, 2, relaxed);
                         }}};
    };
}

}  // namespace

TEST_CASE("a publication that is relaxed on either side is a data race") {
    const auto stored = [](std::memory_order order) {
        return [=](explored_atomic<int>& flag) { flag.store(1, order); };
    };
    for (const auto model : {memory_model::sequential, memory_model::weak}) {
        check_fails(published(stored(relaxed), acquire), "data race", in(model));
        check_fails(published(stored(release), relaxed), "data race", in(model));
        // The 2 of the third fiber continues the release sequence.
        check_passes(published(stored(release), acquire), in(model));
        check_passes(published(stored(release), acquire, 2), in(model));
        check_passes(published(stored(seq_cst), seq_cst), in(model));
        // A relaxed store ends it.
        check_fails(published(
                        [](explored_atomic<int>& flag) {
                            flag.store(1, release);
                            flag.store(3, relaxed);
                        },
                        acquire),
                    "data race", in(model));
    }
}

TEST_CASE("a release publishes nothing that comes after it") {
    const auto late = [](bool is_read) {
        return [is_read] {
            auto m = std::make_shared<message>();
            return scenario{{[=] {
                                 m->flag.store(1, release);
                                 if (is_read) {
                                     m->data.get();
                                 } else {
                                     m->data = 1;
                                 }
                             },
                             [=] {
                                 if (m->flag.load(acquire) == 1) m->data = 2;
                             }}};
        };
    };
    check_fails(late(false), "data race");
    check_fails(late(true), "data race");
}

TEST_CASE("two reads do not race, a read and a write do") {
    const auto both = [](bool second_writes) {
        return [=] {
            auto m = std::make_shared<message>();
            return scenario{{[=] { m->data.get(); },
                             [=] {
                                 if (second_writes) {
                                     m->data = 1;
                                 } else {
                                     m->data.get();
                                 }
                             }},
                            [=] { m->data = 2; }};
        };
    };
    check_passes(both(false));
    check_fails(both(true), "data race");
}

TEST_CASE("an atomic whose construction is not visible must not be used") {
    const auto made = [](std::memory_order order) {
        return [=] {
            auto owner = std::make_shared<std::unique_ptr<explored_atomic<int>>>();
            auto pointer = std::make_shared<explored_atomic<explored_atomic<int>*>>(nullptr);
            return scenario{{[=] {
                                 *owner = std::make_unique<explored_atomic<int>>(7);
                                 pointer->store(owner->get(), order);
                             },
                             [=] {
                                 auto* const p = pointer->load(acquire);
                                 if (p != nullptr) expect(p->load(relaxed) == 7, "wrong");
                             }}};
        };
    };
    check_passes(made(release));
    check_fails(made(relaxed), "construction");
}

// A stack of node numbers ---------------------------------------------------------------------------

namespace {

template <template <class> class Atomic, bool IsTagged, std::memory_order Pushed = release>
class index_stack {
public:
    static constexpr std::uint32_t none = 0xffff'ffff;

    explicit index_stack(std::uint32_t count) {
        for (std::uint32_t n = count; n != 0; --n) push(n - 1);
    }

    std::uint32_t pop() noexcept {
        std::uint64_t head = head_.load(acquire);
        for (;;) {
            const auto n = static_cast<std::uint32_t>(head);
            if (n == none) return none;
            const std::uint32_t next = next_[n].load(relaxed);
            if (head_.compare_exchange_weak(head, with_tag_after(head, next), acquire)) return n;
        }
    }

    void push(std::uint32_t n) noexcept {
        std::uint64_t head = head_.load(relaxed);
        do {
            next_[n].store(static_cast<std::uint32_t>(head), relaxed);
        } while (!head_.compare_exchange_weak(head, with_tag_after(head, n), Pushed, relaxed));
    }

private:
    static std::uint64_t with_tag_after(std::uint64_t head, std::uint32_t n) noexcept {
        return IsTagged ? ((head >> 32) + 1) << 32 | n : n;
    }

    Atomic<std::uint64_t> head_{none};
    std::array<Atomic<std::uint32_t>, 4> next_{};
};

// Each fiber pops as many nodes as its pattern says with '-', and pushes its oldest with '+'. In
// the end each node is in the stack or held by one fiber.
template <class Stack>
scenario_factory popping(std::vector<std::string> patterns) {
    struct state {
        Stack stack{3};
        std::array<char, 4> slots{};
        std::array<std::vector<std::uint32_t>, max_fibers> held;
    };
    return [patterns = std::move(patterns)] {
        auto s = std::make_shared<state>();
        scenario made;
        for (std::size_t i = 0; i != patterns.size(); ++i) {
            made.fibers.push_back([s, &mine = s->held[i], &pattern = patterns[i]] {
                for (const char c : pattern) {
                    if (c == '-') {
                        const std::uint32_t n = s->stack.pop();
                        if (n == Stack::none) continue;
                        race_checker::write(&s->slots[n]);
                        mine.push_back(n);
                    } else if (!mine.empty()) {
                        const std::uint32_t n = mine.front();
                        mine.erase(mine.begin());
                        race_checker::write(&s->slots[n]);
                        s->stack.push(n);
                    }
                }
            });
        }
        made.check = [s] {
            std::array<int, 4> seen{};
            for (const auto& all : s->held) {
                for (const std::uint32_t n : all) ++seen[n];
            }
            for (std::uint32_t n; (n = s->stack.pop()) != Stack::none && seen[n] < 2;) ++seen[n];
            expect(seen == std::array{1, 1, 1, 0}, "a node is lost or there twice");
        };
        return made;
    };
}

using tagged_stack = index_stack<explored_atomic, true>;
using untagged_stack = index_stack<explored_atomic, false>;
using relaxed_stack = index_stack<explored_atomic, true, relaxed>;

static_assert(sizeof(index_stack<std::atomic, true>) == sizeof(tagged_stack));
static_assert(std::is_trivially_destructible_v<tagged_stack>);

}  // namespace

TEST_CASE("a stack with a tag passes") {
    check_passes(popping<tagged_stack>({"-+", "--+"}));
    check_passes(popping<tagged_stack>({"-+-+", "--+"}));
    check_passes(popping<tagged_stack>({"-", "-", "-"}));
    check_passes(popping<tagged_stack>({"-+", "-+"}), in(memory_model::weak));
    const outcome bounded =
        explore_all(popping<tagged_stack>({"-+", "--+", "-+"}), with_preemptions(2));
    INFO(bounded.text());
    CHECK_FALSE(bounded.failed);
}

TEST_CASE("a stack without a tag loses or duplicates a node") {
    check_fails(popping<untagged_stack>({"-", "--+"}), "a node is");
    check_fails(popping<untagged_stack>({"-", "--+"}), "a node is", with_preemptions(1));
    check_passes(popping<untagged_stack>({"-", "--"}));

    const auto make = popping<untagged_stack>({"-+-+", "--++--+", "-+-+"});
    const outcome found = explore_random(make, 10'000, 1);
    INFO(found.text());
    REQUIRE(found.failed);
    CHECK(replay(make, found.failed->choices).failed);
    CHECK(explore_random(make, 10'000, 1).schedules == found.schedules);
}

TEST_CASE("a stack that pushes relaxed races for the slot") {
    check_fails(popping<relaxed_stack>({"-+", "-+"}), "data race");
    CHECK(explore_random(popping<relaxed_stack>({"-+", "-+"}), 1'000, 1).failed);
}

// Failures ------------------------------------------------------------------------------------------

TEST_CASE("fibers that give way to each other for ever make no progress") {
    const scenario_factory polite = [] {
        auto wants = std::make_shared<std::array<explored_atomic<bool>, 2>>();
        const auto enter = [wants](std::size_t me) {
            for (;;) {
                (*wants)[me].store(true);
                if (!(*wants)[1 - me].load()) break;
                (*wants)[me].store(false);
            }
            (*wants)[me].store(false);
        };
        return scenario{{[=] { enter(0); }, [=] { enter(1); }}};
    };
    exploration_options options;
    options.steps = 50;
    check_fails(polite, "no progress", options);
}

TEST_CASE("fibers that can never end are dropped") {
    const scenario_factory waiting = [] {
        auto never = std::make_shared<explored_atomic<bool>>(false);
        const auto wait = [=]() noexcept {
            while (!never->load()) {
            }
        };
        return scenario{{wait, wait}};
    };
    check_fails(waiting, "no progress");
}

TEST_CASE("what leaves a fiber or the check is a failure") {
    const auto thrown = [](auto exception) {
        return [=] { return scenario{{[=] { throw exception; }}}; };
    };
    check_fails(thrown(std::runtime_error("what it says")), "fiber 1: exception: what it says");
    check_fails(thrown(42), "fiber 1: exception");
    check_fails(
        [] {
            return scenario{{}, [] { throw std::runtime_error("in the check"); }};
        },
        "in the check");
    check_fails([] { return scenario{{}, [] { expect(false, "not so"); }}; }, "not so");
    // Outside of a schedule there is nobody to tell.
    CHECK_THROWS_AS(expect(false, "not so"), std::logic_error);
    CHECK_THROWS_AS(explore_all([]() -> scenario { throw 42; }), int);
}

TEST_CASE("a scenario that changes from run to run is found out") {
    int runs = 0;
    const outcome result = explore_all([&] {
        const bool is_first = runs++ == 0;
        auto a = std::make_shared<explored_atomic<int>>();
        const auto add = [=] { a->fetch_add(1); };
        return is_first ? scenario{{add, add}} : scenario{{add, add, add}};
    });
    REQUIRE(result.failed);
    CHECK(result.failed->message.find("not deterministic") != std::string::npos);
}

TEST_CASE("all fibers are unwound, whatever happens to the schedule") {
    struct counted {
        explicit counted(int& n) : live(&n) { ++*live; }
        counted(const counted&) = delete;
        counted& operator=(const counted&) = delete;
        ~counted() { --*live; }
        int* live;
    };
    int live = 0;
    const auto make = [&](int bad) {
        return [&live, bad] {
            auto count = std::make_shared<explored_atomic<int>>();
            auto other = std::make_shared<explored_atomic<int>>();
            const auto add = [=, &live] {
                const counted here(live);
                other->load();
                expect(count->fetch_add(1) != bad, "bad");
                other->load();
                other->fetch_add(1);
                count->load();
            };
            return scenario{{add, add, add}};
        };
    };
    for (const int bad : {0, 1, 2}) {
        check_fails(make(bad), "bad");
        CHECK(live == 0);
    }
    const outcome all = explore_all(make(3));
    INFO(all.text());
    CHECK(all.exhaustive);
    CHECK(all.redundant != 0);
    CHECK(live == 0);
}

TEST_CASE("fibers may handle exceptions while others run") {
    check_passes([] {
        auto a = std::make_shared<explored_atomic<int>>();
        const auto handle = [=](int mine) {
            try {
                throw mine;
            } catch (int) {
                a->fetch_add(1);
                try {
                    throw;
                } catch (int caught) {
                    expect(caught == mine, "the exception of another fiber");
                }
            }
        };
        return scenario{{[=] { handle(1); }, [=] { handle(2); }, [=] { handle(3); }}};
    });
}

TEST_CASE("compare_exchange_weak fails for no reason when it is told to") {
    const auto once = [] {
        auto a = std::make_shared<explored_atomic<int>>(0);
        return scenario{{[=] {
                             int expected = 0;
                             expect(a->compare_exchange_weak(expected, 1), "failed");
                         },
                         [=] { a->load(); }}};
    };
    check_passes(once);
    exploration_options options;
    options.spurious_failures = 1;
    check_fails(once, "failed", options);
}

TEST_CASE("an explored atomic is an atomic, also outside of an exploration") {
    explored_atomic<unsigned> a(6);
    CHECK(a.load(relaxed) == 6);
    CHECK(a.exchange(12, relaxed) == 6);
    CHECK(a.fetch_add(4) == 12);
    CHECK(a.fetch_sub(1) == 16);
    CHECK(a.fetch_or(0x10) == 15);
    CHECK(a.fetch_and(0x1c) == 31);
    CHECK(a.fetch_xor(0x0f) == 28);
    CHECK(a == 19);
    unsigned expected = 18;
    CHECK_FALSE(a.compare_exchange_strong(expected, 1));
    CHECK(expected == 19);
    CHECK(a.compare_exchange_weak(expected, 1, acq_rel, acquire));
    CHECK(++a == 2);
    CHECK(a++ == 2);
    CHECK(--a == 2);
    CHECK(a-- == 2);
    CHECK((a += 5) == 6);
    CHECK((a -= 6) == 0);
    CHECK((a = 3) == 3);

    std::array<int, 3> values{};
    explored_atomic<int*> p(values.data());
    CHECK(p.fetch_add(2) == values.data());
    CHECK(p.load() == &values[2]);
    CHECK(explored_atomic<bool>().load() == false);
}

}  // namespace fastalloc::testing
