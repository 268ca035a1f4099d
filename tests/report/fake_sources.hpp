// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/latency_histogram.hpp>
#include <fastalloc/statistics.hpp>

#include <cstdint>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

namespace fastalloc::testing {

// Sources whose numbers are all different, and so are found in a report where they belong.

struct fake_resource {
    static constexpr std::string_view type_name = "fake_resource";

    pool_statistics numbers;
    std::vector<class_statistics> classes;

    pool_statistics statistics() const { return numbers; }

    template <class F>
    void for_each_class(F f) const {
        for (const class_statistics& one : classes) f(one);
    }
};

struct fake_timed_resource : fake_resource {
    static constexpr std::string_view type_name = "fake_timed_resource";

    latency_statistics times;

    latency_statistics latency() const { return times; }
};

struct fake_object_pool {
    object_statistics numbers;
    fake_resource slots;

    object_statistics statistics() const { return numbers; }
    const fake_resource& resource() const { return slots; }
};

struct fake_adaptor {
    request_statistics numbers;

    request_statistics statistics() const { return numbers; }
};

struct fake_timed_adaptor : fake_adaptor {
    latency_statistics times;

    latency_statistics latency() const { return times; }
};

struct fake_pages {
    static constexpr std::string_view type_name = "fake_pages";

    page_statistics numbers;

    page_statistics statistics() const { return numbers; }
};

inline slot_statistics some_slots(std::uint64_t base) {
    slot_statistics s;
    s.allocations = base + 800;
    s.deallocations = base + 702;
    s.misses = base / 10 + 3;
    s.growth_count = base + 4;
    s.failures = {base + 11, base + 12, base + 13, base + 14};
    s.current = base + 105;
    s.peak = base + 306;
    s.capacity = base + 407;
    return s;
}

inline class_statistics a_class(std::size_t slot_size, std::size_t alignment, std::uint64_t base) {
    class_statistics c;
    static_cast<slot_statistics&>(c) = some_slots(base);
    c.slot_size = slot_size;
    c.alignment = alignment;
    return c;
}

inline fake_resource a_resource() {
    fake_resource r;
    static_cast<slot_statistics&>(r.numbers) = some_slots(50'000);
    r.numbers.current_bytes = 1'536;
    r.numbers.capacity_bytes = 3'221'225'472;
    r.numbers.larger_allocations = 71;
    r.numbers.larger_deallocations = 62;
    r.numbers.larger_current = 9;
    r.classes = {a_class(64, 16, 10'000), a_class(64, 64, 20'000), a_class(4'096, 32, 30'000)};
    return r;
}

inline fake_timed_resource a_timed_resource() {
    fake_timed_resource r;
    static_cast<fake_resource&>(r) = a_resource();
    // The longest of their buckets, so they are reported as they are.
    r.times.allocate.record(15, 500);
    r.times.allocate.record(127, 400);
    r.times.allocate.record(1'023, 90);
    r.times.allocate.record(8'191, 9);
    r.times.allocate.record(65'535, 1);
    r.times.deallocate.record(7, 3);
    return r;
}

inline fake_object_pool an_object_pool() { return {{201, 152, 49, 63, 17}, a_resource()}; }

inline fake_pages some_pages() {
    return {{5'001, 9'437'184, 6'291'456, 4'194'304, 2'097'152, 3, 4, 1}};
}

inline fake_adaptor an_adaptor() { return {{901, 802, 3, 99, 104, 2'048, 4'096, 1'025, 65'537}}; }

}  // namespace fastalloc::testing
