// SPDX-License-Identifier: MIT
// A library that checks everything finds each of very many bad frees, ignores it, and blames no good one:
// bad_frees [BAD [GOOD [SEED]]]      of each resource as many; BAD double frees, and BAD of other kinds

#include <fastalloc/fastalloc.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <random>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

namespace {

using fastalloc::misuse;

std::size_t told = 0;
misuse last_told{};

void count(const fastalloc::misuse_report& report) {
    ++told;
    last_told = report.fault;
}

[[noreturn]] void fail(std::string_view resource, const char* what) {
    std::fprintf(stderr, "%.*s: %s\n", static_cast<int>(resource.size()), resource.data(), what);
    std::exit(1);
}

struct block {
    void* p;
    std::size_t bytes;
};

constexpr std::size_t alignment = 8;
constexpr std::array<std::size_t, 3> sizes{24, 64, 256};  // of the classes

std::vector<fastalloc::pool_config> classes() {
    std::vector<fastalloc::pool_config> all;
    for (const std::size_t size : sizes) {
        all.push_back(fastalloc::pool_config::builder()
                          .slot_size(size)
                          .alignment(alignment)
                          .capacity(4096)
                          .larger_requests(fastalloc::larger_requests::to_upstream)
                          .build());
    }
    return all;
}

alignas(alignment) std::array<std::byte, 4096> elsewhere;

template <class Resource>
class trial {
public:
    explicit trial(std::uint64_t seed) : random_(seed) {
        for (int i = 0; i != 16; ++i) of_other_.push_back(other_.allocate(sizes[0], alignment));
    }

    ~trial() {
        for (const block& b : live_) resource_.deallocate(b.p, b.bytes, alignment);
        for (void* const p : of_other_) other_.deallocate(p, sizes[0], alignment);
    }

    trial(const trial&) = delete;
    trial& operator=(const trial&) = delete;

    /// Effects: allocates or frees a block, as a program may.
    void do_good() {
        if (live_.size() < most_live && (live_.empty() || below(2) == 0)) {
            const std::size_t bytes = below(64) == 0 ? 1000 : 1 + below(sizes.back());
            live_.push_back({resource_.allocate(bytes, alignment), bytes});
            addresses_.insert(live_.back().p);
            return;
        }
        const block b = live_[below(live_.size())];
        forget(b);
        if (b.bytes <= sizes.back()) dead_[next_dead_++ % dead_.size()] = b;
        resource_.deallocate(b.p, b.bytes, alignment);
        if (told != 0) fail("a good free", "is blamed");
    }

    /// Effects: gives a block back that is free. Returns: whether there was one.
    bool free_twice() {
        const block b = dead_[below(dead_.size())];
        if (b.p == nullptr || addresses_.contains(b.p)) return false;
        give_back_wrongly(b.p, b.bytes, {misuse::double_free});
        return true;
    }

    /// Effects: gives back what it may not, in one of many ways.
    void free_wrongly() {
        const block& b = live_[below(live_.size())];
        auto* const bytes = static_cast<std::byte*>(b.p);
        switch (below(6)) {
            case 0:  // where another block may begin, behind what has no slots
                return give_back_wrongly(bytes + 1 + below(b.bytes), b.bytes,
                                         {misuse::interior_free, misuse::foreign_free,
                                          misuse::double_free, misuse::wrong_request});
            case 1:
                return give_back_wrongly(b.p, b.bytes + 1, {misuse::wrong_request});
            case 2:
                return give_back_wrongly(of_other_[below(of_other_.size())], sizes[0],
                                         {misuse::foreign_free});
            case 3:
                // Not on a heap, where a larger block may have been.
                return give_back_wrongly(&elsewhere[below(elsewhere.size())],
                                         sizes[below(sizes.size())], {misuse::foreign_free});
            case 4:
                return give_back_wrongly(std::bit_cast<void*>(random_()), b.bytes,
                                         {misuse::foreign_free, misuse::interior_free});
            default:
                return give_back_wrongly(nullptr, b.bytes, {misuse::foreign_free});
        }
    }

    bool has_live() const { return !live_.empty(); }

private:
    static constexpr std::size_t most_live = 1000;

    std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_() % n); }

    void forget(const block& b) {
        addresses_.erase(b.p);
        for (block& other : live_) {
            if (other.p != b.p) continue;
            other = live_.back();
            live_.pop_back();
            return;
        }
    }

    void give_back_wrongly(const void* p, std::size_t bytes, std::initializer_list<misuse> any_of) {
        const std::size_t in_use = resource_.in_use();
        resource_.deallocate(const_cast<void*>(p), bytes, alignment);
        const std::size_t times = std::exchange(told, 0);
        if (times != 1) fail(Resource::type_name, "a bad free is not told once");
        if (std::ranges::find(any_of, last_told) == any_of.end()) {
            std::fprintf(stderr, "%p, %zu bytes: %d instead of %d\n", p, bytes,
                         static_cast<int>(last_told), static_cast<int>(*any_of.begin()));
            fail(Resource::type_name, "a bad free is told as another");
        }
        if (resource_.in_use() != in_use) fail(Resource::type_name, "a bad free has an effect");
    }

    std::mt19937_64 random_;
    Resource resource_{classes()};
    fastalloc::growing_pool_resource other_{classes()};
    std::vector<block> live_;
    std::unordered_set<const void*> addresses_;  // of what is live
    std::array<block, 512> dead_{};
    std::size_t next_dead_ = 0;
    std::vector<void*> of_other_;
};

template <class Resource>
void try_out(std::size_t bad, std::size_t good, std::uint64_t seed) {
    {
        trial<Resource> t(seed);
        const std::size_t steps = std::max(bad, good);
        std::size_t twice = 0;
        std::size_t wrong = 0;
        std::size_t right = 0;
        for (std::size_t i = 1; i <= steps || twice < bad; ++i) {
            for (; right * steps < good * i || !t.has_live(); ++right) t.do_good();
            for (; wrong < bad && wrong * steps < bad * i; ++wrong) t.free_wrongly();
            if (twice < bad && twice * steps < bad * i) twice += t.free_twice();
            // Blocks come and go until one that was given back is free still.
            if (i > steps) t.do_good();
        }
        std::printf("%s: %zu double frees, %zu other bad frees, %zu good operations\n",
                    Resource::type_name.data(), twice, wrong, right);
        std::fflush(stdout);
    }
    if (told != 0) fail(Resource::type_name, "something is told at the end");
}

std::size_t argument(int argc, char** argv, int n, std::size_t otherwise) {
    return n < argc ? std::strtoull(argv[n], nullptr, 10) : otherwise;
}

}  // namespace

int main(int argc, char** argv) {
    const std::size_t bad = argument(argc, argv, 1, 2'000);
    const std::size_t good = argument(argc, argv, 2, 20'000);
    const std::size_t seed = argument(argc, argv, 3, 1);
    fastalloc::set_misuse_handler(count);
    try_out<fastalloc::fixed_pool_resource>(bad, good, seed);
    try_out<fastalloc::growing_pool_resource>(bad, good, seed);
    try_out<fastalloc::thread_local_pool_resource>(bad, good, seed);
    try_out<fastalloc::synchronized_pool_resource>(bad, good, seed);
    try_out<fastalloc::lock_free_pool_resource>(bad, good, seed);
}
