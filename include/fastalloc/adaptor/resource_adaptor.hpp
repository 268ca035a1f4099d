// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/detail/export.hpp>

#include <memory_resource>

namespace fastalloc::detail {

/// What the adaptors share. Each passes requests on to one upstream, with the same bytes and
/// alignment, and is equal only to itself, because a block has to come back by the way it went.
class FASTALLOC_EXPORT resource_adaptor : public std::pmr::memory_resource {
public:
    resource_adaptor(const resource_adaptor&) = delete;
    resource_adaptor& operator=(const resource_adaptor&) = delete;

    /// Where requests are passed on to.
    std::pmr::memory_resource* upstream_resource() const noexcept { return upstream_; }

protected:
    /// Preconditions: `upstream` is not null and outlives the adaptor.
    explicit resource_adaptor(std::pmr::memory_resource* upstream) noexcept : upstream_(upstream) {}

    ~resource_adaptor() override = default;

    bool do_is_equal(const std::pmr::memory_resource& other) const noexcept final {
        return this == &other;
    }

private:
    std::pmr::memory_resource* upstream_;
};

}  // namespace fastalloc::detail
