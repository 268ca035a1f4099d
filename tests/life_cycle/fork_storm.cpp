// SPDX-License-Identifier: MIT
// Forks again and again while threads allocate and free, and lets each child go on with what it may:
// fork_storm [FORKS]
#include "stress/team.hpp"

#include <fastalloc/fastalloc.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace fastalloc::testing {

namespace {

using text = std::basic_string<char, std::char_traits<char>, allocator<char>>;
using texts = std::map<int, text, std::less<int>, allocator<std::pair<const int, text>>>;

struct resources {
    lock_free_pool_resource lock_free;
    thread_local_pool_resource thread_local_;
    // A program that forks while others are inside keeps them out for that moment.
    synchronized_pool_resource synchronized;
    lock_free_pool<texts> objects{pool_config::builder().capacity(64).build()};
};

std::optional<resources> shared(std::in_place);
std::mutex no_fork_now;
std::atomic<bool> is_over = false;

// Returns: whether all blocks were intact.
template <class Resource>
bool churn(Resource& resource, std::size_t thread, std::size_t rounds) {
    worker<Resource> me(resource, thread);
    std::vector<signed_block> held;
    bool intact = true;
    for (std::size_t i = 0; i != rounds; ++i) {
        if (held.size() < 100 && me.up_to(99) < 55) {
            held.push_back(me.allocate_any(me.up_to(49) == 0 ? 20'000 : 600));
        } else if (!held.empty()) {
            intact = me.deallocate(held.back()) && intact;
            held.pop_back();
        }
    }
    for (const signed_block& b : held) intact = me.deallocate(b) && intact;
    return intact;
}

bool use_containers(int rounds) {
    texts t;
    for (int i = 0; i != rounds; ++i) t.emplace(i, text(static_cast<std::size_t>(i), 'x'));
    const auto object = shared->objects.make_shared(t);
    return object->size() == static_cast<std::size_t>(rounds) && *object == t;
}

bool use_all(std::size_t thread, std::size_t rounds) {
    const bool intact = churn(shared->lock_free, thread, rounds) &&
                        churn(shared->thread_local_, thread, rounds) && use_containers(30);
    const std::lock_guard guard(no_fork_now);
    return churn(shared->synchronized, thread, rounds) && intact;
}

void work(std::size_t thread) {
    while (!is_over) {
        if (!use_all(thread, 300)) std::abort();
        // The ends of threads are moments to fork at too.
        if (thread == 0) std::thread([] { (void)use_all(9, 20); }).join();
    }
}

int status_of(pid_t child) {
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) return -1;
    return status;
}

// Returns: what a child exits with.
int be_a_child(int number) {
    alarm(60);  // rather than wait for ever for a lock
    if (!use_all(100, 100)) return 1;
    bool is_fine = true;
    if (number % 4 == 0) std::thread([&] { is_fine = use_all(101, 100); }).join();
    if (!is_fine) return 2;
    if (number % 16 == 0) {
        const pid_t grandchild = fork();
        if (grandchild == 0) _exit(use_all(102, 100) ? 0 : 1);
        if (status_of(grandchild) != 0) return 3;
    }
    if (number % 2 == 0) shared->lock_free.release();
    if (number % 2 == 0) shared->thread_local_.release();
    shared.reset();
    return 0;
}

// Returns: how many children failed.
int storm(int forks) {
    int failures = 0;
    for (int i = 0; i != forks; ++i) {
        pid_t child = 0;
        {
            const std::lock_guard guard(no_fork_now);
            child = fork();
        }
        if (child == 0) _exit(be_a_child(i));
        const int status = status_of(child);
        if (status == 0) continue;
        std::fprintf(stderr, "child %d: status %d\n", i, status);
        ++failures;
    }
    return failures;
}

}  // namespace

}  // namespace fastalloc::testing

int main(int argc, char** argv) {
    using namespace fastalloc::testing;
    const int forks = argc > 1 ? std::atoi(argv[1]) : 200;
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i != 3; ++i) threads.emplace_back([i] { work(i); });
    const int failures = storm(forks);
    is_over = true;
    for (std::thread& t : threads) t.join();
    shared.reset();
    std::printf("%d forks, %d failures\n", forks, failures);
    return failures == 0 ? 0 : 1;
}
