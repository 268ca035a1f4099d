// SPDX-License-Identifier: MIT
#include "slot_ledger.hpp"

#include <atomic>
#include <utility>

#include <unwind.h>

namespace fastalloc::detail {

namespace {

struct capture_state {
    std::span<void*> calls;
    std::size_t count;
    std::size_t skipped;
};

_Unwind_Reason_Code capture_call(_Unwind_Context* context, void* argument) {
    auto& state = *static_cast<capture_state*>(argument);
    if (state.skipped != 0) {
        --state.skipped;
        return _URC_NO_REASON;
    }
    if (state.count == state.calls.size()) return _URC_END_OF_STACK;
    const auto call = _Unwind_GetIP(context);
    if (call == 0) return _URC_END_OF_STACK;
    state.calls[state.count++] = reinterpret_cast<void*>(call);
    return _URC_NO_REASON;
}

}  // namespace

void call_trace::capture() noexcept {
    capture_state state{calls_, 0, 2};  // this function, and the watch that called it
    _Unwind_Backtrace(capture_call, &state);
    count_ = state.count;
}

std::uint64_t unique_thread_number() noexcept {
    static constinit std::atomic<std::uint64_t> threads{0};
    static thread_local constinit std::uint64_t mine = 0;
    if (mine == 0) mine = threads.fetch_add(1, std::memory_order_relaxed) + 1;
    return mine;
}

block_record slot_ledger::take(const void* p, const block_record& now) noexcept {
    const std::lock_guard guard(lock());
    try {
        block_record& record = blocks_[p];
        return std::exchange(record, now);
    } catch (const std::bad_alloc&) {
        // Who has no memory for its checks is told so by them: the block will be a foreign one.
        return {};
    }
}

void slot_ledger::forget_contents() noexcept {
    const std::lock_guard guard(lock());
    for (auto& [p, record] : blocks_) record.is_filled = false;
}

slot_ledger::summary slot_ledger::live() const noexcept {
    const std::lock_guard guard(lock());
    summary found;
    for (const auto& [p, record] : blocks_) {
        if (!record.is_live) continue;
        if (found.live == 0) found.record_of_first = record;
        if (found.live < found.first.size()) found.first[found.live] = p;
        ++found.live;
    }
    return found;
}

}  // namespace fastalloc::detail
