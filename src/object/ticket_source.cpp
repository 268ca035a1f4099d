// SPDX-License-Identifier: MIT
#include <fastalloc/config.hpp>
#include <fastalloc/detail/made_once.hpp>
#include <fastalloc/error.hpp>
#include <fastalloc/object/ticket_source.hpp>
#include <fastalloc/storage/upstream_block.hpp>

#include <cstddef>
#include <memory_resource>
#include <new>

namespace fastalloc::detail {

namespace {

pool_config config_of_tickets() {
    return pool_config::builder()
        .slot_size(sizeof(ticket))
        .alignment(alignof(ticket))
        .capacity(64)
        .growth(growth_strategy::exponential(1.25))
        .build();
}

}  // namespace

ticket_source* ticket_source::make(object_home* home, std::pmr::memory_resource* upstream,
                                   threads used_by) {
    upstream_block memory(upstream, sizeof(ticket_source), alignof(ticket_source));
    auto* const made = ::new (memory.start()) ticket_source(home, upstream, used_by);
    memory.disown();
    return made;
}

void ticket_source::drop(ticket_source* source) noexcept {
    std::pmr::memory_resource* const upstream = source->upstream_;
    source->~ticket_source();
    upstream->deallocate(source, sizeof(ticket_source), alignof(ticket_source));
}

ticket_source::ticket_source(object_home* home, std::pmr::memory_resource* upstream,
                             threads used_by)
    : home_(home),
      upstream_(upstream),
      used_by_(used_by),
      zeros_(upstream),
      slots_(config_of_tickets(), &zeros_) {}

ticket_source::~ticket_source() {
    for (std::uint32_t t = 0; t != table_count; ++t) {
        if (entry* const table = tables_[t].load(std::memory_order_relaxed)) {
            upstream_->deallocate(table, entries_of(t) * sizeof(entry), alignof(entry));
        }
    }
}

std::uint32_t ticket_source::give_number(ticket* t) {
    std::uint32_t number = next_number_.load(std::memory_order_relaxed);
    entry* table = nullptr;
    do {
        if (number == 0) throw_bad_alloc();  // all were given
        table = table_at(place(number).table);
    } while (!next_number_.compare_exchange_weak(number, number + 1, std::memory_order_relaxed,
                                                 std::memory_order_relaxed));
    table[place(number).offset].store(t, std::memory_order_release);
    // Two threads may number the same ticket: then both numbers lead to it, and one is used.
    std::uint32_t known = 0;
    const bool is_first = t->number.compare_exchange_strong(
        known, number, std::memory_order_acq_rel, std::memory_order_acquire);
    return is_first ? number : known;
}

ticket_source::entry* ticket_source::table_at(std::uint32_t t) {
    const std::size_t bytes = entries_of(t) * sizeof(entry);
    return made_once(
        tables_[t],
        [&] {
            void* const memory = upstream_->allocate(bytes, alignof(entry));
            return ::new (memory) entry[entries_of(t)]{};
        },
        [&](entry* made) { upstream_->deallocate(made, bytes, alignof(entry)); });
}

bool ticket_source::invariants_hold() const noexcept {
    if (!slots_.invariants_hold()) return false;
    const std::uint32_t end = next_number_.load(std::memory_order_relaxed);
    for (std::uint32_t number = first_number; number != end; ++number) {
        const ticket* const t = find(number);
        if (t == nullptr || slots_.slot_of(t) != t || t->source != this) return false;
        const std::uint32_t own = t->number.load(std::memory_order_relaxed);
        if (own - first_number >= end - first_number || find(own) != t) return false;
    }
    std::size_t most_free = slots_.in_use();
    for (const ticket* t = free_; t != nullptr; --most_free) {
        if (most_free == 0 || slots_.slot_of(t) != t || t->source != this) return false;
        if (t->state.count() != 0 || t->state.is_worn_out()) return false;
        t = static_cast<const ticket*>(t->object.load(std::memory_order_relaxed));
    }
    return true;
}

ticket* ticket_source::search(const void* object) const noexcept {
    const std::uint32_t end = next_number_.load(std::memory_order_relaxed);
    for (std::uint32_t number = first_number; number != end; ++number) {
        ticket* const t = find(number);
        // In this order: the ticket may be about to serve another object.
        if (t != nullptr && t->state.count() != 0 &&
            t->object.load(std::memory_order_relaxed) == object) {
            return t;
        }
    }
    return nullptr;
}

}  // namespace fastalloc::detail
