// SPDX-License-Identifier: MIT
#pragma once

/// What a build with full checks knows of each block that a resource ever handed out.

#include <fastalloc/detail/fork_safe_mutex.hpp>
#include <fastalloc/error.hpp>
#include <fastalloc/resource/slot_watch.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <new>
#include <optional>
#include <span>
#include <unordered_map>

namespace fastalloc::detail {

/// Return addresses of the calls that led here.
class call_trace {
public:
    /// Effects: is that of the caller.
    void capture() noexcept;

    std::span<void* const> addresses() const noexcept { return {calls_.data(), count_}; }

private:
    std::array<void*, 8> calls_{};
    std::size_t count_ = 0;
};

/// A number that no other thread has or will have.
std::uint64_t unique_thread_number() noexcept;

struct block_record {
    watched_request request{};
    std::uint64_t thread = 0;
    bool is_live = false;
    bool is_filled = false;  // free, and as `fill_freed` left it
    call_trace taken_by;
    call_trace given_back_by;
};

// The C library's memory: what is counted of operator new, or comes from a resource, is the program's.
template <class T>
struct c_allocator {
    using value_type = T;

    c_allocator() = default;

    template <class U>
    c_allocator(const c_allocator<U>&) noexcept {}

    T* allocate(std::size_t count) {
        if (void* const p = std::malloc(count * sizeof(T))) return static_cast<T*>(p);
        throw std::bad_alloc();
    }

    void deallocate(T* p, std::size_t) noexcept { std::free(p); }

    friend bool operator==(const c_allocator&, const c_allocator&) noexcept { return true; }
};

/// Blocks by address. Thread safety: full.
class slot_ledger {
public:
    /// Returns: what was known of the block at `p`, which is in use from now on.
    block_record take(const void* p, const block_record& now) noexcept;

    /// Effects: if `find_fault(record)` returns none, the block is free and `free(record)` is called.
    /// Returns: the fault, and what is known of the block; `foreign_free` if nothing is.
    struct verdict {
        std::optional<misuse> fault;
        block_record record;
    };
    template <class FindFault, class Free>
    verdict put(const void* p, FindFault find_fault, Free free) noexcept {
        const std::lock_guard guard(lock());
        const auto found = blocks_.find(p);
        if (found == blocks_.end()) return {misuse::foreign_free, {}};
        block_record& record = found->second;
        const std::optional<misuse> fault = find_fault(record);
        if (!fault) free(record);
        return {fault, record};
    }

    void forget_contents() noexcept;

    struct summary {
        std::size_t live = 0;
        std::array<const void*, 8> first{};
        block_record record_of_first;
    };
    summary live() const noexcept;

private:
    using map =
        std::unordered_map<const void*, block_record, std::hash<const void*>, std::equal_to<>,
                           c_allocator<std::pair<const void* const, block_record>>>;

    std::mutex& lock() const noexcept { return fork_safe_mutex(fork_safe_kind::ledger, this); }

    map blocks_;
};

}  // namespace fastalloc::detail
