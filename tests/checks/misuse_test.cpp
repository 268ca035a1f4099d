// SPDX-License-Identifier: MIT
#include <fastalloc/fastalloc.hpp>

#include "support/in_a_child.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <functional>
#include <future>
#include <memory_resource>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace fastalloc {

namespace {

constexpr bool is_full = detail::build::level == detail::checks::full;

using testing::in_a_child;

/// What a handler was told, which then returns.
struct told {
    misuse fault;
    const void* pool;
    const void* block;
    std::size_t count;
    std::size_t bytes;
    std::size_t alignment;
    bool knows_who_took;
    bool knows_who_gave_back;
};

std::vector<told> all_told;

/// While one lives, misuse is only remembered.
class remembering {
public:
    remembering() {
        all_told.clear();
        before_ = set_misuse_handler([](const misuse_report& r) {
            all_told.push_back({r.fault, r.pool, r.addresses.empty() ? nullptr : r.addresses[0],
                                r.count, r.bytes, r.alignment, !r.taken_by.empty(),
                                !r.given_back_by.empty()});
        });
    }

    remembering(const remembering&) = delete;
    remembering& operator=(const remembering&) = delete;

    ~remembering() { set_misuse_handler(before_); }

private:
    misuse_handler before_;
};

pool_config config() { return pool_config::builder().slot_size(64).capacity(100).build(); }

template <class Resource>
void check_that_bad_frees_are_ignored() {
    if (!is_full) return;
    const remembering handler;
    Resource resource(config());
    void* const p = resource.allocate(64, 8);
    void* const q = resource.allocate(48, 16);
    const std::size_t in_use = resource.in_use();

    resource.deallocate(static_cast<std::byte*>(p) + 8, 64, 8);
    resource.deallocate(&resource, 64, 8);
    resource.deallocate(q, 64, 16);
    resource.deallocate(p, 64, 16);
    CHECK(resource.in_use() == in_use);
    REQUIRE(all_told.size() == 4);
    CHECK(all_told[0].fault == misuse::interior_free);
    CHECK(all_told[1].fault == misuse::foreign_free);
    CHECK(all_told[1].block == &resource);
    CHECK_FALSE(all_told[1].knows_who_took);
    CHECK(all_told[2].fault == misuse::wrong_request);
    CHECK(all_told[3].fault == misuse::wrong_request);
    CHECK(all_told[3].block == p);
    CHECK(all_told[3].bytes == 64);
    CHECK(all_told[3].alignment == 16);
    CHECK(all_told[3].pool == &resource);
    CHECK(all_told[3].knows_who_took);
    CHECK_FALSE(all_told[3].knows_who_gave_back);

    resource.deallocate(p, 64, 8);
    resource.deallocate(p, 64, 8);
    CHECK(resource.in_use() == in_use - 1);
    REQUIRE(all_told.size() == 5);
    CHECK(all_told[4].fault == misuse::double_free);
    CHECK(all_told[4].knows_who_took);
    CHECK(all_told[4].knows_who_gave_back);
    resource.deallocate(q, 48, 16);
    CHECK(resource.in_use() == 0);
}

// One that no pool has, which goes to upstream.
template <class Resource>
void check_that_larger_blocks_are_known() {
    if (!is_full) return;
    const remembering handler;
    Resource resource;
    void* const large = resource.allocate(1 << 20, 64);
    resource.deallocate(large, 1 << 19, 64);
    resource.deallocate(large, 1 << 20, 64);
    resource.deallocate(large, 1 << 20, 64);
    REQUIRE(all_told.size() == 2);
    CHECK(all_told[0].fault == misuse::wrong_request);
    CHECK(all_told[1].fault == misuse::double_free);
}

template <class Resource>
void check_that_good_requests_are_no_misuse() {
    const remembering handler;
    Resource resource{
        std::array{config(), pool_config::builder().slot_size(24).capacity(100).build()}};
    struct block {
        void* p;
        std::size_t bytes;
        std::size_t alignment;
    };
    std::vector<block> live;
    std::mt19937 random;
    for (int i = 0; i != 20'000; ++i) {
        if (random() % 3 == 0 && !live.empty()) {
            std::swap(live[random() % live.size()], live.back());
            const block b = live.back();
            live.pop_back();
            resource.deallocate(b.p, b.bytes, b.alignment);
        } else if (live.size() < 90) {
            const std::size_t bytes = random() % 65;
            const std::size_t alignment = std::size_t{1} << random() % 4;
            if (void* const p = resource.try_allocate(bytes, alignment)) {
                std::fill_n(static_cast<std::byte*>(p), bytes, std::byte{0x5a});
                live.push_back({p, bytes, alignment});
            }
        }
        if (i % 1'000 == 0) resource.trim();
    }
    resource.release();
    CHECK(all_told.empty());
}

/// Whose books are always broken.
struct broken_index : stack_index {
    using stack_index::stack_index;
    bool invariants_hold() const noexcept { return false; }
};

testing::ending let_broken_books_go(std::size_t capacity) {
    return in_a_child([capacity] {
        basic_fixed_pool_resource<broken_index> resource(
            pool_config::builder().slot_size(8).capacity(capacity).build());
    });
}

}  // namespace

TEST_CASE("a bad free that is found at once is ignored if the handler returns") {
    check_that_bad_frees_are_ignored<fixed_pool_resource>();
    check_that_bad_frees_are_ignored<growing_pool_resource>();
    check_that_bad_frees_are_ignored<thread_local_pool_resource>();
    check_that_bad_frees_are_ignored<synchronized_pool_resource>();
    check_that_bad_frees_are_ignored<lock_free_pool_resource>();
}

TEST_CASE("blocks that fit no class are known too") {
    check_that_larger_blocks_are_known<growing_pool_resource>();
    check_that_larger_blocks_are_known<thread_local_pool_resource>();
    check_that_larger_blocks_are_known<synchronized_pool_resource>();
    check_that_larger_blocks_are_known<lock_free_pool_resource>();
}

TEST_CASE("good requests are no misuse") {
    check_that_good_requests_are_no_misuse<growing_pool_resource>();
    check_that_good_requests_are_no_misuse<basic_growing_pool_resource<free_list_index>>();
    check_that_good_requests_are_no_misuse<thread_local_pool_resource>();
    check_that_good_requests_are_no_misuse<synchronized_pool_resource>();
    check_that_good_requests_are_no_misuse<lock_free_pool_resource>();
    check_that_good_requests_are_no_misuse<basic_synchronized_pool_resource<stack_index>>();
}

TEST_CASE("a write behind a block is told, and the block is free") {
    if (!is_full || detail::build::hides_slots) return;
    const remembering handler;
    growing_pool_resource resource(config());
    auto* const p = static_cast<std::byte*>(resource.allocate(60, 4));
    p[60] = std::byte{1};
    resource.deallocate(p, 60, 4);
    REQUIRE(all_told.size() == 1);
    CHECK(all_told[0].fault == misuse::overrun);
    CHECK(all_told[0].block == p);
    CHECK(resource.in_use() == 0);
}

TEST_CASE("slots that are filled are filled") {
    if (!(is_full || detail::build::fills_slots) || detail::build::hides_slots) return;
    growing_pool_resource resource(config());
    auto* const p = static_cast<unsigned char*>(resource.allocate(64, 8));
    CHECK(p[0] == 0xcd);
    CHECK(p[63] == 0xcd);
    resource.deallocate(p, 64, 8);
    CHECK(p[0] == 0xdd);
    CHECK(p[63] == 0xdd);
}

TEST_CASE("what is in use when a resource goes is told, and the program goes on") {
    if (!is_full) return;
    const remembering handler;
    const void* p = nullptr;
    {
        growing_pool_resource resource(config());
        p = resource.allocate(64, 8);
        (void)resource.allocate(64, 8);
    }
    REQUIRE(all_told.size() == 1);
    CHECK(all_told[0].fault == misuse::slots_alive);
    CHECK(all_told[0].count == 2);
    CHECK(all_told[0].knows_who_took);
    {
        growing_pool_resource resource(config());
        (void)resource.allocate(64, 8);
        resource.release();
    }
    CHECK(all_told.size() == 1);
    CHECK(p != nullptr);
}

TEST_CASE("of many blocks in use, the first are told") {
    if (!is_full) return;
    const auto result = in_a_child([] {
        growing_pool_resource resource(config());
        for (int i = 0; i != 50; ++i) (void)resource.allocate(64, 8);
    });
    CHECK(result.exit_status == 0);
    CHECK_THAT(result.output, Catch::Contains("while 50 of its blocks are in use"));
    std::size_t told = 0;
    for (std::size_t at = 0; (at = result.output.find("in use: 0x", at)) != std::string::npos;
         ++at) {
        ++told;
    }
    CHECK(told == 8);
    CHECK_THAT(result.output, Catch::Contains("the first of them was taken here:\n"));
}

TEST_CASE("the default handler says what was wrong, and ends the program") {
    static std::array<std::byte, 64> elsewhere;
    const auto result = in_a_child([] {
        growing_pool_resource resource(config());
        (void)resource.allocate(64, 8);
        resource.deallocate(elsewhere.data(), 64, 8);
        resource.trim();
    });
    CHECK(result.aborted);
    CHECK_THAT(result.output, Catch::Contains("is no block of this resource"));
}

TEST_CASE("a thread without slots of its own is told whose block it gives back") {
    const auto result = in_a_child([] {
        thread_local_pool_resource resource(config());
        void* const p = resource.allocate(64, 8);
        std::thread([&] { resource.deallocate(p, 64, 8); }).join();
    });
    CHECK(result.aborted);
    CHECK_THAT(result.output, Catch::Contains("belongs to another thread, which still runs"));
}

TEST_CASE("the default handler has words for each fault of a slot") {
    const auto words_for = [](misuse fault) {
        return in_a_child([fault] {
                   detail::report_misuse_and_go_on({fault, nullptr, 0, {}});
               })
            .output;
    };
    std::set<std::string> all;
    for (const misuse fault :
         {misuse::double_free, misuse::foreign_free, misuse::interior_free, misuse::wrong_request,
          misuse::wrong_thread, misuse::write_after_free, misuse::overrun}) {
        const std::string words = words_for(fault);
        CHECK(words.find("is at fault") == std::string::npos);
        all.insert(words);
    }
    CHECK(all.size() == 7);
}

TEST_CASE("full checks say who took a block and who gave it back") {
    if (!is_full) return;
    const auto result = in_a_child([] {
        growing_pool_resource resource(config());
        void* const p = resource.allocate(64, 8);
        resource.deallocate(p, 64, 8);
        resource.deallocate(p, 64, 8);
    });
    CHECK(result.aborted);
    CHECK_THAT(result.output, Catch::Contains("is given back, but is free already"));
    CHECK_THAT(result.output, Catch::Contains("request of 64 bytes, aligned to 8"));
    CHECK_THAT(result.output, Catch::Contains("it was taken here:\n"));
    CHECK_THAT(result.output, Catch::Contains("it was given back here:\n"));
    CHECK_THAT(result.output, Catch::Contains("misuse_test"));
}

TEST_CASE("memory that trim gives back may be another thread's before trim ends") {
    // Hands out again what it got, with something else in it.
    struct : std::pmr::memory_resource {
        std::function<void()> when_given_back;
        void* spare = nullptr;
        std::size_t spare_bytes = 0;

        void* do_allocate(std::size_t bytes, std::size_t alignment) override {
            if (bytes == spare_bytes) {
                spare_bytes = 0;
                return spare;
            }
            return std::pmr::new_delete_resource()->allocate(bytes, alignment);
        }
        void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) override {
            if (const auto f = std::exchange(when_given_back, nullptr)) {
                spare = std::memset(p, 0, bytes);
                spare_bytes = bytes;
                f();
            } else {
                std::pmr::new_delete_resource()->deallocate(p, bytes, alignment);
            }
        }
        bool do_is_equal(const memory_resource& other) const noexcept override {
            return this == &other;
        }
    } upstream;
    const remembering told;
    thread_local_pool_resource resource(pool_config::builder().slot_size(64).capacity(100).build(),
                                        &upstream);
    const auto take_and_give_back = [&] {
        std::vector<void*> all(100);
        resource.allocate_batch(all, 64, 8);
        resource.deallocate_batch(all, 64, 8);
    };
    take_and_give_back();
    upstream.when_given_back = [&] { std::thread(take_and_give_back).join(); };
    resource.trim();
    CHECK(upstream.spare != nullptr);
    CHECK(upstream.spare_bytes == 0);
    CHECK(all_told.empty());
}

