// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/detail/export.hpp>
#include <fastalloc/error.hpp>

namespace fastalloc::detail {

/// Something to be done when a thread ends, after the destructors of its `thread_local` objects.
class FASTALLOC_EXPORT thread_exit_hook {
public:
    thread_exit_hook(const thread_exit_hook&) = delete;
    thread_exit_hook& operator=(const thread_exit_hook&) = delete;

    /// Effects: `thread_ends()` will be called at the end of the calling thread, unless `disarm()` is
    /// called before. Preconditions: the thread has a number; not armed.
    void arm() noexcept;

    /// Effects: `thread_ends()` is not called any more, nor is it running. Thread safety: full, but it
    /// must not be called with a lock held that `thread_ends()` takes.
    void disarm() noexcept;

protected:
    thread_exit_hook() = default;
    ~thread_exit_hook() = default;

private:
    friend struct thread_exit;

    /// Called in the thread that ends; the hook is not armed any more. Returns: a bad free to be
    /// reported when all hooks have been called.
    virtual bad_free thread_ends() noexcept = 0;

    thread_exit_hook* next_ = nullptr;
    thread_exit_hook** link_ = nullptr;  // what points to this one; null: not armed
};

}  // namespace fastalloc::detail
