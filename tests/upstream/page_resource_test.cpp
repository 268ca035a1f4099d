// SPDX-License-Identifier: MIT
#include "conformance/any_resource_suite.hpp"
#include "support/blocks.hpp"
#include "support/catch.hpp"
#include "support/checking_resource.hpp"
#include "support/in_a_child.hpp"
#include "upstream/system.hpp"

#include <fastalloc/upstream/page_resource.hpp>

#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <limits>
#include <memory_resource>
#include <new>
#include <random>
#include <thread>
#include <vector>

namespace fastalloc::testing {

namespace {

const page_options small_pages{.huge = huge_pages::off};

/// What is asked for the books instead of upstream: nobody else is.
struct pages {
    explicit pages(std::pmr::memory_resource* books) : resource(page_options{}, books) {}
    page_resource resource;
};

// Sizes as pools ask for them, and larger ones; alignments too.
struct random_request {
    explicit random_request(std::mt19937& random) {
        const auto below = [&](std::size_t n) {
            return std::uniform_int_distribution<std::size_t>(0, n - 1)(random);
        };
        bytes = below(std::size_t{1} << (4 + below(18)));
        if (below(50) == 0) bytes = 2 * mib - 1 + below(3);
        if (below(50) == 0) bytes = below(5 * mib);
        if (below(4) == 0) alignment = std::size_t{1} << below(below(10) == 0 ? 23 : 13);
    }

