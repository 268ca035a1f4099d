// SPDX-License-Identifier: MIT
#pragma once

#include "faults/harness.hpp"
#include "support/blocks.hpp"

#include <fastalloc/fastalloc.hpp>

#include <cstddef>
#include <memory_resource>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <vector>

namespace fastalloc::testing::faults {

/// How a resource is made.
enum class form { single, custom_growth, list, drop_in };

/// What it has gone through.
enum class history {
    none,
    used,           // there are free slots
    full,           // the next request grows
    other_threads,  // others have left wishes, or blocks
};

struct resource_parameter {
    form how;
    history before;
    std::string name;
};

inline pool_config::builder_type slots(std::size_t size) {
    return pool_config::builder().slot_size(size).capacity(8);
}

/// What must not change when an operation fails.
struct observed_resource {
    std::size_t in_use;
    std::size_t capacity;
    std::size_t growth_count;
    std::optional<pool_statistics> counted;

    template <class Resource>
    static observed_resource of(const Resource& r) {
        observed_resource o{r.in_use(), r.capacity(), r.growth_count(), {}};
        if constexpr (Resource::collector_type::counts) o.counted = r.statistics();
        return o;
    }

    bool is_as(const observed_resource& after, bool may_grow) const {
        if (after.in_use != in_use) return false;
        if (may_grow ? after.capacity < capacity : after.capacity != capacity) return false;
        if (may_grow ? after.growth_count < growth_count : after.growth_count != growth_count) {
            return false;
        }
        return !counted || (after.counted->current == counted->current &&
                            after.counted->larger_current == counted->larger_current &&
                            after.counted->allocations - counted->allocations ==
                                after.counted->deallocations - counted->deallocations);
    }

    bool failures_until(const observed_resource& after, std::size_t least, std::size_t most) const {
        if (!counted) return true;
        const std::size_t more = after.counted->failures.total() - counted->failures.total();
        return more >= least && more <= most;
    }
};

template <class Resource>
constexpr bool is_fixed = Resource::type_name == std::string_view("fixed_pool_resource");

/// Effects: makes a resource in `place`.
template <class Resource>
void make_resource(std::optional<Resource>& place, form how, std::pmr::memory_resource* up) {
    if constexpr (is_fixed<Resource>) {
        const auto with = [](std::size_t size) {
            return slots(size).capacity(300).larger_requests(larger_requests::to_upstream).build();
        };
        if (how == form::list) {
            place.emplace(std::vector{with(64), with(256)}, up);
        } else {
            place.emplace(with(64), up);
        }
    } else {
        switch (how) {
            case form::single:
                place.emplace(slots(64).build(), up);
                break;
            case form::custom_growth:
                place.emplace(slots(64)
                                  .growth(growth_strategy::custom([](std::size_t) {
                                      pass(source::growth_function);
                                      return std::size_t{8};
                                  }))
                                  .build(),
                              up);
                break;
            case form::list:
                place.emplace(std::vector{slots(64).build(), slots(256).build()}, up);
                break;
            case form::drop_in:
                place.emplace(up);
                break;
        }
    }
}

template <class Resource>
class resource_world {
public:
    using parameter_type = resource_parameter;
    static constexpr source sources[] = {source::upstream, source::operator_new,
                                         source::growth_function};

    resource_world(std::pmr::memory_resource* up, unsigned seed, const resource_parameter& p)
        : upstream(up), how(p.how), random(seed) {
        make_resource(own_, p.how, up);
        live_.emplace(*own_);
        grow_to(p.before);
        ready = own_->capacity() == 0 ? nullptr : own_->allocate(64, 8);
    }

    ~resource_world() {
        if (ready != nullptr) own_->deallocate(ready, 64, 8);
    }

    static std::vector<resource_parameter> parameters() {
        std::vector<resource_parameter> all;
        for (const form how : {form::single, form::custom_growth, form::list, form::drop_in}) {
            if (is_fixed<Resource> && how != form::single && how != form::list) continue;
            const char* forms[] = {"single", "custom growth", "list", "drop-in"};
            const char* histories[] = {"new", "used", "full", "used by other threads"};
            for (std::size_t h = 0; h != 4; ++h) {
                const auto before = static_cast<history>(h);
                if (is_fixed<Resource> && before == history::full) continue;
                if (Resource::used_by == detail::threads::one && before == history::other_threads) {
                    continue;
                }
                all.push_back(
                    {how, before,
                     std::string(forms[static_cast<std::size_t>(how)]) + ", " + histories[h]});
            }
        }
        return all;
    }

    Resource& resource() { return *own_; }

    observed_resource observe() const { return observed_resource::of(*own_); }

    bool in_order() const { return own_->invariants_hold() && live_->intact(); }

    /// Effects: allocates, fills and remembers.
    void allocate(std::size_t bytes, std::size_t alignment) {
        live_->add(own_->allocate(bytes, alignment), bytes, alignment);
    }

    /// The same by `try_allocate`. Returns: whether there was memory.
    bool try_allocate(std::size_t bytes, std::size_t alignment) {
        void* const p = own_->try_allocate(bytes, alignment);
        if (p != nullptr) live_->add(p, bytes, alignment);
        return p != nullptr;
    }

    live_blocks<Resource>& live() { return *live_; }

    std::pmr::memory_resource* const upstream;
    const form how;
    std::mt19937 random;
    void* ready = nullptr;  // a block that a row may give back; null: there is none

private:
    // So that what a row adds is not what a fault is about.
    static constexpr std::size_t most_live = 4'000;

    void grow_to(history before) {
        live_->reserve(most_live);
        if (before == history::none) return;
        const std::size_t count = 20 + random() % 60;
        // All of one class, so that no other has slots left.
        for (std::size_t i = 0; i != count; ++i) allocate(57 + random() % 8, 8);
        for (std::size_t i = 0; i != count / 2; ++i) live_->deallocate_any(random);
        if (before == history::full) {
            while (own_->available() != 0) allocate(64, 8);
            if (own_->capacity() == 0) return;
        }
        if (before == history::other_threads) use_in_other_threads();
    }

    void use_in_other_threads() {
        void* const p = own_->allocate(64, 8);
        void* left = nullptr;
        std::thread([&] {
            if (Resource::used_by == detail::threads::all) own_->deallocate(p, 64, 8);
            left = own_->allocate(64, 8);
        }).join();
        if (Resource::used_by != detail::threads::all) own_->deallocate(p, 64, 8);
        own_->deallocate(left, 64, 8);
    }

    std::optional<Resource> own_;
    std::optional<live_blocks<Resource>> live_;
};

}  // namespace fastalloc::testing::faults
