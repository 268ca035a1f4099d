// SPDX-License-Identifier: MIT
#include "support/catch.hpp"
#include "support/check_refused.hpp"
#include "support/in_a_child.hpp"
#include "upstream/system.hpp"

#include <fastalloc/upstream/page_resource.hpp>

#include <linux/mempolicy.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <fstream>
#include <new>

namespace fastalloc::testing {

namespace {

// What the program must not be a superuser for.
void become_nobody() {
    constexpr uid_t nobody = 65'534;
    if (geteuid() == 0) require_here(setresuid(nobody, nobody, nobody) == 0, "it is nobody");
    // What it may read of itself is as before.
    prctl(PR_SET_DUMPABLE, 1);
}

std::size_t reserved_pages() {
    std::ifstream in("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
    std::size_t count = 0;
    in >> count;
    return count;
}

long minor_faults() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
}

// Returns: the faults it takes to write to each page.
long faults_of_use(page_resource& resource, std::size_t bytes) {
    void* const p = resource.allocate(bytes, 8);
    const long before = minor_faults();
    std::memset(p, 1, bytes);
    const long faults = minor_faults() - before;
    resource.deallocate(p, bytes, 8);
    return faults;
}

}  // namespace

TEST_CASE("options are kept") {
    const page_resource plain;
    CHECK(plain.options().huge == huge_pages::transparent);
    CHECK_FALSE(plain.options().pre_fault);
    CHECK_FALSE(plain.options().lock);
    CHECK_FALSE(plain.options().numa_node.has_value());
    const page_resource other({.huge = huge_pages::off, .pre_fault = true, .lock = true});
    CHECK(other.options().huge == huge_pages::off);
    CHECK(other.options().pre_fault);
    CHECK(other.options().lock);
}

TEST_CASE("huge pages are there where the system has them, and are not otherwise") {
    page_resource resource;
    page_resource without({.huge = huge_pages::off});
    void* const p = resource.allocate(9 * mib, 8);
    void* const q = without.allocate(9 * mib, 8);
    std::memset(p, 1, 9 * mib);
    std::memset(q, 1, 9 * mib);
    const page_statistics s = resource.statistics();
    CHECK(s.resident_bytes == 9 * mib);
    if (has_huge_pages()) {
        CHECK(s.huge_bytes > 0);
        CHECK(s.huge_bytes <= 8 * mib);
        CHECK(s.huge_bytes % (2 * mib) == 0);
        CHECK(s.huge_fallbacks == 0);
    } else {
        WARN("the system gives out no huge pages: that they are used is not tested");
    }
    CHECK(without.statistics().resident_bytes == 9 * mib);
    CHECK(without.statistics().huge_bytes == 0);
    CHECK(without.statistics().huge_fallbacks == 0);
    resource.deallocate(p, 9 * mib, 8);
    without.deallocate(q, 9 * mib, 8);
}

TEST_CASE("small pieces are in huge pages too") {
    if (!has_huge_pages()) return;
    page_resource resource;
    void* const p = resource.allocate(1, 1);
    *static_cast<char*>(p) = 1;
    CHECK(resource.statistics().huge_bytes == 2 * mib);
    resource.deallocate(p, 1, 1);
}

TEST_CASE("where transparent huge pages are off, it falls back and says so") {
    const ending child = in_a_child([] {
        require_here(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0, "they are off");
        page_resource resource;
        void* const p = resource.allocate(9 * mib, 8);
        void* const q = resource.allocate(1, 1);
        std::memset(p, 1, 9 * mib);
        *static_cast<char*>(q) = 1;
        const page_statistics s = resource.statistics();
        require_here(s.huge_bytes == 0, "there are none");
        require_here(s.huge_fallbacks == 2, "each mapping fell back");
        require_here(s.resident_bytes == 9 * mib + page_bytes(), "there are small pages");
        page_resource without({.huge = huge_pages::off});
        without.deallocate(without.allocate(1, 1), 1, 1);
        require_here(without.statistics().huge_fallbacks == 0, "who wants none needs none");
    });
    CHECK(child.output == "");
    CHECK(child.exit_status == 0);
}

TEST_CASE("reserved huge pages are used, or refused by name, or done without") {
    if (reserved_pages() < 8) {
        if (reserved_pages() == 0) {
            check_refused([] { page_resource({.huge = huge_pages::reserved}); }, "huge",
                          "reserved");
            page_resource resource({.huge = huge_pages::reserved_or_transparent});
            void* const p = resource.allocate(9 * mib, 8);
            std::memset(p, 1, 9 * mib);
            const page_statistics s = resource.statistics();
            CHECK(s.mapped_bytes == 10 * mib);
            CHECK(s.huge_fallbacks == 1);
            if (has_huge_pages()) CHECK(s.huge_bytes > 0);
            resource.deallocate(p, 9 * mib, 8);
        }
        return;
    }
    for (const huge_pages huge : {huge_pages::reserved, huge_pages::reserved_or_transparent}) {
        page_resource resource({.huge = huge});
        void* const p = resource.allocate(3 * mib, 8);
        void* const q = resource.allocate(1, 1);
        std::memset(p, 1, 3 * mib);
        *static_cast<char*>(q) = 1;
        const page_statistics s = resource.statistics();
        CHECK(s.mapped_bytes == 6 * mib);
        CHECK(s.resident_bytes == 6 * mib);
        CHECK(s.huge_bytes == 6 * mib);
        CHECK(s.huge_fallbacks == 0);
        // More than is set aside.
        const std::size_t more = (reserved_pages() + 1) * 2 * mib;
        if (huge == huge_pages::reserved) {
            CHECK_THROWS_AS(resource.allocate(more, 8), std::bad_alloc);
            CHECK(resource.statistics().mapped_bytes == 6 * mib);
        } else {
            resource.deallocate(resource.allocate(more, 8), more, 8);
            CHECK(resource.statistics().huge_fallbacks == 1);
        }
        resource.deallocate(p, 3 * mib, 8);
        resource.deallocate(q, 1, 1);
        CHECK(resource.statistics().mapped_bytes == 0);
    }
}

TEST_CASE("with pre_fault, pages are there before they are used, and stay while a piece does") {
    const bool is_large = GENERATE(false, true);
    const huge_pages huge = GENERATE(huge_pages::off, huge_pages::transparent);
    const std::size_t bytes = is_large ? 5 * mib : mib;
    page_resource resource({.huge = huge, .pre_fault = true});
    void* const piece = resource.allocate(1, 1);
    CHECK(resource.statistics().mapped_bytes == 2 * mib);
    CHECK(resource.statistics().resident_bytes == 2 * mib);
    void* const p = resource.allocate(bytes, 8);
    const page_statistics s = resource.statistics();
    CHECK(s.resident_bytes == s.mapped_bytes);
    resource.deallocate(p, bytes, 8);
    CHECK(resource.statistics().resident_bytes == 2 * mib);
    resource.deallocate(piece, 1, 1);

    if (is_sanitized || huge != huge_pages::off) return;
    page_resource without({.huge = huge_pages::off});
    CHECK(faults_of_use(resource, bytes) < 10);
    CHECK(faults_of_use(without, bytes) >= static_cast<long>(bytes / page_bytes() / 16));
}

TEST_CASE("with lock, memory is locked, and no more than is allowed") {
    const ending child = in_a_child([] {
        become_nobody();
        rlimit limit{};
        getrlimit(RLIMIT_MEMLOCK, &limit);
        limit.rlim_cur = 4 * mib;
        if (is_sanitized || limit.rlim_max < limit.rlim_cur) return;
        setrlimit(RLIMIT_MEMLOCK, &limit);
        page_resource resource({.lock = true});
        require_here(bytes_in("status", "VmLck") == 0, "nothing is locked yet");
        void* const piece = resource.allocate(100, 8);
        require_here(bytes_in("status", "VmLck") == 2 * mib, "an extent is locked");
        require_here(resource.statistics().locked_bytes == 2 * mib, "it is said to be");
        require_here(resource.statistics().resident_bytes == 2 * mib, "it is in memory");
        void* const p = resource.allocate(mib, 8);
        std::memset(p, 1, mib);
        resource.deallocate(p, mib, 8);
        require_here(bytes_in("status", "VmLck") == 2 * mib, "it stays locked");
        require_here(resource.statistics().resident_bytes == 2 * mib, "it stays in memory");
        // Room for four such requests would be too much.
        void* const q = resource.allocate(2 * mib, 8);
        require_here(bytes_in("status", "VmLck") == 4 * mib, "all that may be is locked");
        for (const std::size_t bytes : {2 * mib, 5 * mib}) {
            bool is_refused = false;
            try {
                static_cast<void>(resource.allocate(bytes, 8));
            } catch (const std::bad_alloc&) {
                is_refused = true;
            }
            require_here(is_refused, "no more than that");
            const page_statistics s = resource.statistics();
            require_here(s.mapped_bytes == 4 * mib, "nothing is left of what is refused");
            require_here(s.current_bytes == 2 * mib + 100, "nor in the books");
        }
        resource.deallocate(q, 2 * mib, 8);
        require_here(bytes_in("status", "VmLck") == 2 * mib, "it is unlocked with its extent");
        resource.deallocate(piece, 100, 8);
        require_here(bytes_in("status", "VmLck") == 0, "all is");
        page_resource without;
        void* const not_locked = without.allocate(1, 1);
        require_here(bytes_in("status", "VmLck") == 0, "others are not");
        require_here(without.statistics().locked_bytes == 0, "nor said to be");
        without.deallocate(not_locked, 1, 1);
    });
    CHECK(child.output == "");
    CHECK(child.exit_status == 0);
}

#ifdef FASTALLOC_NUMA

TEST_CASE("memory is bound to a node that there is") {
    // Some sandboxes forbid it.
    if (syscall(SYS_set_mempolicy, MPOL_DEFAULT, nullptr, 0) != 0) return;
    int mode = -1;
    unsigned long nodes[16] = {};
    const auto policy_of = [&](void* p) {
        REQUIRE(syscall(SYS_get_mempolicy, &mode, nodes, sizeof nodes * 8, p, MPOL_F_ADDR) == 0);
    };
    page_resource resource({.numa_node = 0});
    CHECK(resource.statistics().numa_node == 0);
    for (const std::size_t bytes : {std::size_t{1}, 3 * mib}) {
        void* const p = resource.allocate(bytes, 1);
        std::memset(p, 1, bytes);
        policy_of(p);
        CHECK(mode == MPOL_PREFERRED);
        CHECK(nodes[0] == 1);
        resource.deallocate(p, bytes, 1);
    }
    page_resource without;
    CHECK_FALSE(without.statistics().numa_node.has_value());
    void* const p = without.allocate(1, 1);
    policy_of(p);
    CHECK(mode == MPOL_DEFAULT);
    without.deallocate(p, 1, 1);
}

TEST_CASE("a node that there is not is refused") {
    // Some kernels could have the first of these.
    check_refused([] { page_resource({.numa_node = 1'023}); }, "numa_node", "1023");
    check_refused([] { page_resource({.numa_node = 4'096}); }, "numa_node", "4096");
    check_refused([] { page_resource({.numa_node = 1'000'000}); }, "numa_node", "1000000");
    check_refused([] { page_resource({.numa_node = -1}); }, "numa_node", "-1");
}

#else

TEST_CASE("without libnuma no node can be asked for") {
    check_refused([] { page_resource({.numa_node = 0}); }, "numa_node", "0");
}

#endif

}  // namespace fastalloc::testing
