// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/detail/machine.hpp>
#include <fastalloc/upstream/page_resource.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace fastalloc::detail {

/// Owns memory of the system; empty if it has none.
class mapping {
public:
    mapping() = default;
    mapping(std::byte* base, std::size_t bytes) noexcept : base_(base), bytes_(bytes) {}

    mapping(mapping&& other) noexcept
        : base_(std::exchange(other.base_, nullptr)), bytes_(other.bytes_) {}

    mapping& operator=(mapping&& other) noexcept {
        std::swap(base_, other.base_);
        std::swap(bytes_, other.bytes_);
        return *this;
    }

    /// Effects: unmaps it.
    ~mapping();

    /// Effects: it owns nothing any more, and nothing is unmapped.
    void disown() noexcept { base_ = nullptr; }

    bool is_empty() const noexcept { return base_ == nullptr; }
    std::byte* base() const noexcept { return base_; }
    std::byte* end() const noexcept { return base_ + bytes_; }
    std::size_t bytes() const noexcept { return bytes_; }

private:
    std::byte* base_ = nullptr;
    std::size_t bytes_ = 0;
};

/// Memory of the system, as the options say. Thread safety: full.
class system_pages {
public:
    /// Throws: `invalid_configuration`.
    explicit system_pages(const page_options& options);

    const page_options& options() const noexcept { return options_; }

    /// Bytes of a page, as memory is given back by.
    std::size_t page_bytes() const noexcept { return page_bytes_; }

    /// Bytes that the size of each mapping is a multiple of.
    std::size_t unit() const noexcept { return has_reserved() ? huge_page : page_bytes_; }

    /// Whether pages may go back while others of their mapping stay.
    bool gives_back_pages() const noexcept {
        return !options_.pre_fault && !options_.lock && !has_reserved();
    }

    /// Returns: memory that is as the options say; empty if there is none.
    /// Preconditions: `bytes` is a multiple of `unit()`, and `alignment` a power of two, and no
    /// smaller than that.
    mapping try_map(std::size_t bytes, std::size_t alignment) noexcept;

    /// Effects: gives pages back. They are filled with zeros when they are used again.
    static void give_back(std::byte* base, std::size_t bytes) noexcept;

    /// How many mappings have no huge pages of the kind that was asked for first.
    std::uint64_t fallbacks() const noexcept { return fallbacks_.load(std::memory_order_relaxed); }

private:
    bool has_reserved() const noexcept {
        return options_.huge == huge_pages::reserved ||
               options_.huge == huge_pages::reserved_or_transparent;
    }

    bool advise_huge(const mapping& memory) const noexcept;
    bool bind(const mapping& memory) const noexcept;
    bool fault_in(const mapping& memory) const noexcept;

    page_options options_;
    std::size_t page_bytes_;
    std::atomic<std::uint64_t> fallbacks_ = 0;
};

/// What the system says of part of the memory of this process.
struct page_usage {
    const std::byte* begin;
    const std::byte* end;
    std::size_t resident_bytes;
    std::size_t huge_bytes;
};

/// Effects: calls `f(context, usage)` for each part that the system tells apart, in address order.
void visit_page_usage(void (*f)(void* context, const page_usage& usage), void* context) noexcept;

template <class F>
void visit_page_usage(F f) noexcept {
    visit_page_usage([](void* p, const page_usage& usage) { (*static_cast<F*>(p))(usage); }, &f);
}

}  // namespace fastalloc::detail
