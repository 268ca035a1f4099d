// SPDX-License-Identifier: MIT
/// What typed pools have of lock-free code, as it is shipped but for its atomics, in all
/// interleavings of a few operations.

#include "explorer/check_explored.hpp"
#include "support/catch.hpp"
#include "support/interleaving.hpp"

#include <fastalloc/object/atomic_object_stack.hpp>
#include <fastalloc/object/ticket.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <memory_resource>
#include <string>
#include <vector>

namespace fastalloc::testing {

namespace {

/// One slot whose objects come, are owned by several, observed, and go. What is done with an object
/// is checked for races with its destruction, and with the next one in its slot.
template <class State>
struct shared_slot {
    State state{true};
    explored_data<int> object{0};
    explored_atomic<int> alive{1};

    shared_slot() { state.begin(); }

    void use() { expect(object == 0 && alive.load(relaxed) == 1, "a dead object is used"); }

    void drop() {
        if (!state.drop()) return;
        object = 1;
        expect(alive.exchange(0, relaxed) == 1, "an object is destroyed twice");
    }
};

using ticket_state = detail::basic_ticket_state<explored_atomic>;

template <class State>
scenario_factory locking_while_owners_go(std::size_t owners, std::size_t observers) {
    return [=] {
        auto s = std::make_shared<shared_slot<State>>();
        for (std::size_t i = 1; i < owners; ++i) s->state.add();
        const std::uint32_t generation = s->state.observe();
        scenario made;
        for (std::size_t i = 0; i != owners; ++i) {
            made.fibers.push_back([s] {
                s->use();
                s->drop();
            });
        }
        for (std::size_t i = 0; i != observers; ++i) {
            made.fibers.push_back([s, generation] {
                if (!s->state.try_add(generation)) return;
                s->use();
                s->drop();
            });
        }
        made.check = [s, generation] {
            expect(s->alive.load(relaxed) == 0, "an object outlives its owners");
            expect(!s->state.is_alive(generation), "a dead object seems alive");
            expect(s->state.count() == 0, "an owner is left");
        };
        return made;
    };
}

/// The generation goes to another thread without order: what was done to the object before it was
/// observed is seen by who locks it then.
template <class State>
scenario_factory handing_a_generation_over() {
    struct slot {
        State state{true};
        explored_data<int> object{0};
        explored_atomic<std::uint32_t> next_generation{0};
    };
    return [] {
        auto s = std::make_shared<slot>();
        scenario made;
        made.fibers.push_back([s] {
            s->object = 1;
            s->state.begin();
            s->next_generation.store(s->state.observe() + 1, relaxed);
        });
        made.fibers.push_back([s] {
            const std::uint32_t next = s->next_generation.load(relaxed);
            if (next == 0 || !s->state.try_add(next - 1)) return;
            expect(s->object == 1, "an object is locked before it is made");
        });
        made.check = [s] { expect(s->state.count() != 0, "no owner is left"); };
        return made;
    };
}

/// The last owner goes, and the next object comes, while somebody has a weak handle of the first.
template <class State>
scenario_factory locking_while_the_slot_is_used_again() {
    return [] {
        auto s = std::make_shared<shared_slot<State>>();
        const std::uint32_t generation = s->state.observe();
        scenario made;
        made.fibers.push_back([s] {
            s->use();
            if (!s->state.drop()) return;  // the observer is the last owner
            s->object = 1;
            s->object = 2;
            s->state.begin();
            expect(s->object == 2, "another than the owner wrote");
            if (s->state.drop()) s->object = 3;
        });
        made.fibers.push_back([s, generation] {
            for (int i = 0; i != 2; ++i) {
                if (!s->state.try_add(generation)) continue;
                expect(s->object == 0, "another object was locked");
                if (s->state.drop()) s->object = 1;
            }
        });
        made.check = [s, generation] {
            expect(!s->state.is_alive(generation), "a dead object seems alive");
            expect(s->state.count() == 0, "an owner is left");
        };
        return made;
    };
}

/// Owners that add owners, observe and go.
scenario_factory copying_and_observing() {
    return [] {
        auto s = std::make_shared<shared_slot<ticket_state>>();
        s->state.add();
        scenario made;
        made.fibers.push_back([s] {
            s->state.add();
            s->use();
            s->drop();
            s->drop();
        });
        made.fibers.push_back([s] {
            const std::uint32_t generation = s->state.observe();
            s->use();
            s->drop();
            if (s->state.try_add(generation)) {
                s->use();
                s->drop();
            }
        });
        made.check = [s] {
            expect(s->alive.load(relaxed) == 0, "an object outlives its owners");
            expect(!s->state.is_alive(0), "a dead object seems alive");
        };
        return made;
    };
}

/// One goes after the other, unobserved: the last need not update the word atomically.
template <class State>
scenario_factory going_unobserved() {
    return [] {
        auto s = std::make_shared<shared_slot<State>>();
        s->state.add();
        scenario made;
        for (int i = 0; i != 2; ++i) {
            made.fibers.push_back([s] {
                s->use();
                s->drop();
            });
        }
        made.check = [s] { expect(s->alive.load(relaxed) == 0, "an object outlives its owners"); };
        return made;
    };
}

// Planted bugs.

/// Forgets that somebody looks when the last owner goes.
struct without_generations : ticket_state {
    using ticket_state::ticket_state;
    bool try_add(std::uint32_t) noexcept {
        if (this->count() == 0) return false;
        this->add();
        return true;
    }
};

/// Looks first, then adds.
struct adds_later : ticket_state {
    using ticket_state::ticket_state;
    bool try_add(std::uint32_t generation) noexcept {
        if (!this->is_alive(generation)) return false;
        this->add();
        return true;
    }
};

template <class T>
struct without_release : explored_atomic<T> {
    using explored_atomic<T>::explored_atomic;
    T fetch_sub(T n, std::memory_order) noexcept {
        return explored_atomic<T>::fetch_sub(n, relaxed);
    }
    T fetch_or(T bits, std::memory_order) noexcept {
        return explored_atomic<T>::fetch_or(bits, relaxed);
    }
    void store(T value, std::memory_order) noexcept { explored_atomic<T>::store(value, relaxed); }
};

template <class T>
struct without_acquire : explored_atomic<T> {
    using explored_atomic<T>::explored_atomic;
    T load(std::memory_order) const noexcept { return explored_atomic<T>::load(relaxed); }
};

/// The stack, and what is written to an object by whoever has it.
template <template <class> class Atomic>
struct stack_state {
    std::pmr::monotonic_buffer_resource memory;
    detail::basic_atomic_object_stack<Atomic> stack{&memory};
    std::vector<std::unique_ptr<explored_data<int>>> objects;