TEST_CASE("full checks look at the books of a resource that goes") {
    constexpr std::size_t most_slots = 65'536;
    const auto result = let_broken_books_go(most_slots);
    CHECK(result.aborted == is_full);
    if (is_full) {
        CHECK_THAT(result.output, Catch::Contains("fastalloc: the books of the resource at 0x"));
        CHECK_THAT(result.output, Catch::Contains("were written to"));
    }
    SECTION("if they are not too long") {
        CHECK_FALSE(let_broken_books_go(most_slots + 1).aborted);
    }
    SECTION("if no thread can have left them half done") {
        std::promise<void> has_number;
        std::promise<void> may_go;
        std::thread other([&] {
            thread_local_pool_resource resource;
            resource.deallocate(resource.allocate(8), 8);
            has_number.set_value();
            may_go.get_future().wait();
        });
        has_number.get_future().wait();
        const bool aborted = let_broken_books_go(100).aborted;
        may_go.set_value();
        other.join();
        CHECK_FALSE(aborted);
    }
}

TEST_CASE("an index that cannot tell which slots are free can with checks") {
    std::pmr::monotonic_buffer_resource memory;
    checked_index<stack_index> index(100, &memory);
    CHECK(index.is_free(3));
    const slot_number a = index.take();
    const slot_number b = index.take();
    CHECK_FALSE(index.is_free(a));
    CHECK_FALSE(index.is_free(b));
    index.put(a);
    CHECK(index.is_free(a));
    CHECK_FALSE(index.is_free(b));
    CHECK(index.available() == 99);
    CHECK(index.take() == a);
    CHECK_FALSE(index.is_free(a));
    for (slot_number n = 2; n != 100; ++n) CHECK(index.take() != no_slot);
    CHECK(index.take() == no_slot);
    for (slot_number n = 0; n != 100; ++n) CHECK_FALSE(index.is_free(n));
}

}  // namespace fastalloc
