// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/config.hpp>
#include <fastalloc/detail/machine.hpp>
#include <fastalloc/error.hpp>
#include <fastalloc/resource/basic_pool_resource.hpp>
#include <fastalloc/resource/class_list.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <memory_resource>
#include <new>
#include <span>
#include <vector>

namespace fastalloc {

namespace detail {

/// Returns: the options with each value that is left out, or out of range, replaced.
FASTALLOC_EXPORT std::pmr::pool_options resolved(const std::pmr::pool_options& options) noexcept;

/// Returns: slots that the configuration adds to a pool that has `current`, no more than its cap
/// leaves room for and one slab can hold; 0 if the pool is exhausted. Throws: what a custom growth
/// function throws.
FASTALLOC_EXPORT slot_number configured_growth(const pool_config& config, std::size_t current);

/// Returns: `resource.allocate(bytes, alignment)`. Out of line, because g++ 12 with sanitizers knows
/// the type of a `monotonic_buffer_resource` and then calls a function of it that no library exports.
FASTALLOC_EXPORT void* allocate_from(std::pmr::memory_resource& resource, std::size_t bytes,
                                     std::size_t alignment);

}  // namespace detail

/// Pools that grow by whole slabs.
///
/// Made from a `pool_config` or a list of them, it has exactly those classes, each of which grows
/// by its strategy up to its cap. Made like `std::pmr::unsynchronized_pool_resource`, which it can
/// replace, it serves every size: in classes up to `options().largest_required_pool_block`, from
/// upstream above. By default a request that fits no class goes to upstream either way.
///
/// Memory is obtained when it is first needed: no constructor calls upstream, and the drop-in
/// constructors do not allocate at all. Upstream gets memory back by `trim()`, `release()` and the
/// destructor only, larger blocks also by `deallocate`.
///
/// Thread safety: none. Equality: identity.
template <class Index = bitmap_index>
class basic_growing_pool_resource : public basic_pool_resource<Index, true> {
    using base = basic_pool_resource<Index, true>;

public:
    /// Effects: one class, as configured. Throws: `invalid_configuration` if it has no slot size.
    explicit basic_growing_pool_resource(const pool_config& config)
        : basic_growing_pool_resource(config, std::pmr::get_default_resource()) {}

    basic_growing_pool_resource(const pool_config& config, std::pmr::memory_resource* upstream)
        : basic_growing_pool_resource(std::span(&config, 1), upstream) {}

    /// Effects: a class for each of `classes`. Throws: `invalid_configuration` if there is none,
    /// one has no slot size, or two are alike.
    template <detail::class_list Classes>
    explicit basic_growing_pool_resource(const Classes& classes)
        : basic_growing_pool_resource(classes, std::pmr::get_default_resource()) {}

    template <detail::class_list Classes>
    basic_growing_pool_resource(const Classes& classes, std::pmr::memory_resource* upstream)
        : base(upstream,
               detail::agreed_larger_requests(classes, fastalloc::larger_requests::to_upstream)),
          classes_(detail::in_routing_order(classes)),
          options_{0, classes_.back().slot_size()},
          books_(books_block, upstream) {}

    /// As `std::pmr::unsynchronized_pool_resource`.
    basic_growing_pool_resource() noexcept
        : basic_growing_pool_resource(std::pmr::pool_options{}) {}

    explicit basic_growing_pool_resource(std::pmr::memory_resource* upstream) noexcept
        : basic_growing_pool_resource(std::pmr::pool_options{}, upstream) {}

    explicit basic_growing_pool_resource(const std::pmr::pool_options& options) noexcept
        : basic_growing_pool_resource(options, std::pmr::get_default_resource()) {}

    basic_growing_pool_resource(const std::pmr::pool_options& options,
                                std::pmr::memory_resource* upstream) noexcept
        : base(upstream, fastalloc::larger_requests::to_upstream),
          options_(detail::resolved(options)),
          books_(books_block, upstream) {}

    ~basic_growing_pool_resource() override { release(); }

    /// Returns: what the drop-in constructors made of their options. Of a resource made from
    /// classes: the largest slot size; and 0 blocks per chunk, for its growth strategies decide
    /// that.
    std::pmr::pool_options options() const noexcept { return options_; }

    /// Effects: gives back all memory, whoever still uses it. The resource is as it was made;
    /// growth begins again from the initial capacity. Complexity: linear in the number of slabs.
    void release() noexcept;

    /// Effects: empties the magazines and gives back each slab that holds no live block.
    /// Complexity: linear in the number of slabs.
    void trim() noexcept;

private:
    using typename base::pool_type;
    using typename base::reserve_type;

    static constexpr std::size_t books_block = 4096;  // bytes, to begin with

    bool is_drop_in() const noexcept { return classes_.empty(); }

    detail::slot_geometry geometry_of(std::size_t index) const noexcept;
    slot_number next_slab_slots(const pool_type& pool, std::size_t index) const;
    slot_number drop_in_slab_slots(const detail::slab_set<Index>& slabs) const noexcept;
    void open_pool(pool_type& pool, std::size_t index);

