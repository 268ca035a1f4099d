// SPDX-License-Identifier: MIT
/// A fixed pool that was initialized before makes no system call and takes no page fault, however
/// it is used. A child uses it under a filter that kills it at the first system call, but for those
/// that read the counters of faults and end it. Skipped where there can be no such filter.
///
/// Usage: no_system_call_test [OPERATIONS]

#include <fastalloc/fastalloc.hpp>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory_resource>
#include <span>
#include <utility>

namespace {

using namespace fastalloc;

constexpr int skipped = 77;
constexpr std::size_t capacity = 100'000;

/// How a child ends.
enum ending { quiet = 0, faulted = 1, no_filter = 2, failed = 3, killed = 4 };

/// Effects: from now on any other system call than `getrusage` and those that end the process kills
/// it. Returns: whether the system can do that.
bool forbid_system_calls() {
    const auto number = static_cast<unsigned>(offsetof(seccomp_data, nr));
    std::array<sock_filter, 6> program{{
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, number),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getrusage, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    }};
    const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

long page_faults() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt + usage.ru_majflt;
}

/// Blocks that are in use. The array is the test's own, and in memory before the filter is there.
struct blocks {
    std::array<void*, capacity> all{};
    std::size_t count = 0;
};

blocks live;

/// Random, and inline: what is called for the first time may have to be read from disk.
struct generator {
    std::uint64_t state = 1;

    std::size_t below(std::size_t limit) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        return static_cast<std::size_t>((state >> 33) % limit);
    }
};

void free_one(std::pmr::memory_resource& resource, std::size_t place) {
    resource.deallocate(live.all[place], 64, 8);
    live.all[place] = live.all[--live.count];
}

/// Effects: allocates and frees so many blocks, one at a time or in batches of up to 1,000, at
/// random, so that how many are live goes from none to all and back.
void use(fixed_pool_resource& resource, std::uint64_t operations) {
    std::pmr::memory_resource& any = resource;
    generator random;
    for (bool filling = true; operations != 0;) {
        // Three quarters of the steps go one way, until nothing is left that way.
        const bool allocates = (random.below(4) != 0) == filling;
        const std::size_t most = allocates ? capacity - live.count : live.count;
        if (most == 0) {
            filling = !allocates;
            continue;
        }
        std::size_t count = random.below(8) == 0 ? 1 + random.below(1'000) : 1;
        if (count > most) count = most;
        if (count > operations) count = static_cast<std::size_t>(operations);
        operations -= count;
        if (allocates) {
            const std::span<void*> out(live.all.data() + live.count, count);
            if (count == 1) {
                out[0] = any.allocate(64, 8);
            } else {
                resource.allocate_batch(out, 64, 8);
            }
            live.count += count;
            for (void* const p : out) *static_cast<std::uint64_t*>(p) = 1;
        } else if (count == 1) {
            free_one(any, random.below(live.count));
        } else {
            for (std::size_t i = 0; i != count; ++i) {
                const std::size_t place = random.below(live.count);
                std::swap(live.all[place], live.all[--live.count]);
            }
            resource.deallocate_batch({live.all.data() + live.count, count}, 64, 8);
        }
    }
}

void use_up(fixed_pool_resource& resource) {
    while (live.count != 0) free_one(resource, live.count - 1);
    while (live.count != capacity) live.all[live.count++] = resource.allocate(64, 8);
    if (resource.try_allocate(64, 8) != nullptr) _exit(failed);
    while (live.count != 0) free_one(resource, live.count - 1);
}

/// In pages that nobody has touched, unless the pool does.
class pool_in_fresh_pages {
public:
    explicit pool_in_fresh_pages(bool pre_initialize)
        : resource_(fresh_pages(), pool_config::builder()
                                       .slot_size(64)
                                       .alignment(8)
                                       .capacity(capacity)
                                       .pre_initialize(pre_initialize)
                                       .build()) {}

    fixed_pool_resource& resource() { return resource_; }

private:
    static std::span<std::byte> fresh_pages() {
        constexpr std::size_t bytes = capacity * 80;
        void* const p =
            mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED) _exit(failed);
        return {static_cast<std::byte*>(p), bytes};
    }

    fixed_pool_resource resource_;
};

/// Effects: calls `f` in a child, under the filter, with a pool. Returns: how that ended.
template <class F>
ending in_a_child(bool pre_initialize, F f) {
    const pid_t child = fork();
    if (child == 0) {
        const rlimit no_core{0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        // Else the system may make a huge page of small ones meanwhile.
        prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
        // Another pool first, so that the program itself is in memory.
        use(pool_in_fresh_pages(true).resource(), 10'000);
        live.count = 0;
        use_up(pool_in_fresh_pages(true).resource());
        pool_in_fresh_pages pool(pre_initialize);
        (void)page_faults();
        if (!forbid_system_calls()) _exit(no_filter);
        const long before = page_faults();
        f(pool.resource());
        _exit(page_faults() == before ? quiet : faulted);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) return failed;
    if (WIFSIGNALED(status)) return WTERMSIG(status) == SIGSYS ? killed : failed;
    return static_cast<ending>(WEXITSTATUS(status));
}

bool check(const char* what, ending expected, ending found) {
    if (found == expected) return true;
    constexpr const char* meaning[] = {"made no system call and took no page fault",
                                       "took page faults", "could not forbid system calls",
                                       "failed", "made a system call"};
    std::printf("FAILED: %s %s\n", what, meaning[found]);
    return false;
}

}  // namespace

int main(int argc, char** argv) {
    const std::uint64_t operations = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 30'000'000;
    const auto use_all = [&](fixed_pool_resource& resource) {
        use(resource, operations);
        use_up(resource);
    };
    const ending caller = in_a_child(true, [](fixed_pool_resource&) { (void)getppid(); });
    if (caller == no_filter) {
        std::puts("skipped: system calls cannot be forbidden here");
        return skipped;
    }
    ending of_pool = in_a_child(true, use_all);
    // The system may take a page away at any time; a pool that faults would do so each time.
    for (int i = 0; i != 2 && of_pool == faulted; ++i) of_pool = in_a_child(true, use_all);
    bool ok = check("a system call", killed, caller);
    ok &= check("a pool in fresh pages", faulted, in_a_child(false, use_all));
    ok &= check("a pool that was initialized before", quiet, of_pool);
    if (!ok) return EXIT_FAILURE;
    std::printf("%llu operations without a system call or page fault\n",
                static_cast<unsigned long long>(operations));
    return EXIT_SUCCESS;
}
