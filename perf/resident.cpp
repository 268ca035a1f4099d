// SPDX-License-Identifier: MIT
/// How much memory a resource keeps while threads come and go, or while one thread frees what
/// another allocates: the same at every checkpoint, if it does as it should.

#include "contenders.hpp"
#include "team.hpp"

#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <new>
#include <string_view>
#include <thread>
#include <vector>

namespace perf {

namespace {

constexpr std::size_t checkpoints = 10;

void print_resident(std::size_t done) {
    std::size_t size = 0;
    std::size_t resident = 0;
    std::ifstream("/proc/self/statm") >> size >> resident;
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    std::printf("%12zu %10zu KiB\n", done, resident * page / 1024);
}

/// 8 to 512 bytes, each size as often.
constexpr std::size_t words_of(std::size_t i) { return i * 37 % 64 + 1; }

/// Four threads at a time, each of which allocates 200 blocks and frees them.
void threads(std::size_t count, auto allocator) {
    std::array<std::jthread, 4> alive;
    const auto live = [allocator]() mutable {
        std::array<std::uint64_t*, 200> blocks;
        for (std::size_t i = 0; i != blocks.size(); ++i) {
            blocks[i] = allocator.allocate(words_of(i));
            *blocks[i] = i;
        }
        for (std::size_t i = 0; i != blocks.size(); ++i) {
            allocator.deallocate(blocks[i], words_of(i));
        }
    };
    for (std::size_t i = 0; i != count; ++i) {
        if (i % (count / checkpoints) == 0) print_resident(i);
        alive[i % alive.size()] = std::jthread(live);
    }
    alive = {};
    print_resident(count);
}

/// Two threads, one of which allocates what the other frees.
void hand_off(std::size_t count, auto allocator) {
    using blocks = ring<std::uint64_t>;
    constexpr std::size_t size = std::tuple_size_v<blocks::batch>;
    blocks passed(2);
    stay_on_core(0);
    const std::jthread producer([&passed, count, allocator]() mutable {
        stay_on_core(1);
        for (std::size_t done = 0; done < count; done += size) {
            passed.push([&](blocks::batch& batch) {
                for (std::size_t i = 0; i != size; ++i) {
                    batch[i] = allocator.allocate(words_of(i));
                    *batch[i] = i;
                }
            });
        }
    });
    std::size_t next = 0;
    for (std::size_t done = 0; done < count; done += size) {
        if (done >= next) {
            print_resident(done);
            next += count / checkpoints;
        }
        passed.pop([&](blocks::batch& batch) {
            for (std::size_t i = 0; i != size; ++i) allocator.deallocate(batch[i], words_of(i));
        });
    }
    print_resident(count);
}

template <class Contender>
bool run(std::string_view what, std::size_t count, std::string_view name) {
    using resource = typename Contender::resource_type;
    if (name != Contender::name) return false;
    if constexpr (requires { resource::is_available(); }) {
        if (!resource::is_available()) return false;
    }
    Contender contender;
    const auto allocator = contender.door().template allocator<std::uint64_t>();
    if (what == "threads") {
        threads(count, allocator);
    } else if (what == "hand_off") {
        hand_off(count, allocator);
    } else {
        return false;
    }
    return true;
}

template <class... Contenders>
bool run_named(contender_list<Contenders...>, auto... arguments) {
    return (run<Contenders>(arguments...) || ...);
}

}  // namespace

}  // namespace perf

int main(int argc, char** argv) {
    const std::size_t count = argc < 3 ? 0 : std::strtoull(argv[2], nullptr, 10);
    const char* const name = argc < 4 ? "fastalloc_synchronized" : argv[3];
    if (count >= perf::checkpoints &&
        perf::run_named(perf::shared_contenders{}, argv[1], count, name))
        return EXIT_SUCCESS;
    std::fputs("usage: resident threads|hand_off COUNT [CONTENDER], as in perf/threads\n", stderr);
    return EXIT_FAILURE;
}
