// SPDX-License-Identifier: MIT
#pragma once

#include "fuzz/object_steps.hpp"
#include "fuzz/plan.hpp"
#include "fuzz/world.hpp"

#include <fastalloc/error.hpp>

#include <concepts>
#include <cstddef>
#include <memory_resource>
#include <new>
#include <optional>
#include <span>
#include <vector>

namespace fastalloc::fuzz {

/// The resource under test, made as the input says, and the typed pool that draws on it or owns it.
template <class Resource, class Pool>
class subject {
    static constexpr bool can_grow =
        std::constructible_from<Resource, const std::pmr::pool_options&,
                                std::pmr::memory_resource*>;
    static constexpr bool takes_a_buffer =
        std::constructible_from<Resource, std::span<std::byte>, const pool_config&>;

public:
    explicit subject(world& w) : w_(w) {
        w.what = read_plan(w.in, {can_grow, takes_a_buffer}, w, sizeof(object), alignof(object));
    }

    /// Effects: makes the resource. Returns: false if upstream refused.
    bool make(timing when) {
        try {
            make_as_planned(when);
        } catch (const std::bad_alloc&) {
            w_.counts.count(event::constructor_failed);
            w_.found.require(w_.upstream_refused(), "not made without a cause");
            w_.found.require_equal(w_.upstream.checked().blocks_out(), 0,
                                   "blocks left of upstream by a constructor");
            return false;
        }
        return true;
    }

    Resource& resource() { return pool_owns_ ? pool_->resource() : *own_; }

    Pool* pool() { return pool_ ? &*pool_ : nullptr; }
    const Pool* pool() const { return pool_ ? &*pool_ : nullptr; }

    bool owns_through_pool() const { return pool_owns_; }

    /// Effects: a pool draws on the resource. Returns: false if it has no class for objects.
    bool make_pool(timing when) {
        try {
            pool_.emplace(*own_, initialization_of(when, w_));
        } catch (const invalid_configuration&) {
            w_.found.require(w_.classes.class_of(sizeof(object), alignof(object)) == no_class,
                             "no pool where there is a class");
            return false;
        }
        return true;
    }

    void drop_pool() { pool_.reset(); }

    void drop_all() {
        pool_.reset();
        own_.reset();
    }

    classes_model classes() {
        if constexpr (can_grow) {
            if (w_.what.how == form::drop_in) {
                const std::pmr::pool_options resolved = resource().options();
                return {resolved.largest_required_pool_block, resolved.max_blocks_per_chunk};
            }
        }
        return classes_model(w_.what.classes);
    }

    /// Effects: finds whether somebody wrote beside the buffer.
    void check_buffer(findings& found) const {
        if (memory_.empty()) return;
        bool intact = true;
        for (const std::byte& b : memory_) {
            const bool is_beside = &b < buffer_.data() || &b >= buffer_.data() + buffer_.size();
            if (is_beside) intact = intact && b == beside;
        }
        found.require(intact, "written beside the buffer");
    }

private:
    static constexpr std::byte beside{0xb5};

    void make_as_planned(timing when) {
        const std::vector<pool_config>& configs = w_.what.configs;
        std::pmr::memory_resource* const upstream = &w_.upstream;
        switch (w_.what.how) {
            case form::one_class:
                w_.counts.count(event::one_class);
                own_.emplace(configs.front(), upstream);
                break;
            case form::classes:
                w_.counts.count(event::with_classes);
                own_.emplace(configs, upstream);
                break;
            case form::drop_in:
                w_.counts.count(event::drop_in);
                if constexpr (can_grow) own_.emplace(w_.what.options, upstream);
                break;
            case form::buffer:
                w_.counts.count(event::in_a_buffer);
                if constexpr (takes_a_buffer) own_.emplace(make_buffer(), configs.front());
                break;
            case form::owned_by_pool:
                w_.counts.count(event::pool_owns_resource);
                pool_.emplace(configs.front(), initialization_of(when, w_), upstream);
                pool_owns_ = true;
                break;
        }
    }

    // Returns: just as much as is asked for, beginning anywhere; for large alignments, where that is
    // required, at a multiple.
    std::span<std::byte> make_buffer() {
        const pool_config& config = w_.what.configs.front();
        const std::size_t bytes = Resource::required_bytes(config);
        const std::size_t most = config.alignment() > 1024 ? config.alignment() : 64;
        memory_.assign(bytes + 2 * most, beside);
        std::byte* begin = memory_.data() + w_.in.byte() % 64;
        if (config.alignment() > 1024) {
            void* p = memory_.data();
            std::size_t space = memory_.size();
            begin = static_cast<std::byte*>(std::align(config.alignment(), bytes, p, space));
        }
        buffer_ = {begin, bytes};
        return buffer_;
    }

    world& w_;
    std::vector<std::byte> memory_;
    std::span<std::byte> buffer_;
    std::optional<Resource> own_;
    std::optional<Pool> pool_;
    bool pool_owns_ = false;
};

}  // namespace fastalloc::fuzz
