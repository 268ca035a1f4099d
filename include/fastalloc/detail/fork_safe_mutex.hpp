// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/detail/export.hpp>

#include <mutex>

namespace fastalloc::detail {

/// What a lock is for, in the order in which a thread takes them: never two of one kind.
enum class fork_safe_kind {
    thread_ends,  // one in the process
    ledger,       // which blocks there are, where everything is checked
    owner,        // which thread something belongs to
    books,        // what one thread writes and others read
};

/// Returns: a lock that a child of `fork()` never finds taken by a thread that it does not have: who
/// forks waits until all of them are free. It is one of a few of its kind in the process, chosen by
/// the address `whose`: others may have it too, so nobody calls code of users, which may fork, with
/// such a lock held.
FASTALLOC_EXPORT std::mutex& fork_safe_mutex(fork_safe_kind kind, const void* whose) noexcept;

}  // namespace fastalloc::detail
