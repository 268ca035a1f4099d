// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/config.hpp>
#include <fastalloc/detail/machine.hpp>
#include <fastalloc/error.hpp>
#include <fastalloc/resource/basic_pool_resource.hpp>
#include <fastalloc/resource/class_list.hpp>
#include <fastalloc/storage/magazine.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <memory_resource>
#include <new>
#include <span>
#include <string_view>

namespace fastalloc {

namespace detail {

/// Bytes and alignment of what has been laid out so far.
struct block_extent {
    std::size_t bytes = 0;
    std::size_t alignment = cache_line;

    /// Returns: the offset of `size` more bytes.
    std::size_t add(std::size_t size, std::size_t align) noexcept {
        const std::size_t padded = detail::saturating_add(bytes, align - 1);
        const std::size_t offset = padded & ~(align - 1);
        bytes = padded == detail::size_max ? padded : detail::saturating_add(offset, size);
        alignment = std::max(alignment, align);
        return offset;
    }
};

/// Where the parts of one class are.
struct class_placement {
    std::size_t slots;
    std::size_t record;
    std::size_t reserve;
    std::size_t magazine;
};

struct fixed_layout : block_extent {
    std::size_t pools;
    std::size_t listed;
};

}  // namespace detail

/// Pools whose slots are all reserved when the resource is made. It never asks upstream for slots
/// again: what it can serve, it can serve without a system call.
///
/// By default a request that fits no class is refused with `std::bad_alloc`.
///
/// Thread safety: none. Equality: identity.
template <class Index = bitmap_index, class Collector = no_statistics>
class basic_fixed_pool_resource : public basic_pool_resource<Index, false, Collector> {
    using base = basic_pool_resource<Index, false, Collector>;

public:
    /// What reports call it.
    static constexpr std::string_view type_name = "fixed_pool_resource";

    /// Effects: reserves `config.capacity()` slots, with all bookkeeping, in one block of upstream.
    /// Throws: `invalid_configuration` if no slot size was given or growth is asked for; what
    /// upstream throws.
    explicit basic_fixed_pool_resource(const pool_config& config)
        : basic_fixed_pool_resource(config, std::pmr::get_default_resource()) {}

    basic_fixed_pool_resource(const pool_config& config, std::pmr::memory_resource* upstream)
        : basic_fixed_pool_resource(ordered_tag{}, {&config, 1}, upstream) {}

    /// Effects: as above, with a class for each of `classes`.
    /// Throws: also `invalid_configuration` if there is none or two are alike.
    template <detail::class_list Classes>
    explicit basic_fixed_pool_resource(const Classes& classes)
        : basic_fixed_pool_resource(classes, std::pmr::get_default_resource()) {}

    template <detail::class_list Classes>
    basic_fixed_pool_resource(const Classes& classes, std::pmr::memory_resource* upstream)
        : basic_fixed_pool_resource(ordered_tag{}, detail::in_routing_order(classes), upstream) {}

    /// Effects: puts slots and bookkeeping into `buffer`; there is no upstream.
    /// Preconditions: the buffer outlives the resource.
    /// Throws: `invalid_configuration`, also if the buffer is smaller than
    /// `required_bytes(config)`.
    basic_fixed_pool_resource(std::span<std::byte> buffer, const pool_config& config)
        : base(std::pmr::null_memory_resource(), larger_requests_of({&config, 1})) {
        const std::size_t needed = required_bytes(config);
        if (buffer.size() < needed) {
            detail::throw_invalid("buffer", buffer.size(), "smaller than required_bytes(config)");
        }
        const detail::fixed_layout total = lay_out({&config, 1}, memory::of_caller);
        void* start = buffer.data();
        std::size_t space = buffer.size();
        if (std::align(total.alignment, total.bytes, start, space) == nullptr) {
            detail::throw_invalid("buffer", buffer.size(),
                                  "not aligned well enough for slots of such an alignment");
        }
        build({&config, 1}, memory::of_caller, static_cast<std::byte*>(start));
    }

    /// Bytes of buffer that the constructor above needs: for alignments up to 1 KiB wherever the
    /// buffer begins, for larger ones if it begins at a multiple of the alignment. With the default
    /// index, at most the slots + half a byte a slot + 4 KiB.
    /// Throws: `invalid_configuration` as the constructors.
    static std::size_t required_bytes(const pool_config& config) {
        detail::require_fixed(config);
        const detail::fixed_layout total = lay_out({&config, 1}, memory::of_caller);
        constexpr std::size_t most_slack = 1024;
        return detail::saturating_add(total.bytes, std::min(total.alignment, most_slack) - 1);
    }

    ~basic_fixed_pool_resource() override {
        this->look_for_the_last_time(*this);
        this->release_larger_blocks();
        for (pool_type& p : this->pools()) std::destroy_at(p.close());
    }

    /// Whether there is a class that such a request fits. Complexity: logarithmic in the number of
    /// classes.
    bool has_class_for(std::size_t bytes, std::size_t alignment) const noexcept {
        return this->pool_by_search(bytes, alignment) != nullptr;
    }

    /// Returns: the magazine that serves such requests, in its place as long as the resource; null
    /// if there is no class for them.
    detail::magazine<>* magazine_of(std::size_t bytes, std::size_t alignment) const noexcept
        requires(!Collector::counts && !detail::build::watches_slots) {
        pool_type* const pool = this->pool_by_search(bytes, alignment);
        return pool == nullptr ? nullptr : &pool->ready_slots();
    }

    /// Effects: every slot is free, whoever still uses it; larger blocks are given back. The slots
    /// themselves stay reserved. Complexity: linear in the bookkeeping, not in the slots.
    void release() noexcept {
        this->release_larger_blocks();
        this->forget_all();
        for (pool_type& p : this->pools()) {
            p.clear();
            p.reserve().slabs.restart();
        }
    }

