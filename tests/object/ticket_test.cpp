// SPDX-License-Identifier: MIT
#include "support/catch.hpp"
#include "support/checking_resource.hpp"

#include <fastalloc/object/object_home.hpp>
#include <fastalloc/object/ticket.hpp>
#include <fastalloc/object/ticket_source.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <set>
#include <vector>

namespace fastalloc::detail {

namespace {

using narrow_state = basic_ticket_state<std::atomic, 2>;

/// A pool that does nothing.
class no_pool final : public object_home {
public:
    no_pool() : object_home([](object_home&, void*) noexcept {}) {}

    void* object_of(const void*) const noexcept override { return nullptr; }
    ticket_source& tickets() override { std::abort(); }
    void count_release() noexcept override {}

private:
    void put_slow(void*) noexcept override {}
};

struct source_deleter {
    void operator()(ticket_source* s) const noexcept { ticket_source::drop(s); }
};

using source_ptr = std::unique_ptr<ticket_source, source_deleter>;

}  // namespace

TEMPLATE_TEST_CASE_SIG("only observed objects spend generations", "", ((bool threads), threads),
                       true, false) {
    narrow_state state(threads);
    CHECK_FALSE(state.is_alive(0));
    for (int i = 0; i != 100; ++i) {
        state.begin();
        CHECK(state.count() == 1);
        state.add();
        CHECK(state.count() == 2);
        CHECK_FALSE(state.drop());
        CHECK(state.drop());
        CHECK_FALSE(state.is_worn_out());
    }
    std::vector<std::uint32_t> generations;
    while (!state.is_worn_out()) {
        state.begin();
        const std::uint32_t generation = state.observe();
        CHECK(state.observe() == generation);
        for (const std::uint32_t old : generations) {
            CHECK_FALSE(state.is_alive(old));
            CHECK_FALSE(state.try_add(old));
        }
        CHECK(state.is_alive(generation));
        CHECK(state.try_add(generation));
        CHECK_FALSE(state.drop());
        CHECK(state.drop());
        CHECK_FALSE(state.is_alive(generation));
        CHECK_FALSE(state.try_add(generation));
        generations.push_back(generation);
    }
    CHECK(generations == std::vector<std::uint32_t>{0, 1, 2});
}

TEST_CASE("a ticket that is worn out is retired") {
    const threads used_by = GENERATE(threads::one, threads::each_its_own, threads::all);
    testing::checking_resource upstream;
    no_pool pool;
    {
        const source_ptr source(ticket_source::make(&pool, &upstream, used_by));
        int object = 0;
        ticket* const first = source->take(&object);
        CHECK(first->source == source.get());
        CHECK(&source->home() == &pool);
        // Tickets come back, with their generation.
        const std::uint32_t generation = first->state.observe();
        CHECK(first->state.drop());
        source->put(first);
        REQUIRE(source->take(&object) == first);
        CHECK(first->state.observe() == generation + 1);
        CHECK(first->state.drop());
        // As if four thousand million objects had come and gone.
        std::destroy_at(&first->state);
        ::new (&first->state) basic_ticket_state<>(used_by == threads::all,
                                                   basic_ticket_state<>::last_generation - 1);
        source->put(first);
        REQUIRE(source->take(&object) == first);
        const std::uint32_t last = first->state.observe();
        CHECK(last == basic_ticket_state<>::last_generation - 1);
        CHECK(first->state.drop());
        CHECK(first->state.is_worn_out());
        source->put(first);
        for (int i = 0; i != 1'000; ++i) CHECK(source->take(&object) != first);
        CHECK_FALSE(first->state.is_alive(last));
    }
    CHECK(upstream.bytes_out() == 0);
    CHECK(upstream.errors().empty());
}

TEST_CASE("tickets are found by number and by object") {
    const threads used_by = GENERATE(threads::one, threads::each_its_own, threads::all);
    testing::checking_resource upstream;
    no_pool pool;
    const source_ptr source(ticket_source::make(&pool, &upstream, used_by));
    std::vector<int> objects(1'000);
    std::vector<ticket*> tickets;
    std::set<std::uint32_t> numbers;
    for (int& object : objects) {
        tickets.push_back(source->take(&object));
        const std::uint32_t number = source->number_of(tickets.back());
        CHECK(source->number_of(tickets.back()) == number);
        CHECK(source->find(number) == tickets.back());
        numbers.insert(number);
    }
    CHECK(numbers.size() == objects.size());
    CHECK(*numbers.begin() == 16);
    CHECK(source->find(0) == nullptr);
    CHECK(source->find(5'000) == nullptr);
    CHECK(source->find(~std::uint32_t{0}) == nullptr);
    for (std::size_t i = 0; i != objects.size(); ++i) {
        CHECK(source->search(&objects[i]) == tickets[i]);
    }
    CHECK(tickets[3]->state.drop());
    source->put(tickets[3]);
    CHECK(source->search(&objects[3]) == nullptr);
    // A number stays with its ticket.
    CHECK(source->take(&objects[4]) == tickets[3]);
    CHECK(source->number_of(tickets[3]) == 19);
}

}  // namespace fastalloc::detail
