// SPDX-License-Identifier: MIT
// Pools of each kind, over memory of the system.
#include "support/blocks.hpp"
#include "support/catch.hpp"
#include "support/in_a_child.hpp"
#include "upstream/system.hpp"

#include <fastalloc/fastalloc.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory_resource>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace fastalloc::testing {

namespace {

// Full checks remember every block there ever was.
constexpr bool keeps_ledger = detail::build::level == detail::checks::full;

constexpr std::size_t spike_bytes = 48 * mib;

// Blocks of many sizes, which come and go in any order.
template <class Resource>
bool works(Resource& resource) {
    std::mt19937 random(11);
    live_blocks live(resource);
    bool is_right = true;
    for (std::size_t i = 0; i != 20'000; ++i) {
        const std::size_t bytes = random() % (i % 50 == 0 ? 20'000 : 700);
        if (random() % 3 != 0) is_right = live.allocate(bytes, 8) && is_right;
        if (live.size() > 4'000) is_right = live.deallocate_any(random) && is_right;
    }
    return live.clear() && is_right;
}

// Each block is written to.
template <class Resource>
void spike(Resource& resource) {
    for (const std::size_t bytes : {std::size_t{32}, std::size_t{400}}) {
        // A heap may keep what was in a vector.
        page_resource of_test;
        std::pmr::vector<void*> all(spike_bytes / 2 / bytes, &of_test);
        for (void*& p : all) {
            p = resource.allocate(bytes, 8);
            std::memset(p, 1, bytes);
        }
        std::mt19937 random(5);
        std::shuffle(all.begin(), all.end(), random);
        for (void* const p : all) resource.deallocate(p, bytes, 8);
    }
}

}  // namespace

TEMPLATE_TEST_CASE("pools work on pages", "", growing_pool_resource, synchronized_pool_resource,
                   lock_free_pool_resource, thread_local_pool_resource) {
    const page_options options =
        GENERATE(page_options{}, page_options{.huge = huge_pages::off, .pre_fault = true});
    page_resource upstream(options);
    {
        TestType resource(&upstream);
        CHECK(works(resource));
        resource.trim();
        CHECK(works(resource));
    }
    CHECK(upstream.statistics().mapped_bytes == 0);
}

TEMPLATE_TEST_CASE("threads' pools work on pages", "", synchronized_pool_resource,
                   lock_free_pool_resource, thread_local_pool_resource) {
    page_resource upstream;
    {
        TestType resource(&upstream);
        std::vector<char> worked(3);
        {
            std::vector<std::jthread> threads;
            for (char& mine : worked) threads.emplace_back([&] { mine = works(resource); });
        }
        CHECK(worked == std::vector<char>(3, 1));
    }
    CHECK(upstream.statistics().mapped_bytes == 0);
}

TEMPLATE_TEST_CASE("after a spike and trim, the system has its memory back", "",
                   growing_pool_resource, synchronized_pool_resource, lock_free_pool_resource,
                   thread_local_pool_resource) {
    const huge_pages huge = GENERATE(huge_pages::transparent, huge_pages::off);
    const ending child = in_a_child([&] {
        // Without the program itself, of which a child has nothing yet.
        const auto resident = [] { return bytes_in("smaps_rollup", "Anonymous"); };
        page_resource upstream({.huge = huge});
        const std::size_t before = resident();
        TestType resource(&upstream);
        void* const kept = resource.allocate(100, 8);
        std::memset(kept, 1, 100);
        spike(resource);
        require_here(upstream.statistics().resident_bytes > spike_bytes / 2, "pools keep memory");
        resource.trim();
        require_here(upstream.statistics().resident_bytes < mib, "the upstream has given it back");
        if (!(is_sanitized || keeps_ledger))
            require_here(resident() < before + mib, "the system has it back");
        resource.deallocate(kept, 100, 8);
        resource.release();
        require_here(upstream.statistics().mapped_bytes == 0, "release() gives back the rest");
    });
    CHECK(child.output == "");
    CHECK(child.exit_status == 0);
}

TEST_CASE("a report shows what is below the pools") {
    static_assert(reportable<page_resource>);
    page_resource upstream;
    growing_pool_resource resource(&upstream);
    resource.deallocate(resource.allocate(100), 100);
    std::ostringstream text;
    report_text(text, "pages", upstream);
    CHECK(text.str().starts_with("pages (page_resource)\n"));
    CHECK(text.str().find("  mapped bytes    2,097,152  2.0 MiB\n") != std::string::npos);
}

TEST_CASE("pre_initialize brings the pages of a slab in, whatever they are") {
    const huge_pages huge = GENERATE(huge_pages::transparent, huge_pages::off);
    page_resource upstream({.huge = huge});
    const auto config =
        pool_config::builder().slot_size(64).capacity(100'000).pre_initialize(true).build();
    const bool has_huge = huge == huge_pages::transparent && has_huge_pages();
    {
        fixed_pool_resource fixed(config, &upstream);
        const page_statistics s = upstream.statistics();
        CHECK(s.resident_bytes >= 6'400'000);
        if (has_huge) CHECK(s.huge_bytes > 0);
    }
    CHECK(upstream.statistics().mapped_bytes == 0);
    growing_pool_resource growing(config, &upstream);
    CHECK(upstream.statistics().resident_bytes < mib);
    void* const p = growing.allocate(64);
    CHECK(upstream.statistics().resident_bytes >= 6'400'000);
    growing.deallocate(p, 64);
}

}  // namespace fastalloc::testing
