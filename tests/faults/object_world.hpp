// SPDX-License-Identifier: MIT
#pragma once

#include "faults/harness.hpp"
#include "faults/resource_world.hpp"

#include <fastalloc/fastalloc.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory_resource>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace fastalloc::testing::faults {

/// An object of which everything may fail that may.
class subject {
public:
    subject() : subject(0) {}

    explicit subject(int value) : value_(value) {
        pass(source::constructor);
        ++alive();
    }

    subject(const subject&) = delete;
    subject& operator=(const subject&) = delete;
    ~subject() {
        --alive();
        value_ = -1;
    }

    void on_acquire() { pass(source::hook); }
    void on_release() noexcept { value_ = -2; }

    void reset() {
        pass(source::reset_function);
        value_ = 0;
    }

    int value() const { return value_; }

    static std::size_t& alive() {
        static std::size_t count = 0;
        return count;
    }

private:
    int value_;
    [[maybe_unused]] std::array<int, 9> rest_{};
};

/// When objects are constructed.
enum class when { lazy, eager, recycling, deferred };

inline initialization<subject> initialization_of(when w) {
    const auto make = [] {
        pass(source::init_function);
        return subject(0);
    };
    switch (w) {
        case when::eager:
            return initialization<subject>::eager(make);
        case when::recycling:
            return initialization<subject>::recycling(make, [](subject& s) { s.reset(); });
        case when::deferred:
            return initialization<subject>::deferred();
        default:
            return initialization<subject>::lazy();
    }
}

struct object_parameter {
    when constructed;
    bool owns;  // its resource
    form how;
    history before;
    std::string name;
};

struct observed_objects {
    observed_resource resource;
    std::size_t in_use;
    std::optional<object_statistics> counted;

    bool is_as(const observed_objects& after, bool may_grow) const {
        if (after.in_use != in_use) return false;
        if (counted &&
            (after.counted->alive != counted->alive ||
             after.counted->made - counted->made != after.counted->dropped - counted->dropped)) {
            return false;
        }
        return may_grow ? after.resource.capacity >= resource.capacity
                        : after.resource.capacity == resource.capacity;
    }

    bool failures_until(const observed_objects& after, std::size_t least, std::size_t most) const {
        return resource.failures_until(after.resource, least, most);
    }
};

template <class Resource>
class object_world {
public:
    using pool_type = object_pool<subject, Resource>;
    using parameter_type = object_parameter;
    static constexpr source sources[] = {
        source::upstream,        source::operator_new,  source::constructor,    source::hook,
        source::growth_function, source::init_function, source::reset_function,
    };

    object_world(std::pmr::memory_resource* up, unsigned seed, const object_parameter& p)
        : upstream(up), parameter(p), alive_before_(subject::alive()), random_(seed) {
        if (p.owns) {
            own_.emplace(config(p.how), initialization_of(p.constructed), up);
        } else {
            make_resource(below_, p.how, up);
            own_.emplace(*below_, initialization_of(p.constructed));
        }
        owned.reserve(most_handles);
        shared.reserve(most_handles);
        weak.reserve(most_handles);
        keys.reserve(most_handles);
        use(p.before);
    }

    ~object_world() {
        owned.clear();
        shared.clear();
        own_.reset();
        below_.reset();
        leaks() += subject::alive() != alive_before_;
    }

    /// Worlds that objects outlived.
    static std::size_t& leaks() {
        static std::size_t count = 0;
        return count;
    }

    static std::vector<object_parameter> parameters() {
        std::vector<object_parameter> all;
        const char* names[] = {"lazy", "eager", "recycling", "deferred"};
        for (std::size_t w = 0; w != 4; ++w) {
            for (const bool owns : {true, false}) {
                for (const form how : {form::single, form::custom_growth}) {
                    if (is_fixed<Resource> && how != form::single) continue;
                    for (const history before : {history::none, history::used, history::full}) {
                        if (is_fixed<Resource> && before == history::full) continue;
                        all.push_back({static_cast<when>(w), owns, how, before,
                                       std::string(names[w]) + (owns ? ", own" : ", of others") +
                                           (how == form::single ? "" : ", custom growth") +
                                           (before == history::none   ? ", new"
                                            : before == history::used ? ", used"
                                                                      : ", full")});
                    }
                }
            }
        }
        return all;
    }

    static pool_config config(form how) {
        auto builder = pool_config::builder().capacity(is_fixed<Resource> ? 300 : 8);
        if (how == form::custom_growth) {
            builder.growth(growth_strategy::custom([](std::size_t) {
                pass(source::growth_function);
                return std::size_t{8};
            }));
        }
        return builder.build();
    }

    pool_type& pool() { return *own_; }

    observed_objects observe() const {
        observed_objects o{observed_resource::of(own_->resource()), own_->in_use(), {}};
        if constexpr (Resource::collector_type::counts) o.counted = own_->statistics();
        return o;
    }

    bool in_order() const {
        const auto is_new = [](const auto& handle) { return handle->value() == 0; };
        if (leaks() != 0 || !own_->invariants_hold()) return false;
        if (!std::ranges::all_of(owned, is_new) || !std::ranges::all_of(shared, is_new))
            return false;
        for (std::size_t i = 0; i != weak.size(); ++i) {
            if (weak[i].lock() != shared[i]) return false;
        }
        // A key finds its object, or, when that is gone, nothing.
        return std::ranges::all_of(keys, [this](const auto& k) {
            const subject* const found = own_->find(k.first);
            return found == nullptr || found == k.second;
        });
    }

    std::pmr::memory_resource* const upstream;
    const object_parameter parameter;
    std::vector<owned_handle<subject>> owned;    // none of them empty
    std::vector<shared_handle<subject>> shared;  // as many, or more
    std::vector<weak_handle<subject>> weak;      // of the first of these
    std::vector<std::pair<object_key, const subject*>> keys;

private:
    static constexpr std::size_t most_handles = 2'000;

    void use(history before) {
        if (before == history::none) return;
        const std::size_t count = 10 + random_() % 20;
        for (std::size_t i = 0; i != count; ++i) {
            owned.push_back(own_->make());
            if (i % 3 == 0) keys.emplace_back(own_->key_of(owned.back()), owned.back().get());
            shared.push_back(own_->make_shared());
            weak.emplace_back(shared.back());
        }
        for (std::size_t i = 0; i != count / 2; ++i) {
            std::swap(owned[random_() % owned.size()], owned.back());
            owned.pop_back();
            if (i % 2 == 0) continue;
            // A weak handle of something that is gone, which the next object's takes the place of.
            const std::size_t n = random_() % weak.size();
            shared[n] = own_->make_shared();
            if (weak[n].lock() != nullptr) ++leaks();
            weak[n] = shared[n];
        }
        if (before != history::full) return;
        own_->drain();
        while (own_->available() != 0) owned.push_back(own_->make());
    }

    std::optional<Resource> below_;
    std::optional<pool_type> own_;
    const std::size_t alive_before_;
    std::mt19937 random_;
};

}  // namespace fastalloc::testing::faults