    std::size_t bytes;
    std::size_t alignment = 8;
};

void nothing_is_left(const page_resource& resource) {
    const page_statistics s = resource.statistics();
    page_statistics none;
    none.huge_fallbacks = s.huge_fallbacks;
    none.numa_node = s.numa_node;
    CHECK(s == none);
}

}  // namespace

TEST_CASE("page_resource conforms") {
    SECTION("equality") { it_is_equal_to_itself_only<pages>(); }
    SECTION("alignment") { blocks_are_aligned_and_distinct<pages>(); }
    SECTION("zero bytes") { zero_bytes_are_blocks<pages>(); }
    SECTION("a size that nobody has") { a_size_that_nobody_has_is_refused<pages>(); }
    SECTION("containers") { containers_work<pages>(); }
}

TEST_CASE("it asks for nothing before it is asked") {
    page_resource resource(small_pages);
    nothing_is_left(resource);
}

TEST_CASE("small requests share an extent of 2 MiB, to the last granule") {
    page_resource resource;
    constexpr std::size_t pieces = 2 * mib / 256;
    std::vector<void*> all;
    for (std::size_t i = 0; i != pieces; ++i) all.push_back(resource.allocate(i % 256 + 1, 256));
    page_statistics s = resource.statistics();
    CHECK(s.mappings == 1);
    CHECK(s.mapped_bytes == 2 * mib);
    CHECK(s.current_bytes == pieces * 257 / 2);
    CHECK(is_aligned(all[0], 2 * mib));
    for (std::size_t i = 0; i != pieces; ++i) {
        if (static_cast<std::byte*>(all[i]) != static_cast<std::byte*>(all[0]) + i * 256) {
            FAIL("piece " << i << " is not behind the one before");
        }
    }
    void* const one_more = resource.allocate(1, 1);
    CHECK(resource.statistics().mappings == 2);
    resource.deallocate(one_more, 1, 1);
    CHECK(resource.statistics().mappings == 1);
    for (std::size_t i = 0; i != pieces; ++i) resource.deallocate(all[i], i % 256 + 1, 256);
    nothing_is_left(resource);
    CHECK_FALSE(is_mapped(all[0]));
}

TEST_CASE("free pieces are one with their neighbours, in whatever order they are freed") {
    page_resource resource;
    std::array<std::size_t, 5> order{0, 1, 2, 3, 4};
    do {
        void* const first = resource.allocate(600, 8);
        std::array<void*, 5> five{};
        for (void*& p : five) p = resource.allocate(5'000, 8);
        void* const last = resource.allocate(2 * mib - 768 - 5 * 5'120, 8);
        // Found to be full, it is not searched again until there is room.
        void* const elsewhere = resource.allocate(1, 1);
        for (const std::size_t i : order) resource.deallocate(five[i], 5'000, 8);
        // Just the gap between the first and the last, which fill the extent.
        void* const whole = resource.allocate(5 * 5'120, 8);
        CHECK(whole == five[0]);
        resource.deallocate(elsewhere, 1, 1);
        CHECK(resource.statistics().mappings == 1);
        resource.deallocate(whole, 5 * 5'120, 8);
        resource.deallocate(first, 600, 8);
        resource.deallocate(last, 2 * mib - 768 - 5 * 5'120, 8);
    } while (std::ranges::next_permutation(order).found);
    nothing_is_left(resource);
}

TEST_CASE("slabs of a little more than half an extent waste little") {
    page_resource resource(small_pages);
    constexpr std::size_t bytes = mib + 2'500;
    std::vector<void*> all;
    for (std::size_t i = 0; i != 200; ++i) {
        all.push_back(resource.allocate(bytes, 64));
        const page_statistics s = resource.statistics();
        if (s.mapped_bytes > s.current_bytes * 5 / 4 + 8 * mib) FAIL("after " << i << " slabs");
    }
    CHECK(resource.statistics().mapped_bytes < 200 * bytes * 5 / 4);
    for (void* const p : all) resource.deallocate(p, bytes, 64);
    nothing_is_left(resource);
}

TEST_CASE("extents are larger where there are many") {
    page_resource resource(small_pages);
    std::vector<void*> all;
    for (std::size_t i = 0; i != 3'200; ++i) all.push_back(resource.allocate(64 * kib, 8));
    const page_statistics s = resource.statistics();
    CHECK(s.mappings < 40);
    CHECK(s.mapped_bytes < s.current_bytes * 9 / 8 + 2 * mib);
    for (void* const p : all) resource.deallocate(p, 64 * kib, 8);
    nothing_is_left(resource);
}

TEST_CASE("what is larger than an extent has a mapping of its own") {
    page_resource resource;
    const std::size_t page = page_bytes();
    void* const piece = resource.allocate(2 * mib, 8);
    CHECK(resource.statistics().mapped_bytes == 8 * mib);
    void* const larger = resource.allocate(2 * mib + 1, 8);
    CHECK(resource.statistics().mapped_bytes == 10 * mib + page);
    CHECK(resource.statistics().mappings == 2);
    // So that all but its end can be huge.
    CHECK(is_aligned(larger, 2 * mib));
    std::memset(larger, 1, 2 * mib + 1);
    resource.deallocate(larger, 2 * mib + 1, 8);
    CHECK_FALSE(is_mapped(larger));
    resource.deallocate(piece, 2 * mib, 8);
    nothing_is_left(resource);

    page_resource without_huge(small_pages);
    void* const p = without_huge.allocate(3 * mib, 1);
    CHECK(without_huge.statistics().mapped_bytes == 3 * mib);
    without_huge.deallocate(p, 3 * mib, 1);
}

TEST_CASE("any alignment is served") {
    page_resource resource(GENERATE(page_options{}, page_options{.huge = huge_pages::off}));
    for (std::size_t alignment = 1; alignment <= 1'024 * mib; alignment *= 4) {
        CAPTURE(alignment);
        for (const std::size_t bytes : {std::size_t{0}, std::size_t{1}, 3 * kib, 3 * mib}) {
            void* const p = resource.allocate(bytes, alignment);
            void* const q = resource.allocate(bytes, alignment);
            CHECK(is_aligned(p, alignment));
            CHECK(is_aligned(q, alignment));
            CHECK(p != q);
            std::memset(p, 1, bytes);
            std::memset(q, 2, bytes);
            // There is nothing beside the block but what its page or extent has.
            CHECK(resource.statistics().mapped_bytes <= 2 * (bytes + 2 * mib));
            resource.deallocate(p, bytes, alignment);
            resource.deallocate(q, bytes, alignment);
        }
        nothing_is_left(resource);
    }
}

TEST_CASE("no size or alignment overflows") {
    page_resource resource(GENERATE(page_options{}, page_options{.huge = huge_pages::off}));
    constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
    for (std::size_t alignment = 1; alignment != 0; alignment *= 2) {
        CHECK_THROWS_AS(resource.allocate(most, alignment), std::bad_alloc);
        CHECK_THROWS_AS(resource.allocate(most - alignment, alignment), std::bad_alloc);
        CHECK_THROWS_AS(resource.allocate(most / 2, alignment), std::bad_alloc);
        CHECK_THROWS_AS(resource.allocate(most / 2 + 1, alignment), std::bad_alloc);
        // No process has so many addresses.
        if (alignment > most >> 8) {
            CHECK_THROWS_AS(resource.allocate(1, alignment), std::bad_alloc);
            CHECK_THROWS_AS(resource.allocate(3 * mib, alignment), std::bad_alloc);
        }
    }
    nothing_is_left(resource);
}

TEST_CASE("random requests neither overlap nor leave anything") {
    page_resource resource(GENERATE(page_options{}, page_options{.huge = huge_pages::off},
                                    page_options{.pre_fault = true}));
    std::mt19937 random(7);
    live_blocks live(resource);
    std::size_t misplaced = 0;
    std::size_t damaged = 0;
    std::vector<void*> addresses;
    const std::size_t steps = is_sanitized ? 200 : 700;
    for (std::size_t round = 0; round != 4; ++round) {
        const std::size_t most = round % 2 == 0 ? 400 : 40;
        for (std::size_t i = 0; i != steps; ++i) {
            if (live.size() < most && random() % 8 != 0) {
                const random_request r(random);
                misplaced += !live.allocate(r.bytes, r.alignment);
            } else if (live.size() != 0) {
                damaged += !live.deallocate_any(random);
            }
        }
        const page_statistics s = resource.statistics();
        CHECK(s.current_bytes <= s.mapped_bytes);
        CHECK(s.resident_bytes <= s.mapped_bytes);
        CHECK(s.huge_bytes <= s.resident_bytes);
        addresses = live.pointers();
        while (live.size() > 30) damaged += !live.deallocate_any(random);
    }
    CHECK(misplaced == 0);
    CHECK(damaged == 0);
    CHECK(live.intact());
    CHECK(live.clear());
    CHECK(std::ranges::none_of(addresses, is_mapped));
    nothing_is_left(resource);
}

TEST_CASE("a stray write to memory that is free changes nothing") {
    page_resource resource(small_pages);
    std::mt19937 random(3);
    void* const anchor = resource.allocate(1, 1);
    live_blocks live(resource);
    std::size_t damaged = 0;
    for (std::size_t i = 0; i != 300; ++i) {
        for (std::size_t j = 0; j != 10; ++j) live.allocate(random() % 9'000 + 1, 8);
        void* const p = resource.allocate(9'000, 8);
        void* const behind = resource.allocate(1, 1);
        resource.deallocate(p, 9'000, 8);
        std::memset(p, static_cast<int>(i), 9'000);
        resource.deallocate(behind, 1, 1);
        while (live.size() > 100) damaged += !live.deallocate_any(random);
    }
    CHECK(damaged == 0);
    CHECK(live.clear());
    resource.deallocate(anchor, 1, 1);
    nothing_is_left(resource);
}

TEST_CASE("when the books have no memory, nothing has happened") {
    checking_resource books;
    std::size_t failures = 0;
    {
        page_resource resource(small_pages, &books);
        live_blocks live(resource);
        const std::size_t sizes[] = {100, 3 * mib, 2 * mib, mib + 1, 5 * mib, 2 * mib};
        for (const std::size_t bytes : sizes) {
            for (std::size_t grants = 0;; ++grants) {
                const page_statistics before = resource.statistics();
                const std::size_t blocks = books.blocks_out();
                books.fail_after(grants);
                try {
                    const bool is_placed = live.allocate(bytes, 8);
                    CHECK(is_placed);
                    break;
                } catch (const std::bad_alloc&) {
                    ++failures;
                }
                const page_statistics after = resource.statistics();
                CHECK(after.mapped_bytes == before.mapped_bytes);
                CHECK(after.mappings == before.mappings);
                CHECK(after.current_bytes == before.current_bytes);
                CHECK(books.blocks_out() == blocks);
            }
            books.never_fail();
        }
        CHECK(live.clear());
        nothing_is_left(resource);
        CHECK(books.blocks_out() == 1);
    }
    // Three for each of two extents, one for each of the other mappings.
    CHECK(failures == 2 * 3 + 2);
    CHECK(books.blocks_out() == 0);
    CHECK(books.errors().empty());
    books.fail_after(0);
    CHECK_THROWS_AS(page_resource(small_pages, &books), std::bad_alloc);
}

TEST_CASE("everything goes back when it ends, whoever has it") {
    checking_resource books;
    std::vector<void*> all;
    {
        page_resource resource(page_options{}, &books);
        for (std::size_t i = 0; i != 20; ++i) all.push_back(resource.allocate(i * 300 * kib, 8));
        CHECK(std::ranges::all_of(all, is_mapped));
    }
    CHECK(std::ranges::none_of(all, is_mapped));
    CHECK(books.blocks_out() == 0);
    CHECK(books.errors().empty());
}

TEST_CASE("without huge pages, a page goes back when nothing of it is in use") {
    page_resource resource(small_pages);
    const std::size_t page = page_bytes();
    auto* const anchor = static_cast<char*>(resource.allocate(page, 1));
    auto* const p = static_cast<char*>(resource.allocate(8 * page, page));
    auto* const half = static_cast<char*>(resource.allocate(page / 2, 8));
    auto* const other_half = static_cast<char*>(resource.allocate(page / 2, 8));
    auto* const end = static_cast<char*>(resource.allocate(1, 1));
    *anchor = *end = 1;
    std::memset(p, 1, 8 * page);
    std::memset(half, 1, page / 2);
    std::memset(other_half, 1, page / 2);
    const auto pages = [&] { return resource.statistics().resident_bytes / page; };
    CHECK(pages() == 11);
    resource.deallocate(half, page / 2, 8);
    CHECK(pages() == 11);
    CHECK(other_half[0] == 1);
    resource.deallocate(p, 8 * page, page);
    CHECK(pages() == 3);
    resource.deallocate(other_half, page / 2, 8);
    CHECK(pages() == 2);
    CHECK(*anchor == 1);
    CHECK(*end == 1);
    resource.deallocate(anchor, page, 1);
    resource.deallocate(end, 1, 1);
    nothing_is_left(resource);
}

TEST_CASE("a huge page is given back in parts when half of it is free, and not before") {
    if (page_bytes() > 64 * kib) return;
    page_resource resource;
    std::array<void*, 32> all{};
    for (void*& p : all) {
        p = resource.allocate(64 * kib, 8);
        std::memset(p, 1, 64 * kib);
    }
    const auto resident = [&] { return resource.statistics().resident_bytes; };
    CHECK(resident() == 2 * mib);
    for (std::size_t i = 0; i != 15; ++i) resource.deallocate(all[2 * i], 64 * kib, 8);
    CHECK(resident() == 2 * mib);
    resource.deallocate(all[30], 64 * kib, 8);
    CHECK(resident() == mib);
    resource.deallocate(all[1], 64 * kib, 8);
    CHECK(resident() == mib - 64 * kib);
    // Used again, it is as if it was whole.
    all[0] = resource.allocate(192 * kib, 8);
    std::memset(all[0], 1, 192 * kib);
    CHECK(resident() == mib + 128 * kib);
    resource.deallocate(all[3], 64 * kib, 8);
    CHECK(resident() == mib + 128 * kib);
    resource.deallocate(all[0], 192 * kib, 8);
    CHECK(resident() == mib - 128 * kib);
    for (std::size_t i = 5; i < 32; i += 2) resource.deallocate(all[i], 64 * kib, 8);
    nothing_is_left(resource);
}

TEST_CASE("threads share it") {
    page_resource resource;
    std::array<std::size_t, 4> damaged{};
    {
        std::vector<std::jthread> threads;
        for (std::size_t t = 0; t != damaged.size(); ++t) {
            threads.emplace_back([&resource, &wrong = damaged[t], t] {
                std::mt19937 random(static_cast<unsigned>(t));
                live_blocks live(resource);
                for (std::size_t i = 0; i != 2'000; ++i) {
                    if (live.size() < 30) {
                        random_request r(random);
                        r.bytes = i % 100 == 0 ? r.bytes : r.bytes % 20'000;
                        wrong += !live.allocate(r.bytes, r.alignment);
                    } else {
                        wrong += !live.deallocate_any(random);
                    }
                    if (i % 500 == 0) wrong += resource.statistics().mapped_bytes == 0;
                }
                wrong += !live.clear();
            });
        }
    }
    CHECK(damaged == std::array<std::size_t, 4>{});
    nothing_is_left(resource);
}

TEST_CASE("a child of fork has its own copy") {
    page_resource resource;
    live_blocks live(resource);
    for (std::size_t i = 0; i != 100; ++i) live.allocate(i * 1'000, 8);
    const ending child = in_a_child([&] {
        require_here(live.intact(), "it is as it was");
        for (std::size_t i = 0; i != 50; ++i) {
            require_here(live.deallocate(0), "it is as it was, one by one");
            require_here(live.allocate(70'000, 8), "there is more");
        }
        require_here(live.clear(), "all goes back");
        require_here(resource.statistics().mapped_bytes == 0, "nothing is left");
    });
    CHECK(child.output == "");
    CHECK(child.exit_status == 0);
    CHECK(live.intact());
    CHECK(live.clear());
    nothing_is_left(resource);
}

TEST_CASE("when the system has no memory, it says so, and goes on later") {
    const ending child = in_a_child([] {
        page_resource resource(small_pages);
        live_blocks live(resource);
        // Extents are larger than they need be by then.
        for (std::size_t i = 0; i != 40; ++i) live.allocate(mib, 8);
        rlimit limit{};
        getrlimit(RLIMIT_AS, &limit);
        const rlim_t before = limit.rlim_cur;
        limit.rlim_cur = bytes_in("status", "VmSize") + 16 * mib;
        require_here(setrlimit(RLIMIT_AS, &limit) == 0, "a limit is set");
        std::size_t more = 0;
        bool refused = false;
        while (!refused) {
            try {
                live.allocate(mib, 8);
                ++more;
            } catch (const std::bad_alloc&) {
                refused = true;
            }
        }
        require_here(more >= 10, "all but the last of the memory is used");
        const page_statistics s = resource.statistics();
        require_here(s.current_bytes == (40 + more) * mib, "a refusal changes nothing");
        bool refused_again = false;
        try {
            live.allocate(20 * mib, 8);
        } catch (const std::bad_alloc&) {
            refused_again = true;
        }
        require_here(refused_again, "nor is there a large block");
        require_here(live.intact(), "blocks are as they were");
        for (std::size_t i = 0; i != 3; ++i) require_here(live.deallocate(0), "they go back");
        require_here(live.allocate(mib, 8), "and can be had again");
        limit.rlim_cur = before;
        setrlimit(RLIMIT_AS, &limit);
        require_here(live.allocate(20 * mib, 8), "with more memory there is a large block");
        require_here(live.clear(), "all goes back");
        require_here(resource.statistics().mapped_bytes == 0, "nothing is left");
    });
    CHECK(child.output == "");
    CHECK(child.exit_status == 0);
}

TEST_CASE("memory goes back even when the system can make no mapping two") {
    const ending child = in_a_child([] {
        if (is_sanitized) return;
        page_resource resource(small_pages);
        // Side by side, they are one mapping for the system.
        std::array<void*, 9> all{};
        for (void*& p : all) {
            p = resource.allocate(4 * mib, 8);
            std::memset(p, 1, 4 * mib);
        }
        std::ifstream in("/proc/sys/vm/max_map_count");
        std::size_t most = 0;
        in >> most;
        if (most > 100'000) return;
        const std::size_t page = page_bytes();
        for (std::size_t i = 0; i <= most; ++i) {
            // No two neighbours are alike.
            const int rights = i % 2 == 0 ? PROT_READ : PROT_NONE;
            if (mmap(nullptr, page, rights, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
                break;
        }
        require_here(
            mmap(nullptr, page, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED,
            "there is no mapping left");
        const std::size_t before = bytes_in("smaps_rollup", "Anonymous");
        for (std::size_t i = 1; i < all.size(); i += 2) resource.deallocate(all[i], 4 * mib, 8);
        const std::size_t after = bytes_in("smaps_rollup", "Anonymous");
        require_here(after + 15 * mib < before, "the memory is gone");
        require_here(resource.statistics().mapped_bytes == 20 * mib, "so say the books");
        for (std::size_t i = 0; i < all.size(); i += 2) {
            require_here(static_cast<char*>(all[i])[4 * mib - 1] == 1, "the others are untouched");
        }
    });
    CHECK(child.output == "");
    CHECK(child.exit_status == 0);
}

}  // namespace fastalloc::testing