    void list_classes_slow() final;
    bool grow_slow(pool_type& pool) final;

    std::vector<pool_config> classes_;  // in routing order; empty: a drop-in resource
    std::pmr::pool_options options_;
    std::pmr::monotonic_buffer_resource books_;  // the pools, their reserves, the listed classes
};

using growing_pool_resource = basic_growing_pool_resource<>;
using unsynchronized_pool_resource = growing_pool_resource;

template <class Index>
void basic_growing_pool_resource<Index>::list_classes_slow() {
    const std::size_t count = is_drop_in() ? detail::natural::pool_count : classes_.size();
    auto* const pools =
        ::new (detail::allocate_from(books_, count * sizeof(pool_type), alignof(pool_type)))
            pool_type[count];
    if (is_drop_in()) {
        this->route_by({std::span<pool_type, detail::natural::pool_count>(pools, count),
                        options_.largest_required_pool_block});
    } else {
        auto* const listed =
            ::new (detail::allocate_from(books_, count * sizeof(detail::size_class),
                                         alignof(detail::size_class))) detail::size_class[count];
        for (std::size_t i = 0; i != count; ++i) {
            listed[i] = {classes_[i].slot_size(), classes_[i].alignment()};
        }
        this->route_by(
            {std::span(pools, count), std::span<const detail::size_class>(listed, count)});
    }
}

template <class Index>
bool basic_growing_pool_resource<Index>::grow_slow(pool_type& pool) {
    const auto index = static_cast<std::size_t>(&pool - this->pools().data());
    if (!pool.is_open()) open_pool(pool, index);
    const std::size_t capacity = pool.capacity();
    const slot_number slots = next_slab_slots(pool, index);
    // A custom growth function may have used the pool: then the caller looks again.
    if (!pool.empty() || pool.slabs().available() != 0 || pool.capacity() != capacity) return true;
    if (slots == 0) return false;
    pool.slabs().grow(slots);
    if (capacity != 0) this->count_growth();
    return true;
}

template <class Index>
slot_number basic_growing_pool_resource<Index>::next_slab_slots(const pool_type& pool,
                                                                std::size_t index) const {
    if (is_drop_in()) return drop_in_slab_slots(pool.slabs());
    return detail::configured_growth(classes_[index], pool.capacity());
}

// Slabs of an eighth of what the class holds keep both their number and the unused memory small. The
// first ones are smaller than a page: a short-lived resource uses few slots of many classes.
template <class Index>
slot_number basic_growing_pool_resource<Index>::drop_in_slab_slots(
    const detail::slab_set<Index>& slabs) const noexcept {
    constexpr std::size_t first_block = 1024;
    const std::size_t slot_size = slabs.geometry().slot_size();
    const std::size_t held = slabs.capacity() * slot_size;
    const std::size_t target = std::max(held / 8, std::clamp(held, first_block, detail::page));
    const std::size_t most = options_.max_blocks_per_chunk;
    const auto estimate = static_cast<slot_number>(std::min(target / slot_size, most));
    const std::size_t record = detail::slab<Index>::record_bytes(estimate);
    const std::size_t fitting = target > record ? (target - record) / slot_size : 0;
    return static_cast<slot_number>(std::min(std::max<std::size_t>(fitting, 2), most));
}

template <class Index>
detail::slot_geometry basic_growing_pool_resource<Index>::geometry_of(
    std::size_t index) const noexcept {
    if (!is_drop_in()) return {classes_[index].slot_size(), classes_[index].alignment()};
    const detail::size_class c = detail::natural::class_of_pool(index);
    return {c.slot_size, c.alignment};
}

template <class Index>
void basic_growing_pool_resource<Index>::open_pool(pool_type& pool, std::size_t index) {
    std::pmr::memory_resource* const upstream = this->upstream_resource();
    const bool pre_initialize = !is_drop_in() && classes_[index].pre_initialize();
    void* const memory = detail::allocate_from(books_, sizeof(reserve_type), alignof(reserve_type));
    pool.open(::new (memory) reserve_type(geometry_of(index), upstream, pre_initialize));
}

template <class Index>
void basic_growing_pool_resource<Index>::release() noexcept {
    this->release_larger_blocks();
    this->restart_growth_count();
    for (pool_type& pool : this->pools()) {
        if (reserve_type* const reserve = pool.close()) std::destroy_at(reserve);
    }
    this->route_by({});
    books_.release();
}

template <class Index>
void basic_growing_pool_resource<Index>::trim() noexcept {
    for (pool_type& pool : this->pools()) {
        if (!pool.is_open()) continue;
        pool.flush();
        pool.slabs().trim();
        if (pool.capacity() == 0) pool.open(pool.close());
    }
}

extern template class FASTALLOC_EXPORT basic_growing_pool_resource<bitmap_index>;
extern template class FASTALLOC_EXPORT basic_growing_pool_resource<free_list_index>;
extern template class FASTALLOC_EXPORT basic_growing_pool_resource<stack_index>;

}  // namespace fastalloc
