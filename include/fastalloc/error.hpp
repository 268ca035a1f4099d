// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/detail/export.hpp>

#include <cstddef>
#include <memory_resource>
#include <new>
#include <span>
#include <stdexcept>
#include <string>

namespace fastalloc {

/// A pool has no slot left and may not grow. It carries numbers and no string, so that it can be
/// made and thrown while memory is out.
class FASTALLOC_EXPORT pool_exhausted : public std::bad_alloc {
public:
    pool_exhausted(std::size_t slot_size, std::size_t capacity) noexcept
        : slot_size_(slot_size), capacity_(capacity) {}

    /// Bytes of a slot of that pool.
    std::size_t slot_size() const noexcept { return slot_size_; }

    /// Slots of that pool.
    std::size_t capacity() const noexcept { return capacity_; }

    const char* what() const noexcept override;

private:
    std::size_t slot_size_;
    std::size_t capacity_;
};

/// A configuration that cannot work. `what()` names the field, the value and the rule.
class FASTALLOC_EXPORT invalid_configuration : public std::invalid_argument {
public:
    /// Preconditions: `field` outlives the exception.
    invalid_configuration(const char* field, const std::string& value, const std::string& rule);

    const char* field() const noexcept { return field_; }

private:
    const char* field_;
};

/// A mistake of the program that the library found. README.md says what is found by which build.
enum class misuse {
    objects_alive,        ///< a typed pool is destroyed while objects of it are alive
    allocation_in_guard,  ///< memory is asked of a resource that a `no_alloc_guard` forbids
    double_free,          ///< a slot or block is given back that is free
    foreign_free,   ///< a pointer is given back that is not of this resource, or of another class
    interior_free,  ///< a pointer into a slot is given back
    wrong_request,  ///< a block is given back with another size or alignment
    wrong_thread,   ///< a slot is given back that belongs to another thread, which still runs
    write_after_free,  ///< a slot was written to while it was free
    overrun,           ///< memory behind a block was written to
    slots_alive,       ///< a resource is destroyed while slots of it are in use
    broken_books,      ///< what a resource knows of itself was written to
};

/// What is known of one. It is valid while the handler runs.
struct misuse_report {
    misuse fault;
    const void* pool;   ///< the address of the typed pool, or of the resource
    std::size_t count;  ///< objects or slots that are alive; of another fault, 0
    /// The first of them, as far as the pool knows: a pool that draws on a resource of others does
    /// not. Else the block.
    std::span<const void* const> addresses;
    std::size_t bytes = 0;      ///< of the request that is at fault, if that has a size
    std::size_t alignment = 0;  ///< of that request
    /// Return addresses, the innermost first, of the calls that took the slot and gave it back;
    /// empty where that is not known. Only with `-Dchecks=full`.
    std::span<void* const> taken_by = {};
    std::span<void* const> given_back_by = {};
};

/// Is told of a misuse, after which the program cannot go on: when the handler returns, it is
/// aborted. It must not throw.
///
/// With `-Dchecks=full`, bad frees and requests are found when they are made: if the handler returns, a
/// bad free is ignored, and nothing is lost. The program also goes on after `slots_alive`, which the
/// default handler only prints: whoever means it calls `release()` first.
using misuse_handler = void (*)(const misuse_report&);

/// Effects: misuse is told to `handler` from now on; null stands for the default, which prints to
/// standard error. Returns: the handler before. Thread safety: full.
FASTALLOC_EXPORT misuse_handler set_misuse_handler(misuse_handler handler) noexcept;

namespace detail {

[[noreturn]] FASTALLOC_EXPORT void report_misuse(const misuse_report& report) noexcept;

/// Effects: tells the handler; the default one aborts, unless the fault is `slots_alive`.
FASTALLOC_EXPORT void report_misuse_and_go_on(const misuse_report& report) noexcept;

/// Effects: reports that `p` cannot be given back to `resource`.
[[noreturn, gnu::cold]] FASTALLOC_EXPORT void report_bad_free(misuse fault, const void* resource,
                                                              const void* p) noexcept;

/// What is wrong with one of several slots that are given back; nothing, if `resource` is null. Who finds it
/// leaves that slot alone and goes on with the others. It is reported by who holds no lock, once nothing
/// is half done, for handlers are code of the program.
struct [[nodiscard]] bad_free {
    const void* resource = nullptr;
    const void* slot = nullptr;
    misuse fault = misuse::foreign_free;

    /// Effects: is `other`, unless it was something before.
    void add(const bad_free& other) noexcept {
        if (resource == nullptr) *this = other;
    }

    /// Effects: reports it, if it is something; the program ends then.
    void report() const noexcept {
        if (resource != nullptr) [[unlikely]]
            report_bad_free(fault, resource, slot);
    }
};

// The headers throw and catch nowhere themselves, so that they compile without exceptions.

[[noreturn]] FASTALLOC_EXPORT void throw_bad_alloc();
[[noreturn]] FASTALLOC_EXPORT void throw_bad_array_new_length();
[[noreturn]] FASTALLOC_EXPORT void throw_pool_exhausted(std::size_t slot_size,
                                                        std::size_t capacity);
[[noreturn]] FASTALLOC_EXPORT void throw_invalid(const char* field, std::size_t value,
                                                 const char* rule);
[[noreturn]] FASTALLOC_EXPORT void throw_invalid(const char* field, const std::string& value,
                                                 const char* rule);

/// Returns: `upstream.allocate(bytes, alignment)`; null if that throws.
FASTALLOC_EXPORT void* try_upstream(std::pmr::memory_resource& upstream, std::size_t bytes,
                                    std::size_t alignment) noexcept;

/// Effects: `call(context)`. Returns: whether that did not throw.
FASTALLOC_EXPORT bool succeeds(void (*call)(void*), void* context) noexcept;

/// Effects: `f()`. Returns: whether that did not throw.
template <class F>
bool succeeds(F f) noexcept {
    return succeeds([](void* p) { (*static_cast<F*>(p))(); }, &f);
}

}  // namespace detail

}  // namespace fastalloc
