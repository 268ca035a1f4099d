// SPDX-License-Identifier: MIT
#pragma once

#include "support/catch.hpp"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <string>

namespace fastalloc::testing {

/// How a child process ended, and what it wrote to standard error.
struct ending {
    std::string output;
    bool aborted = false;
    int exit_status = -1;  // -1: it did not exit
};

/// Effects: calls `f` in a child of `fork()`, which exits with 0 after that.
template <class F>
ending in_a_child(F f) {
    std::array<int, 2> ends{};
    REQUIRE(pipe(ends.data()) == 0);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        // The test runner's handler would report the parent's tests.
        std::signal(SIGABRT, SIG_DFL);
        const rlimit no_core{0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        dup2(ends[1], STDERR_FILENO);
        f();
        _exit(0);
    }
    close(ends[1]);
    ending result;
    std::array<char, 4096> buffer{};
    for (;;) {
        const ssize_t n = read(ends[0], buffer.data(), buffer.size());
        if (n <= 0) break;
        result.output.append(buffer.data(), static_cast<std::size_t>(n));
    }
    close(ends[0]);
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    result.aborted = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
    if (WIFEXITED(status)) result.exit_status = WEXITSTATUS(status);
    return result;
}

}  // namespace fastalloc::testing
