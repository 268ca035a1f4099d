// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/detail/align.hpp>
#include <fastalloc/error.hpp>

#include <boost/container/pmr/memory_resource.hpp>

#include <cstddef>
#include <cstring>
#include <memory_resource>

namespace fastalloc {

/// A resource of the standard as one of Boost.Container. It refers to the resource, which must
/// outlive it.
class boost_resource final : public boost::container::pmr::memory_resource {
public:
    explicit boost_resource(std::pmr::memory_resource& adapted) noexcept : adapted_(&adapted) {}

    std::pmr::memory_resource& adapted() const noexcept { return *adapted_; }

protected:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        return adapted_->allocate(bytes, alignment);
    }

    void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) override {
        adapted_->deallocate(p, bytes, alignment);
    }

    bool do_is_equal(const boost::container::pmr::memory_resource& other) const noexcept override {
        return this == &other;
    }

private:
    std::pmr::memory_resource* adapted_;
};

/// A resource of Boost.Container as one of the standard. It refers to the resource, which must
/// outlive it.
///
/// Boost's own resources do not all keep an alignment above `alignof(std::max_align_t)`. A request
/// for more is therefore made larger and aligned here; it costs `alignment` more bytes.
class std_resource final : public std::pmr::memory_resource {
public:
    explicit std_resource(boost::container::pmr::memory_resource& adapted) noexcept
        : adapted_(&adapted) {}

    boost::container::pmr::memory_resource& adapted() const noexcept { return *adapted_; }

protected:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        if (alignment <= kept_alignment) return adapted_->allocate(at_least_one(bytes), alignment);
        const std::size_t larger = detail::saturating_add(bytes, alignment);
        if (larger == detail::size_max) detail::throw_bad_alloc();
        auto* const start = static_cast<std::byte*>(adapted_->allocate(larger, kept_alignment));
        // The block is aligned to kept_alignment, so the gap, never empty, holds its start.
        const std::size_t gap = alignment - detail::address(start) % alignment;
        std::byte* const aligned = start + gap;
        std::memcpy(aligned - sizeof start, &start, sizeof start);
        return aligned;
    }

    void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) override {
        if (alignment <= kept_alignment) {
            return adapted_->deallocate(p, at_least_one(bytes), alignment);
        }
        std::byte* start = nullptr;
        std::memcpy(&start, static_cast<std::byte*>(p) - sizeof start, sizeof start);
        adapted_->deallocate(start, bytes + alignment, kept_alignment);
    }

    bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
        return this == &other;
    }

private:
    // A resource of Boost may answer zero bytes with null, one of the standard never.
    static std::size_t at_least_one(std::size_t bytes) noexcept { return bytes + (bytes == 0); }

    static constexpr std::size_t kept_alignment = alignof(std::max_align_t);
    static_assert(kept_alignment >= sizeof(void*));

    boost::container::pmr::memory_resource* adapted_;
};

inline boost_resource as_boost_resource(std::pmr::memory_resource& r) noexcept {
    return boost_resource(r);
}

inline std_resource as_std_resource(boost::container::pmr::memory_resource& r) noexcept {
    return std_resource(r);
}

}  // namespace fastalloc
