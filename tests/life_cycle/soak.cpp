// SPDX-License-Identifier: MIT
// A server's life in short: blocks of many sizes come and go, for very long, with bursts, pauses in which
// memory is trimmed, and objects in typed pools. What the process has in memory stays what it was:
// soak [CYCLES]      a cycle allocates a block and frees one, or makes an object and drops one
#include <fastalloc/fastalloc.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string_view>
#include <utility>
#include <vector>

#include <unistd.h>

namespace {

/// Bytes of this process that are in memory.
std::size_t resident() {
    std::ifstream statm("/proc/self/statm");
    std::size_t all = 0;
    std::size_t pages = 0;
    statm >> all >> pages;
    return pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

// Marsaglia's xorshift: the work is to be the pools'.
class random_numbers {
public:
    std::size_t below(std::size_t n) {
        state_ ^= state_ << 13;
        state_ ^= state_ >> 7;
        state_ ^= state_ << 17;
        return static_cast<std::size_t>(state_ % n);
    }

private:
    std::uint64_t state_ = 0x2545f4914f6cdd1d;
};

struct message {
    std::array<std::uint64_t, 6> words{};
};

struct block {
    void* p = nullptr;
    std::size_t bytes = 0;
};

constexpr std::size_t most_bytes = 700;
constexpr std::size_t most_live = 20'000;
constexpr std::size_t tide = 500'000;  // cycles from low water to low water

template <class Resource>
class life {
public:
    life() : blocks_(most_live), messages_(most_live) {}

    ~life() {
        for (const block& b : blocks_) free(b);
    }

    life(const life&) = delete;
    life& operator=(const life&) = delete;

    void cycle(std::size_t number) {
        // How much is live rises and falls; then memory goes back.
        const std::size_t phase = number % tide;
        const std::size_t wanted = most_live / 10 + most_live * 9 / 10 * phase / tide;
        const std::size_t at = random_.below(wanted);
        if (number % 4 == 0) {
            messages_[at] = pool_.make();
            return;
        }
        free(blocks_[at]);
        const std::size_t bytes = 1 + random_.below(most_bytes);
        blocks_[at] = {resource_.allocate(bytes), bytes};
        *static_cast<volatile char*>(blocks_[at].p) = 1;
        if (phase == tide - 1) ebb();
    }

private:
    void free(const block& b) {
        if (b.p != nullptr) resource_.deallocate(b.p, b.bytes);
    }

    void ebb() {
        for (std::size_t i = most_live / 10; i != most_live; ++i) {
            free(std::exchange(blocks_[i], {}));
            messages_[i].reset();
        }
        resource_.trim();
    }

    // A malloc's heap has its own ways to grow.
    fastalloc::page_resource pages_{{.huge = fastalloc::huge_pages::off}};
    Resource resource_{&pages_};
    fastalloc::object_pool<message, Resource> pool_{resource_};
    std::vector<block> blocks_;
    std::vector<fastalloc::owned_handle<message>> messages_;
    random_numbers random_;
};

// Returns: whether what is in memory after each tide stays what it was after the first ones.
template <class Resource>
bool stays_flat(std::size_t cycles) {
    constexpr std::size_t slack = std::size_t{1} << 20;
    constexpr std::size_t tides_to_settle = 3;
    std::size_t first = 0;
    std::size_t most = 0;
    {
        life<Resource> l;
        for (std::size_t n = 0; n != cycles; ++n) {
            l.cycle(n);
            if (n % tide != tide - 1) continue;
            const std::size_t now = resident();
            if (n / tide == tides_to_settle) first = now;
            if (n / tide >= tides_to_settle) most = std::max(most, now);
        }
    }
    std::printf("%-28.*s %zu cycles, %zu KiB in memory at first, %zu at most\n",
                static_cast<int>(Resource::type_name.size()), Resource::type_name.data(), cycles,
                first / 1024, most / 1024);
    std::fflush(stdout);
    return first != 0 && most <= first + slack;
}

}  // namespace

int main(int argc, char** argv) {
    constexpr std::size_t resources = 4;
    const std::size_t all = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 20'000'000;
    const std::size_t cycles = std::max(all / resources, 5 * tide);
    const bool flat[resources] = {stays_flat<fastalloc::growing_pool_resource>(cycles),
                                  stays_flat<fastalloc::thread_local_pool_resource>(cycles),
                                  stays_flat<fastalloc::synchronized_pool_resource>(cycles),
                                  stays_flat<fastalloc::lock_free_pool_resource>(cycles)};
    return std::ranges::all_of(flat, [](bool f) { return f; }) ? 0 : 1;
}
