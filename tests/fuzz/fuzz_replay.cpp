// SPDX-License-Identifier: MIT

// Runs inputs of the fuzzer without it: files, folders of files, or random ones. See README.md.

#include "fuzz/findings.hpp"
#include "fuzz/random_inputs.hpp"
#include "fuzz/run_input.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace fastalloc::fuzz;
using bytes = std::span<const std::uint8_t>;

constexpr const char* failing_input = "failing-input";

bytes running;  // for a handler of signals

void save_running() {
    const int file = open(failing_input, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (file < 0) return;
    const ssize_t written = write(file, running.data(), running.size());
    close(file);
    std::fprintf(stderr, "%zd bytes of input are in the file %s\n", written, failing_input);
}

extern "C" void save_and_die(int signal) {
    std::signal(signal, SIG_DFL);
    save_running();
    std::raise(signal);
}

std::uint64_t number_of(std::string_view text) {
    std::uint64_t n = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (error != std::errc() || end != text.data() + text.size()) {
        std::fprintf(stderr, "not a number: %.*s\n", static_cast<int>(text.size()), text.data());
        std::exit(2);
    }
    return n;
}

void print(const tallies& counts) {
    std::printf("%-22s %12s %14s\n", "resource", "inputs", "operations");
    for (std::size_t i = 0; i != resource_count; ++i) {
        std::printf("%-22s %12llu %14llu\n", resource_names[i],
                    static_cast<unsigned long long>(counts[i].inputs),
                    static_cast<unsigned long long>(counts[i].operations));
    }
    std::fflush(stdout);
}

// `only` is the number of a resource, or that of none for all in turn.
int run_random(std::uint64_t seed, std::uint64_t operations, std::size_t only) {
    for (const int s : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) std::signal(s, save_and_die);
    random_inputs inputs(seed);
    tallies counts{};
    const std::uint64_t part = std::max<std::uint64_t>(1, operations / 20);
    std::uint64_t next_report = part;
    for (std::uint64_t done = 0; done < operations; done = operations_of(counts)) {
        running = inputs.next(only < resource_count ? only : least_tested(counts));
        try {
            run_input(running, counts);
        } catch (const violation& v) {
            std::fprintf(stderr, "seed %llu, after %llu operations, %s: %s\n",
                         static_cast<unsigned long long>(seed),
                         static_cast<unsigned long long>(done),
                         resource_names[running.front() % resource_count], v.what());
            save_running();
            return 1;
        }
        if (done < next_report) continue;
        std::printf("%llu operations\n", static_cast<unsigned long long>(done));
        std::fflush(stdout);
        next_report += part;
    }
    print(counts);
    return 0;
}

std::vector<std::filesystem::path> files_of(std::span<char* const> arguments) {
    std::vector<std::filesystem::path> files;
    for (const char* const argument : arguments) {
        if (!std::filesystem::is_directory(argument)) {
            files.emplace_back(argument);
            continue;
        }
        for (const auto& entry : std::filesystem::directory_iterator(argument)) {
            files.push_back(entry.path());
        }
    }
    std::ranges::sort(files);
    return files;
}

bool replay(const std::filesystem::path& file, tallies& counts) {
    std::ifstream stream(file, std::ios::binary);
    if (!stream) {
        std::fprintf(stderr, "%s cannot be read\n", file.c_str());
        return false;
    }
    const std::string text{std::istreambuf_iterator<char>(stream), {}};
    try {
        run_input({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}, counts);
    } catch (const violation& v) {
        std::fprintf(stderr, "%s: %s\n", file.c_str(), v.what());
        return false;
    }
    return true;
}

// Returns: whether every step was done on every resource, and every event came of one.
bool all_was_reached(const tallies& counts) {
    bool all = true;
    for (std::size_t s = 0; s != step_count; ++s) {
        for (std::size_t r = 0; r != resource_count; ++r) {
            if (counts[r].steps[s] != 0) continue;
            std::fprintf(stderr, "not reached: %s on %s\n", step_names[s], resource_names[r]);
            all = false;
        }
    }
    for (std::size_t e = 0; e != event_count; ++e) {
        const auto is_reached = [e](const tally& t) { return t.events[e] != 0; };
        if (std::ranges::any_of(counts, is_reached)) continue;
        std::fprintf(stderr, "not reached: %s\n", event_names[e]);
        all = false;
    }
    return all;
}

int replay_all(std::span<char* const> arguments, bool all_reached) {
    tallies counts{};
    std::size_t failures = 0;
    const auto files = files_of(arguments);
    for (const auto& file : files) failures += !replay(file, counts);
    print(counts);
    std::printf("%zu inputs, %zu failures\n", files.size(), failures);
    return failures != 0 || files.empty() || (all_reached && !all_was_reached(counts));
}

}  // namespace

int main(int argc, char** argv) {
    const std::span<char* const> arguments(argv + 1, static_cast<std::size_t>(argc - 1));
    const std::string_view first = arguments.empty() ? "" : arguments[0];
    if (first == "--random" && (arguments.size() == 3 || arguments.size() == 4)) {
        return run_random(number_of(arguments[1]), number_of(arguments[2]),
                          arguments.size() == 4 ? number_of(arguments[3]) : resource_count);
    }
    if (first == "--all-reached") return replay_all(arguments.subspan(1), true);
    if (!arguments.empty() && !first.starts_with("--")) return replay_all(arguments, false);
    std::fprintf(stderr,
                 "usage: fuzz_replay [--all-reached] FILE_OR_FOLDER...\n"
                 "       fuzz_replay --random SEED OPERATIONS [RESOURCE]\n");
    return 2;
}