    explicit stack_state(std::size_t kept) {
        for (std::size_t i = 0; i != 4; ++i) {
            expect(stack.try_make_room(nullptr), "there is memory");
            objects.push_back(std::make_unique<explored_data<int>>(0));
            if (i < kept) expect(stack.keep(objects[i].get()), "there is room");
        }
    }

    explored_data<int>* take() {
        auto* const object = static_cast<explored_data<int>*>(stack.take());
        if (object != nullptr) {
            expect(*object == 0, "an object has two owners");
            *object = 1;
        }
        return object;
    }

    void keep(explored_data<int>* object) {
        *object = 0;
        expect(stack.keep(object), "there is no room for an object that has it");
    }
};

/// Fiber i does as its pattern says: '-' takes one, '+' keeps what it took.
template <template <class> class Atomic>
scenario_factory keeping_and_taking(std::size_t kept, std::vector<std::string> patterns) {
    return [=] {
        auto s = std::make_shared<stack_state<Atomic>>(kept);
        scenario made;
        for (const std::string& pattern : patterns) {
            made.fibers.push_back([s, pattern] {
                std::vector<explored_data<int>*> mine;
                for (const char c : pattern) {
                    if (c == '-') {
                        if (auto* const object = s->take()) mine.push_back(object);
                    } else if (!mine.empty()) {
                        s->keep(mine.front());
                        mine.erase(mine.begin());
                    }
                }
                for (auto* const object : mine) s->keep(object);
            });
        }
        made.check = [s, kept] {
            expect(s->stack.size() == kept, "the size is wrong");
            std::map<void*, int> seen;
            s->stack.for_each([&](void* object) { ++seen[object]; });
            expect(seen.size() == kept, "an object is lost");
            for (std::size_t i = 0; i != kept; ++i) expect(s->take() != nullptr, "one is lost");
            expect(s->take() == nullptr, "an object is there twice");
        };
        return made;
    };
}

/// Whose tags never change.
template <class T>
struct without_tags : explored_atomic<T> {
    using explored_atomic<T>::explored_atomic;
    bool compare_exchange_weak(T& expected, T desired, std::memory_order success,
                               std::memory_order if_not) noexcept {
        return explored_atomic<T>::compare_exchange_weak(
            expected, static_cast<T>(static_cast<std::uint32_t>(desired)), success, if_not);
    }
};

}  // namespace

TEST_CASE("a weak handle is locked while the last owner goes, or not at all") {
    const auto model = GENERATE(memory_model::sequential, memory_model::weak);
    check_passes(locking_while_owners_go<ticket_state>(1, 1), in(model));
    check_passes(locking_while_owners_go<ticket_state>(2, 1), in(model));
    check_passes(locking_while_owners_go<ticket_state>(1, 2), in(model));
    check_passes(locking_while_the_slot_is_used_again<ticket_state>(), in(model));
    check_passes(handing_a_generation_over<ticket_state>(), in(model));
    check_passes(copying_and_observing(), in(model));
    check_passes(going_unobserved<ticket_state>(), in(model));
}

TEST_CASE("the same with two bits of generation") {
    using narrow = detail::basic_ticket_state<explored_atomic, 2>;
    check_passes(locking_while_owners_go<narrow>(1, 1), in(memory_model::weak));
    check_passes(locking_while_the_slot_is_used_again<narrow>(), in(memory_model::weak));
}

TEST_CASE("bugs that are planted in tickets are found") {
    check_fails(locking_while_owners_go<adds_later>(1, 1), "");
    check_fails(locking_while_the_slot_is_used_again<without_generations>(), "");
    using unreleased = detail::basic_ticket_state<without_release>;
    check_fails(locking_while_owners_go<unreleased>(2, 0), "race");
    using unacquired = detail::basic_ticket_state<without_acquire>;
    check_fails(going_unobserved<unacquired>(), "race");
    check_fails(handing_a_generation_over<unreleased>(), "race");
}

TEST_CASE("each object that is kept is taken by one") {
    const auto model = GENERATE(memory_model::sequential, memory_model::weak);
    const auto options = with_preemptions(2, model);
    check_does_not_fail(keeping_and_taking<explored_atomic>(1, {"-+", "-"}), options);
    check_does_not_fail(keeping_and_taking<explored_atomic>(2, {"-", "-"}), options);
    check_does_not_fail(keeping_and_taking<explored_atomic>(2, {"-", "--+"}), options);
}

TEST_CASE("bugs that are planted in the stack are found") {
    check_fails(keeping_and_taking<without_tags>(2, {"-", "--++"}), "", with_preemptions(3));
}

}  // namespace fastalloc::testing
