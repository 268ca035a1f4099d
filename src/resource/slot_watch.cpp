// SPDX-License-Identifier: MIT
#include "slot_ledger.hpp"

#include <fastalloc/detail/build.hpp>
#include <fastalloc/detail/made_once.hpp>
#include <fastalloc/error.hpp>
#include <fastalloc/resource/slot_watch.hpp>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <span>

namespace fastalloc::detail {

namespace {

// What memory checkers look after is not filled, for then it could not be read again.
constexpr bool fills = (build::fills_slots || build::level == checks::full) && !build::hides_slots;
constexpr bool has_ledger = build::level == checks::full;

constexpr auto fresh = std::byte{0xcd};   // what a user gets
constexpr auto freed = std::byte{0xdd};   // what is free
constexpr auto beyond = std::byte{0xfd};  // what lies behind a block, up to the next slot

bool is_all(const std::byte* p, std::size_t count, std::byte value) noexcept {
    return std::all_of(p, p + count, [=](std::byte b) { return b == value; });
}

void fill(std::byte* p, std::size_t count, std::byte value) noexcept {
    std::memset(p, static_cast<int>(value), count);
}

// Bytes between the end of a block and the next slot.
std::size_t slack_of(const watched_request& r) noexcept {
    return r.room == 0 ? 0 : r.room - r.bytes;
}

[[maybe_unused]] void report(misuse fault, const void* resource, const void* p,
                             const watched_request& request, const block_record& record) noexcept {
    report_misuse_and_go_on({fault, resource, 0, std::span(&p, 1), request.bytes, request.alignment,
                             record.taken_by.addresses(), record.given_back_by.addresses()});
}

}  // namespace

slot_ledger* slot_watch::ledger_slow() noexcept {
    return made_once(
        ledger_,
        [] {
            void* const memory = std::malloc(sizeof(slot_ledger));
            if (memory == nullptr) std::abort();
            return ::new (memory) slot_ledger;
        },
        [](slot_ledger* made) {
            std::destroy_at(made);
            std::free(made);
        });
}

void slot_watch::taken(void* p, const watched_request& request, const void* resource) noexcept {
    auto* const bytes = static_cast<std::byte*>(p);
    if constexpr (build::has_valgrind) {
        if (!has_block_list_.exchange(true, std::memory_order_acq_rel)) open_block_list(this);
    }
    if constexpr (build::hides_slots) enter_block(this, p, request.bytes);
    if constexpr (has_ledger) {
        block_record now{request, unique_thread_number(), true, false, {}, {}};
        now.taken_by.capture();
        const block_record before = ledger_slow()->take(p, now);
        if (fills && before.is_filled && !is_all(bytes, before.request.room, freed)) {
            report(misuse::write_after_free, resource, p, request, before);
        }
    }
    if constexpr (fills) {
        fill(bytes, request.bytes, fresh);
        fill(bytes + request.bytes, slack_of(request), beyond);
    }
}

namespace {

// Returns: what is wrong when `p`, the block of `record`, is given back by this request.
std::optional<misuse> fault_of(const block_record& record, const void* p,
                               const watched_request& request, const slot_watch::slots& all) {
    if (!record.is_live) return misuse::double_free;
    if (record.request.bytes != request.bytes || record.request.alignment != request.alignment) {
        return misuse::wrong_request;
    }
    if (record.thread != unique_thread_number() && all.is_of_other_thread(p)) {
        return misuse::wrong_thread;
    }
    return std::nullopt;
}

}  // namespace

bool slot_watch::may_be_put(void* p, const watched_request& request, const void* resource,
                            const slots& all) noexcept {
    auto* const bytes = static_cast<std::byte*>(p);
    if constexpr (has_ledger) {
        const auto find_fault = [&](const block_record& record) {
            return fault_of(record, p, request, all);
        };
        call_trace here;
        here.capture();
        bool is_overrun = false;
        slot_ledger::verdict found = ledger_slow()->put(p, find_fault, [&](block_record& record) {
            is_overrun = fills && !is_all(bytes + request.bytes, slack_of(request), beyond);
            record.is_live = false;
            record.is_filled = fills && record.request.room != 0;
            record.given_back_by = here;
            if (record.is_filled) fill(bytes, record.request.room, freed);
        });
        if (found.fault == misuse::foreign_free) {
            void* const slot = all.slot_of(p);
            if (slot != nullptr) {
                found.fault = slot == p ? misuse::double_free : misuse::interior_free;
            }
        }
        if (found.fault) {
            report(*found.fault, resource, p, request, found.record);
            return false;
        }
        if (is_overrun) report(misuse::overrun, resource, p, request, found.record);
    } else if constexpr (fills) {
        fill(bytes, std::max(request.bytes, request.room), freed);
    }
    if constexpr (build::hides_slots) {
        leave_block(this, p, request.bytes);
        // A larger block is about to be upstream's.
        if (request.room == 0) show_memory(p, request.bytes);
    }
    return true;
}

void slot_watch::forget_contents() noexcept {
    if (slot_ledger* const ledger = ledger_.load(std::memory_order_acquire)) {
        ledger->forget_contents();
    }
}

void slot_watch::forget_all() noexcept {
    if (slot_ledger* const ledger = ledger_.exchange(nullptr, std::memory_order_acq_rel)) {
        std::destroy_at(ledger);
        std::free(ledger);
    }
    if (has_block_list_.exchange(false, std::memory_order_acq_rel)) close_block_list(this);
}

void slot_watch::report_alive(const void* resource) const noexcept {
    slot_ledger* const ledger = ledger_.load(std::memory_order_acquire);
    if (ledger == nullptr) return;
    const slot_ledger::summary found = ledger->live();
    if (found.live == 0) return;
    const std::size_t known = std::min(found.live, found.first.size());
    report_misuse_and_go_on({misuse::slots_alive,
                             resource,
                             found.live,
                             std::span(found.first.data(), known),
                             0,
                             0,
                             found.record_of_first.taken_by.addresses(),
                             {}});
}

}  // namespace fastalloc::detail
