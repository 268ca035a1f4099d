// SPDX-License-Identifier: MIT
#include "support/catch.hpp"
#include "support/checking_resource.hpp"
#include "support/in_a_child.hpp"

#include <fastalloc/adaptor/no_alloc_guard.hpp>

#include <cstddef>
#include <cstdio>
#include <memory>
#include <memory_resource>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace fastalloc::testing {

namespace {

using request = std::pair<std::size_t, std::size_t>;

void use(std::pmr::memory_resource& resource, std::size_t bytes = 8, std::size_t alignment = 8) {
    resource.deallocate(resource.allocate(bytes, alignment), bytes, alignment);
}

}  // namespace

TEST_CASE("allocations in the scope of a guard are told of, and go on") {
    checking_resource upstream;
    guarded_resource memory(&upstream);
    CHECK(memory.upstream_resource() == &upstream);
    std::vector<request> told;
    use(memory);
    void* p = nullptr;
    {
        no_alloc_guard guard(memory, [&](std::size_t bytes, std::size_t alignment) {
            told.emplace_back(bytes, alignment);
        });
        CHECK(guard.violations() == 0);
        use(memory, 24, 4);
        p = memory.allocate(0, 64);
        CHECK(guard.violations() == 2);
        CHECK(upstream.blocks_out() == 1);
    }
    use(memory);
    CHECK(told == std::vector<request>{{24, 4}, {0, 64}});
    {
        no_alloc_guard guard(memory);
        memory.deallocate(p, 0, 64);
        CHECK(guard.violations() == 0);
    }
    CHECK(upstream.blocks_out() == 0);
    CHECK(upstream.errors().empty());
}

TEST_CASE("the innermost guard of the resource handles, and all of it count") {
    guarded_resource memory;
    guarded_resource other;
    std::string told;
    const auto tell = [&](char c) { return [&told, c](std::size_t, std::size_t) { told += c; }; };
    no_alloc_guard outer(memory, tell('o'));
    {
        no_alloc_guard inner(memory, tell('i'));
        no_alloc_guard of_other(other, tell('x'));
        use(memory);
        use(other);
        CHECK(outer.violations() == 1);
        CHECK(inner.violations() == 1);
        CHECK(of_other.violations() == 1);
    }
    use(memory);
    use(other);
    CHECK(outer.violations() == 2);
    CHECK(told == "ixo");
}

TEST_CASE("guards may end in any order") {
    guarded_resource memory;
    std::string told;
    const auto tell = [&](char c) { return [&told, c](std::size_t, std::size_t) { told += c; }; };
    using guard_type = no_alloc_guard<decltype(tell('a'))>;
    std::optional<guard_type> a(std::in_place, memory, tell('a'));
    std::optional<guard_type> b(std::in_place, memory, tell('b'));
    std::optional<guard_type> c(std::in_place, memory, tell('c'));
    b.reset();
    use(memory);
    a.reset();
    use(memory);
    c.reset();
    use(memory);
    CHECK(told == "cc");
}

TEST_CASE("a guard concerns the thread that made it") {
    guarded_resource memory;
    int told = 0;
    no_alloc_guard guard(memory, [&](std::size_t, std::size_t) { ++told; });
    std::thread([&] { use(memory); }).join();
    CHECK(told == 0);
    std::thread([&] {
        no_alloc_guard own(memory, [&](std::size_t, std::size_t) { told += 10; });
        use(memory);
        CHECK(own.violations() == 1);
    }).join();
    CHECK(told == 10);
    CHECK(guard.violations() == 0);
    use(memory);
    CHECK(told == 11);
}

TEST_CASE("what a handler throws passes through, and nothing is allocated") {
    checking_resource upstream;
    guarded_resource memory(&upstream);
    no_alloc_guard guard(memory, [](std::size_t bytes, std::size_t) { throw bytes; });
    CHECK_THROWS_AS(memory.allocate(10, 1), std::size_t);
    CHECK_THROWS_AS(memory.allocate(10, 1), std::size_t);
    CHECK(guard.violations() == 2);
    CHECK(upstream.calls() == 0);
}

TEST_CASE("a handler may allocate") {
    guarded_resource memory;
    std::pmr::vector<request> told(&memory);
    no_alloc_guard guard(memory, [&](std::size_t bytes, std::size_t alignment) {
        told.emplace_back(bytes, alignment);
        no_alloc_guard nested(memory);
        use(memory);
    });
    use(memory, 24, 4);
    use(memory, 25, 1);
    CHECK(told == std::pmr::vector<request>{{24, 4}, {25, 1}});
    CHECK(guard.violations() == 2);
}

TEST_CASE("without a handler an allocation is misuse") {
    checking_resource upstream;
    guarded_resource memory(&upstream);
    const auto printed = in_a_child([&] {
        no_alloc_guard guard(memory);
        use(memory, 24, 4);
    });
    CHECK(printed.aborted);
    CHECK(printed.output.find("no_alloc_guard forbids") != std::string::npos);
    CHECK(printed.output.find("24 bytes, aligned to 4") != std::string::npos);

    static const void* expected = nullptr;
    expected = &memory;
    const auto told = in_a_child([&] {
        set_misuse_handler([](const misuse_report& report) {
            std::fprintf(stderr, "%s by %s: %zu aligned to %zu, %zu and %zu alive",
                         report.fault == misuse::allocation_in_guard ? "allocation" : "?",
                         report.pool == expected ? "the resource" : "another", report.bytes,
                         report.alignment, report.count, report.addresses.size());
        });
        no_alloc_guard guard(memory);
        use(memory, 24, 4);
    });
    CHECK(told.aborted);
    CHECK(told.output == "allocation by the resource: 24 aligned to 4, 0 and 0 alive");
}

}  // namespace fastalloc::testing
