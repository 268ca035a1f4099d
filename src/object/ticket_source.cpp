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
                                   bool for_threads) {
    upstream_block memory(upstream, sizeof(ticket_source), alignof(ticket_source));
    auto* const made = ::new (memory.start()) ticket_source(home, upstream, for_threads);
    memory.disown();
    return made;
}

void ticket_source::drop(ticket_source* source) noexcept {
    std::pmr::memory_resource* const upstream = source->upstream_;
    source->~ticket_source();
    upstream->deallocate(source, sizeof(ticket_source), alignof(ticket_source));
}

ticket_source::ticket_source(object_home* home, std::pmr::memory_resource* upstream,
                             bool for_threads)
    : home_(home),
      upstream_(upstream),
      for_threads_(for_threads),
      zeros_(upstream),
      slots_(config_of_tickets(), &zeros_) {}

ticket_source::~ticket_source() {
    for (std::uint32_t s = 0; s != segment_count; ++s) {
        if (entry* const segment = segments_[s].load(std::memory_order_relaxed)) {
            upstream_->deallocate(segment, place::size_of(s) * sizeof(entry), alignof(entry));
        }
    }
}

std::uint32_t ticket_source::number_of(ticket* t) {
    if (const std::uint32_t known = t->number.load(std::memory_order_acquire)) return known;
    std::uint32_t index = numbers_.load(std::memory_order_relaxed);
    entry* segment = nullptr;
    do {
        if (index == most_numbers) throw_bad_alloc();
        segment = segment_at(place(index).segment);
    } while (!numbers_.compare_exchange_weak(index, index + 1, std::memory_order_relaxed,
                                             std::memory_order_relaxed));
    segment[place(index).offset].store(t, std::memory_order_release);
    // Two threads may number the same ticket: then both numbers lead to it, and one is used.
    std::uint32_t number = 0;
    const bool is_first = t->number.compare_exchange_strong(
        number, index + 1, std::memory_order_acq_rel, std::memory_order_acquire);
    return is_first ? index + 1 : number;
}

ticket_source::entry* ticket_source::segment_at(std::uint32_t s) {
    const std::size_t bytes = place::size_of(s) * sizeof(entry);
    return made_once(
        segments_[s],
        [&] {
            void* const memory = upstream_->allocate(bytes, alignof(entry));
            return ::new (memory) entry[place::size_of(s)]{};
        },
        [&](entry* made) { upstream_->deallocate(made, bytes, alignof(entry)); });
}

bool ticket_source::invariants_hold() const noexcept {
    if (!slots_.invariants_hold()) return false;
    const std::uint32_t count = numbers_.load(std::memory_order_relaxed);
    for (std::uint32_t number = 1; number <= count; ++number) {
        const ticket* const t = find(number);
        if (t == nullptr || slots_.slot_of(t) != t || t->source != this) return false;
        const std::uint32_t own = t->number.load(std::memory_order_relaxed);
        if (own == 0 || own > count || find(own) != t) return false;
    }
    return true;
}

ticket* ticket_source::search(const void* object) const noexcept {
    const std::uint32_t count = numbers_.load(std::memory_order_relaxed);
    for (std::uint32_t number = 1; number <= count; ++number) {
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
