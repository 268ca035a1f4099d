// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <map>
#include <memory_resource>
#include <new>
#include <string>
#include <vector>

namespace fastalloc::testing {

/// The upstream of all tests. Its blocks are aligned to what was asked and to no more, and lie
/// between guard bytes; each return is checked for pointer, size, alignment and guards. It can be told to fail.
/// Wrong use is collected in `errors()`, because a destructor cannot throw.
class checking_resource final : public std::pmr::memory_resource {
public:
    struct request {
        std::size_t bytes;
        std::size_t alignment;
    };

    checking_resource() = default;
    checking_resource(const checking_resource&) = delete;
    checking_resource& operator=(const checking_resource&) = delete;
    ~checking_resource() override {
        for (const auto& [p, b] : blocks_) std::free(b.start);
    }

    /// Empty while every call was right.
    const std::string& errors() const noexcept { return errors_; }

    std::size_t bytes_out() const noexcept { return bytes_out_; }
    std::size_t peak_bytes() const noexcept { return peak_bytes_; }
    std::size_t blocks_out() const noexcept { return blocks_.size(); }
    std::size_t allocations() const noexcept { return allocations_; }
    std::size_t deallocations() const noexcept { return deallocations_; }
    std::size_t calls() const noexcept { return allocations_ + deallocations_; }

    /// The request that came last, refused ones included.
    request last_request() const noexcept { return last_request_; }
    /// Every request that was granted and not returned yet, the block with the lowest address first.
    std::vector<request> requests_out() const {
        std::vector<request> all;
        for (const auto& [p, b] : blocks_) all.push_back(b.asked);
        return all;
    }

    /// Grants `n` more requests, then throws `std::bad_alloc` until told otherwise.
    void fail_after(std::size_t n) noexcept { grants_left_ = n; }
    void never_fail() noexcept { grants_left_ = unlimited; }
    /// Whether a request was refused because of `fail_after`.
    bool has_failed() const noexcept { return has_failed_; }

    /// Requests above this throw `std::bad_alloc`, as those of a machine would.
    static constexpr std::size_t machine_size = std::size_t{1} << 30;

protected:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        last_request_ = {bytes, alignment};
        if (grants_left_ == 0) {
            has_failed_ = true;
            throw std::bad_alloc();
        }
        if (bytes > machine_size || alignment > machine_size) throw std::bad_alloc();
        if ((alignment & (alignment - 1)) != 0) error("alignment is not a power of two");
        if (grants_left_ != unlimited) --grants_left_;

        auto* const start =
            static_cast<unsigned char*>(std::malloc(bytes + 3 * alignment + 2 * guard_bytes));
        if (start == nullptr) throw std::bad_alloc();
        // An odd multiple of the alignment: nobody may count on more.
        auto address = reinterpret_cast<std::uintptr_t>(start) + guard_bytes;
        address = (address + 2 * alignment - 1) / (2 * alignment) * (2 * alignment) + alignment;
        auto* const p = start + (address - reinterpret_cast<std::uintptr_t>(start));
        for (std::size_t i = 0; i != guard_bytes; ++i) p[bytes + i] = *(p - 1 - i) = guard;
        std::memset(p, 0xcd, bytes);
        blocks_[p] = {start, {bytes, alignment}};
        ++allocations_;
        bytes_out_ += bytes;
        if (bytes_out_ > peak_bytes_) peak_bytes_ = bytes_out_;
        return p;
    }

    void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) override {
        ++deallocations_;
        const auto found = blocks_.find(static_cast<unsigned char*>(p));
        if (found == blocks_.end()) return error("returned a block that is not out");
        const block b = found->second;
        if (b.asked.bytes != bytes) error("returned with another size");
        if (b.asked.alignment != alignment) error("returned with another alignment");
        for (std::size_t i = 0; i != guard_bytes; ++i) {
            if (found->first[b.asked.bytes + i] != guard) return error("written behind the block");
            if (*(found->first - 1 - i) != guard) return error("written before the block");
        }
        bytes_out_ -= b.asked.bytes;
        std::free(b.start);
        blocks_.erase(found);
    }

    bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
        return this == &other;
    }

private:
    struct block {
        void* start;
        request asked;
    };

    static constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();
    static constexpr std::size_t guard_bytes = 16;
    static constexpr unsigned char guard = 0xfd;

    void error(const char* what) { errors_ += std::string(what) + "; "; }

    std::map<unsigned char*, block> blocks_;
    std::string errors_;
    request last_request_{0, 0};
    std::size_t bytes_out_ = 0;
    std::size_t peak_bytes_ = 0;
    std::size_t allocations_ = 0;
    std::size_t deallocations_ = 0;
    std::size_t grants_left_ = unlimited;
    bool has_failed_ = false;
};

}  // namespace fastalloc::testing