    /// Effects: moves the free slots in the magazines back to the indices, so that the next ones
    /// come in the index's order. Gives nothing back: the slots are reserved.
    void trim() noexcept {
        detail::bad_free bad;
        for (pool_type& p : this->pools()) bad.add(p.flush());
        bad.report();
    }

private:
    using typename base::pool_type;
    using typename base::reserve_type;
    using slab_type = detail::listed_slab<Index>;

    struct ordered_tag {};

    /// Whose the slots and the bookkeeping lie in.
    enum class memory { of_upstream, of_caller };

    basic_fixed_pool_resource(ordered_tag tag, std::span<const pool_config> classes,
                              std::pmr::memory_resource* upstream)
        : basic_fixed_pool_resource(tag, classes, checked_layout(classes), upstream) {}

    basic_fixed_pool_resource(ordered_tag, std::span<const pool_config> classes,
                              const detail::fixed_layout& total,
                              std::pmr::memory_resource* upstream)
        : base(upstream, larger_requests_of(classes)),
          block_(upstream, total.bytes, total.alignment) {
        build(classes, memory::of_upstream, block_.start());
    }

    static detail::fixed_layout checked_layout(std::span<const pool_config> classes) {
        for (const pool_config& c : classes) detail::require_fixed(c);
        const detail::fixed_layout total = lay_out(classes, memory::of_upstream);
        if (total.bytes > detail::largest_request) detail::throw_bad_alloc();
        return total;
    }

    static fastalloc::larger_requests larger_requests_of(std::span<const pool_config> classes) {
        return detail::agreed_larger_requests(classes, fastalloc::larger_requests::refuse);
    }

    // Large enough for runs of frees in random order. In memory of upstream, an eighth of the slots'
    // bytes; in a caller's, with a bitmap, this and the bits stay within half a byte a slot + 4 KiB.
    static std::size_t magazine_slots(const pool_config& c, memory whose) noexcept {
        const std::size_t share =
            whose == memory::of_upstream
                ? detail::saturating_multiply(c.slot_size(), c.capacity()) / (8 * sizeof(void*))
                : c.capacity() / 32;
        const std::size_t wanted = std::clamp<std::size_t>(share, 256, detail::largest_magazine);
        return std::min(wanted, std::max<std::size_t>(c.capacity(), 2));
    }

    /// The slots of all classes come first, then the books.
    template <class Place>
    static detail::fixed_layout lay_out(std::span<const pool_config> classes, memory whose,
                                        Place place) {
        detail::block_extent slots;
        for (const pool_config& c : classes) add_slots(slots, c);
        detail::fixed_layout all{slots, 0, 0};
        all.pools = all.add(sizeof(pool_type) * classes.size(), alignof(pool_type));
        all.listed =
            all.add(sizeof(detail::size_class) * classes.size(), alignof(detail::size_class));
        slots = {};
        for (std::size_t i = 0; i != classes.size(); ++i) {
            const pool_config& c = classes[i];
            const auto count = static_cast<slot_number>(c.capacity());
            detail::class_placement at{};
            at.slots = add_slots(slots, c);
            at.record = all.add(slab_type::record_bytes(count), slab_type::record_alignment);
            at.reserve = all.add(sizeof(reserve_type), alignof(reserve_type));
            at.magazine = all.add(magazine_slots(c, whose) * sizeof(void*), alignof(void*));
            place(i, at);
        }
        return all;
    }

    static detail::fixed_layout lay_out(std::span<const pool_config> classes, memory whose) {
        return lay_out(classes, whose, [](std::size_t, const detail::class_placement&) {});
    }

    static std::size_t add_slots(detail::block_extent& slots, const pool_config& c) noexcept {
        const detail::slot_geometry geometry(c.slot_size(), c.alignment());
        return slots.add(detail::saturating_multiply(geometry.stride(), c.capacity()),
                         c.alignment());
    }

    void build(std::span<const pool_config> classes, memory whose, std::byte* start) {
        const detail::fixed_layout total = lay_out(classes, whose);
        if (std::ranges::any_of(classes, &pool_config::pre_initialize)) {
            detail::touch_pages(start, total.bytes);
        }
        auto* const pools = ::new (start + total.pools) pool_type[classes.size()];
        auto* const listed = ::new (start + total.listed) detail::size_class[classes.size()];
        lay_out(classes, whose, [&](std::size_t i, const detail::class_placement& at) {
            const pool_config& c = classes[i];
            const auto count = static_cast<slot_number>(c.capacity());
            const detail::slot_geometry geometry(c.slot_size(), c.alignment());
            auto* const reserve = ::new (start + at.reserve) reserve_type(
                geometry, this->upstream_resource(), this,
                reinterpret_cast<void**>(start + at.magazine), magazine_slots(c, whose));
            reserve->slabs.adopt(start + at.slots, count, start + at.record);
            pools[i].open(reserve);
            listed[i] = {c.slot_size(), c.alignment()};
        });
        this->route_by({pools, {{listed, classes.size()}}});
    }

    bool grow_slow(pool_type& pool) final {
        pool.counts().failed(allocation_failure::exhausted);
        return false;
    }

    detail::upstream_block block_;  // empty where the buffer is the caller's
};

using fixed_pool_resource = basic_fixed_pool_resource<>;

extern template class FASTALLOC_EXPORT basic_fixed_pool_resource<bitmap_index>;
extern template class FASTALLOC_EXPORT basic_fixed_pool_resource<free_list_index>;
extern template class FASTALLOC_EXPORT basic_fixed_pool_resource<stack_index>;

}  // namespace fastalloc
