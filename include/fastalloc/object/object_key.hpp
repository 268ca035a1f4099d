// SPDX-License-Identifier: MIT
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace fastalloc {

/// Names one object of a typed pool, also after it died: then it names none. It keeps nothing
/// alive, can be stored as 64 bits, and means nothing to another pool. (A generational index, as in
/// a slot map.)
class object_key {
public:
    /// Names no object.
    constexpr object_key() = default;

    /// Preconditions: `value` came from a key.
    static constexpr object_key from_value(std::uint64_t value) noexcept {
        return {static_cast<std::uint32_t>(value), static_cast<std::uint32_t>(value >> 32)};
    }

    constexpr std::uint64_t value() const noexcept {
        return std::uint64_t{generation_} << 32 | slot_;
    }

    /// Whether it named an object once.
    constexpr explicit operator bool() const noexcept { return slot_ != 0; }

    friend constexpr auto operator<=>(const object_key&, const object_key&) = default;

private:
    template <class, class>
    friend class object_pool;

    constexpr object_key(std::uint32_t slot, std::uint32_t generation) noexcept
        : slot_(slot), generation_(generation) {}

    std::uint32_t slot_ = 0;  // the number of a ticket; 0: none
    std::uint32_t generation_ = 0;
};

static_assert(sizeof(object_key) == sizeof(std::uint64_t));

}  // namespace fastalloc

template <>
struct std::hash<fastalloc::object_key> {
    std::size_t operator()(const fastalloc::object_key& key) const noexcept {
        return std::hash<std::uint64_t>()(key.value());
    }
};
