// SPDX-License-Identifier: MIT
//
// Particles that live for half a second, a million of them born a second: what the slowest frames
// take, over typed pools and over std::make_unique. `particles --help` says how to use it.

#include "options.hpp"
#include "pool_report.hpp"

#include <fastalloc/fastalloc.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr const char* usage = R"(Usage: particles [option]...

Simulates particles at 60 frames a second of simulated time, as fast as it can, and shows what a
frame takes with each way to make them. A particle lives for 6 to 30 frames, and remembers where it
was.

  --frames N        simulate N frames (default: 600)
  --per-second N    make N particles a second of simulated time (default: 1000000)

With one of these, it simulates once, over a growing pool, and shows the pool in the last frame:

  --statistics FORMAT    what it counted and how long it took, as text, json or prometheus
  --picture FILE         what is where, as SVG

Exit status: 0 if all simulations agree and nothing is left, or the report is written, 1 if not, 2 if
the command line is wrong.
)";

struct settings {
    std::size_t frames = 600;
    std::size_t per_second = 1'000'000;
    pool_report report{};
};

constexpr std::size_t frames_per_second = 60;
constexpr std::uint32_t shortest_life = 6;
constexpr std::uint32_t longest_life = 30;

std::size_t most_births_per_frame(const settings& asked) {
    return (asked.per_second + frames_per_second - 1) / frames_per_second;
}

// ---- the simulation ----------------------------------------------------------------------------

// Whole numbers, so that sums do not depend on the order in which particles die.
struct point {
    std::int32_t x = 0;
    std::int32_t y = 0;
};

class particle {
public:
    void launch(std::uint32_t random) {
        place_ = {};
        speed_ = {static_cast<std::int32_t>(random >> 16 & 255) - 128,
                  static_cast<std::int32_t>(random >> 24)};
        frames_left_ = shortest_life + random % (longest_life - shortest_life + 1);
    }

    /// Returns: whether it goes on living.
    bool step() {
        if (frames_left_ % frames_per_trail_point == 0) trail_.push_back(place_);
        place_.x += speed_.x;
        place_.y += speed_.y;
        speed_.y -= gravity;
        return --frames_left_ != 0;
    }

    std::uint64_t digest() const {
        std::uint64_t sum = 0;
        const auto mix = [&](point p) {
            sum = sum * 31 + static_cast<std::uint32_t>(p.x);
            sum = sum * 31 + static_cast<std::uint32_t>(p.y);
        };
        for (const point p : trail_) mix(p);
        mix(place_);
        return sum;
    }

    /// Effects: ready for the next launch. The trail keeps its memory.
    void reset() { trail_.clear(); }

private:
    static constexpr std::uint32_t frames_per_trail_point = 4;
    static constexpr std::int32_t gravity = 2;

    point place_;
    point speed_;
    std::uint32_t frames_left_ = 0;
    std::vector<point> trail_;
};

struct outcome {
    std::vector<double> frame_us{};
    std::size_t made = 0;
    std::uint64_t checksum = 0;
    std::optional<std::size_t> left{};  // slots in use at the end, where there is a pool
};

/// `make()` returns a handle of a particle that was never launched, or was reset since.
template <class Make, class EndFrame>
outcome simulate(const settings& asked, Make make, EndFrame end_frame) {
    using clock = std::chrono::steady_clock;
    outcome all;
    all.frame_us.reserve(asked.frames);
    std::mt19937 random(1);
    std::vector<decltype(make())> alive;
    // A vector that grew in the middle would show up as a slow frame, whoever makes the particles.
    alive.reserve(most_births_per_frame(asked) * longest_life);
    std::size_t due = 0;  // in 60ths of a particle
    for (std::size_t frame = 0; frame != asked.frames; ++frame) {
        const auto start = clock::now();
        for (due += asked.per_second; due >= frames_per_second; due -= frames_per_second) {
            alive.push_back(make());
            alive.back()->launch(static_cast<std::uint32_t>(random()));
            ++all.made;
        }
        std::erase_if(alive, [&](const auto& p) {
            if (p->step()) return false;
            all.checksum += p->digest();
            return true;
        });
        end_frame();
        all.frame_us.push_back(
            std::chrono::duration<double, std::micro>(clock::now() - start).count());
    }
    for (const auto& p : alive) all.checksum += p->digest();
    return all;
}

// ---- the contenders ----------------------------------------------------------------------------

outcome with_make_unique(const settings& asked) {
    return simulate(
        asked, [] { return std::make_unique<particle>(); }, [] {});
}

