// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/detail/build.hpp>
#include <fastalloc/detail/export.hpp>
#include <fastalloc/detail/visible_memory.hpp>

#include <atomic>
#include <cstddef>
#include <type_traits>

namespace fastalloc::detail {

class slot_ledger;

/// A request, as it was made or is given back.
struct watched_request {
    std::size_t bytes;
    std::size_t alignment;
    std::size_t room;  // of the slot, with what lies between it and the next; of a larger block, 0
};

/// Looks at each block of a resource that goes to a user or comes back: tells memory checkers, fills
/// it, and knows all of them, as the build says. In an ordinary build there is none.
///
/// Thread safety: full, but for `forget_all` and the destructor.
class slot_watch {
public:
    static constexpr bool is_active = true;

    constexpr slot_watch() = default;
    slot_watch(const slot_watch&) = delete;
    slot_watch& operator=(const slot_watch&) = delete;
    ~slot_watch() { forget_all(); }

    /// Effects: the block at `p` is a user's. Reports what was written to it while it was free.
    FASTALLOC_EXPORT void taken(void* p, const watched_request& request,
                                const void* resource) noexcept;

    /// What `may_be_put` has to ask of the resource.
    class slots {
    public:
        virtual void* slot_of(const void* p) const noexcept = 0;
        virtual bool is_of_other_thread(const void* p) const noexcept = 0;

    protected:
        ~slots() = default;
    };

    /// Effects: the block at `p` is free, unless it cannot be, which is reported. Returns: whether it is
    /// free now and was not before.
    FASTALLOC_EXPORT bool may_be_put(void* p, const watched_request& request, const void* resource,
                                     const slots& all) noexcept;

    /// Effects: what is in free slots is not known any more.
    FASTALLOC_EXPORT void forget_contents() noexcept;

    /// Effects: nothing is a user's.
    FASTALLOC_EXPORT void forget_all() noexcept;

    /// Effects: reports what is still a user's.
    FASTALLOC_EXPORT void report_alive(const void* resource) const noexcept;

private:
    slot_ledger* ledger_slow() noexcept;

    std::atomic<slot_ledger*> ledger_{nullptr};
    std::atomic<bool> has_block_list_{false};
};

/// Looks at nothing.
struct no_watch {
    static constexpr bool is_active = false;

    static void forget_contents() noexcept {}
    static void forget_all() noexcept {}
    static void report_alive(const void*) noexcept {}
};

/// For slots that may be looked at while they are free: memory checkers are told that they may be used
/// when they are for the first time.
struct showing_watch {
    static constexpr bool is_active = true;

    static void taken(void* p, const watched_request& request, const void*) noexcept {
        show_memory(p, request.bytes);
    }

    template <class Slots>
    static bool may_be_put(void*, const watched_request&, const void*, const Slots&) noexcept {
        return true;
    }

    static void forget_contents() noexcept {}
    static void forget_all() noexcept {}
    static void report_alive(const void*) noexcept {}
};

/// Who watches the blocks of a resource with that collector.
template <class Collector>
struct watch_for {
    using type = std::conditional_t<build::watches_slots, slot_watch, no_watch>;
};

}  // namespace fastalloc::detail
