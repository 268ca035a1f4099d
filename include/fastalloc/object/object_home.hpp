// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/detail/export.hpp>
#include <fastalloc/object/ticket.hpp>
#include <fastalloc/storage/magazine.hpp>

#include <cstdint>
#include <memory>

namespace fastalloc::detail {

class ticket_source;

/// What handles know of the pool that their objects go home to.
class object_home {
public:
    object_home(const object_home&) = delete;
    object_home& operator=(const object_home&) = delete;

    /// Effects: `object` is destroyed, or kept, and its slot goes back. Preconditions: it is in its
    /// slot's first byte.
    void drop(void* object) noexcept { drop_(*this, object); }

    /// Effects: puts a slot back whose object was destroyed. Preconditions: `way_home::is_exact()`.
    void put(void* slot) noexcept {
        if (magazine_->may_put(slot)) [[likely]] {
            magazine_->put(slot);
        } else {
            put_slow(slot);
        }
    }

    /// Returns: the pool's object that `part` is a part of.
    virtual void* object_of(const void* part) const noexcept = 0;

    /// Returns: the pool's tickets, which are made when first asked for. Throws: what upstream
    /// throws.
    virtual ticket_source& tickets() = 0;

    /// Effects: counts an object that left its handle though it has a key.
    virtual void count_release() noexcept = 0;

protected:
    using drop_function = void (*)(object_home&, void* object) noexcept;

    explicit object_home(drop_function f) noexcept : drop_(f) {}

    ~object_home() = default;

    /// Where slots are taken from and put to, if whoever has the pool may do that; else it is
    /// empty.
    magazine<>* magazine_ = &no_slots;

private:
    static inline constinit magazine<> no_slots{};

    virtual void put_slow(void* slot) noexcept = 0;

    drop_function const drop_;
};

/// How an owned handle finds the way home: a pointer to the pool; or, of an object that has one, to
/// its ticket. Three bits of it are free, and say which, and what the handle points to.
class way_home {
public:
    way_home() = default;

    /// `is_exact`: the handle's type is the object's, and the pool does nothing but destroy it, so
    /// that whoever has the handle may do that, and call `put`.
    way_home(object_home* home, bool is_exact) noexcept
        : word_(reinterpret_cast<std::uintptr_t>(std::assume_aligned<alignof(object_home)>(home)) |
                (is_exact ? exact_bit : 0)) {}

    explicit way_home(ticket* t) noexcept
        : word_(reinterpret_cast<std::uintptr_t>(t) | ticket_bit) {}

    /// Returns: the same way from a base. `is_part`: its address is another one.
    way_home from_base(bool is_part) const noexcept {
        way_home way = *this;
        way.word_ = (word_ & ~exact_bit) | (is_part ? part_bit : 0);
        return way;
    }

    bool is_exact() const noexcept { return (word_ & all_bits) == exact_bit; }

    /// Preconditions: there is no ticket.
    object_home* home() const noexcept { return reinterpret_cast<object_home*>(word_ & ~all_bits); }

    /// Effects: drops the object, `p` being what the handle points to.
    void drop(void* p) const noexcept {
        if ((word_ & (part_bit | ticket_bit)) == 0) [[likely]] {
            home()->drop(p);
        } else {
            drop_slow(*this, p);
        }
    }

    /// Returns: the object's ticket, by way of which it goes home from now on. Throws: what
    /// upstream throws; no effects then.
    FASTALLOC_EXPORT ticket* ticket_of(void* p);

    /// Effects: the handle gives the object up. It keeps its keys.
    FASTALLOC_EXPORT void leave() noexcept;

private:
    static constexpr std::uintptr_t part_bit = 1;
    static constexpr std::uintptr_t ticket_bit = 2;
    static constexpr std::uintptr_t exact_bit = 4;
    static constexpr std::uintptr_t all_bits = part_bit | ticket_bit | exact_bit;
    static_assert(alignof(object_home) > all_bits && alignof(ticket) > all_bits);

    // Returns: the object's ticket; null if it has none.
    ticket* find_ticket() const noexcept {
        return (word_ & ticket_bit) == 0 ? nullptr : reinterpret_cast<ticket*>(word_ & ~all_bits);
    }

    // Returns: the object that the handle points to, or to a part of.
    void* whole(void* p) const noexcept {
        return (word_ & part_bit) == 0 ? p : home()->object_of(p);
    }

    // By value, so that a handle need not be in memory for it.
    FASTALLOC_EXPORT static void drop_slow(way_home way, void* p) noexcept;

    std::uintptr_t word_ = 0;
};

/// Effects: what follows when the last owner of a ticket is gone.
FASTALLOC_EXPORT void end_of_owners(ticket* t) noexcept;

}  // namespace fastalloc::detail