template <class Pool>
outcome with_pool(const settings& asked, Pool pool_of_particles(const settings&)) {
    Pool pool = pool_of_particles(asked);
    // Enough to keep up with the deaths, and no frame pays for more than that. Pools that defer
    // nothing have nothing to drain.
    const std::size_t drained_per_frame = 2 * most_births_per_frame(asked);
    outcome all = simulate(
        asked, [&] { return pool.make(); }, [&] { pool.drain(drained_per_frame); });
    all.left = pool.in_use();
    return all;
}

/// All slots are there, and their pages touched, before the first frame.
fastalloc::fixed_pool<particle> fixed(const settings& asked) {
    return fastalloc::fixed_pool<particle>(
        fastalloc::pool_config::builder()
            .capacity(most_births_per_frame(asked) * longest_life)
            .pre_initialize(true)
            .build());
}

fastalloc::pool_config growing_config() {
    return fastalloc::pool_config::builder()
        .capacity(1'024)
        .growth(fastalloc::growth_strategy::exponential(2.0))
        .build();
}

fastalloc::growing_pool<particle> growing(const settings&) {
    return fastalloc::growing_pool<particle>(growing_config());
}

fastalloc::growing_pool<particle> recycling(const settings&) {
    return fastalloc::growing_pool<particle>(
        growing_config(), fastalloc::initialization<particle>::recycling(
                              [] { return particle(); }, [](particle& p) { p.reset(); }));
}

fastalloc::growing_pool<particle> deferred(const settings&) {
    return fastalloc::growing_pool<particle>(growing_config(),
                                             fastalloc::initialization<particle>::deferred());
}

struct contender {
    const char* name;
    outcome (*run)(const settings&);
};

constexpr contender contenders[] = {
    {"std::make_unique", with_make_unique},
    {"fixed_pool", [](const settings& asked) { return with_pool(asked, fixed); }},
    {"growing_pool", [](const settings& asked) { return with_pool(asked, growing); }},
    {"growing_pool, recycling", [](const settings& asked) { return with_pool(asked, recycling); }},
    {"growing_pool, deferred", [](const settings& asked) { return with_pool(asked, deferred); }},
};

/// Effects: shows a pool that counts, with the particles that are alive in the last frame.
bool report(const settings& asked) {
    using resource = fastalloc::basic_growing_pool_resource<fastalloc::bitmap_index,
                                                            fastalloc::timing_statistics>;
    fastalloc::object_pool<particle, resource> pool(growing_config());
    std::size_t frame = 0;
    bool is_written = false;
    const auto end_frame = [&] {
        if (++frame != asked.frames) return;
        is_written = asked.report.write("particles", pool, pool.resource());
    };
    simulate(
        asked, [&] { return pool.make(); }, end_frame);
    return is_written;
}

/// Returns: the smallest value that the given part of all values does not exceed.
double quantile(const std::vector<double>& sorted, double part) {
    const auto rank = std::ceil(part * static_cast<double>(sorted.size()));
    return sorted[std::max<std::size_t>(static_cast<std::size_t>(rank), 1) - 1];
}

bool compare(const settings& asked) {
    std::printf("%-24s %10s %10s %10s %10s %10s %17s %7s\n", "frame time, microseconds", "p50",
                "p99", "p99.9", "max", "made", "checksum", "in use");
    bool all_is_well = true;
    std::optional<std::uint64_t> expected;
    for (const contender& c : contenders) {
        outcome all = c.run(asked);
        std::ranges::sort(all.frame_us);
        std::printf("%-24s %10.1f %10.1f %10.1f %10.1f %10zu  %016llx %7s\n", c.name,
                    quantile(all.frame_us, 0.5), quantile(all.frame_us, 0.99),
                    quantile(all.frame_us, 0.999), all.frame_us.back(), all.made,
                    static_cast<unsigned long long>(all.checksum),
                    all.left ? std::to_string(*all.left).c_str() : "-");
        std::fflush(stdout);
        if (!expected) expected = all.checksum;
        all_is_well = all_is_well && all.checksum == *expected && all.left.value_or(0) == 0;
    }
    std::puts(all_is_well ? "All simulations agree, and every particle went home."
                          : "THE SIMULATIONS DISAGREE, OR PARTICLES ARE LEFT.");
    return all_is_well;
}

}  // namespace

int main(int argc, char** argv) {
    settings asked;
    const auto status = parse_options(
        argc, argv, usage,
        {{"--frames", 1'000'000, asked.frames}, {"--per-second", 100'000'000, asked.per_second}},
        {{"--statistics", pool_report::formats, pool_report::is_format, asked.report.format},
         {"--picture", "the name of a file", [](std::string_view name) { return !name.empty(); },
          asked.report.picture}});
    if (status) return *status;
    try {
        return (asked.report.is_wanted() ? report(asked) : compare(asked)) ? 0 : 1;
    } catch (const std::exception& e) {
        std::fprintf(stderr, "particles: the run failed: %s\n", e.what());
        return 1;
    }
}
