// SPDX-License-Identifier: MIT
#include <fastalloc/error.hpp>

#include <atomic>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <span>

#if __has_include(<execinfo.h>)
#include <execinfo.h>
#include <unistd.h>
#endif

namespace fastalloc {

namespace {

void print_return_addresses(std::span<void* const> addresses) {
#if __has_include(<execinfo.h>)
    std::fflush(stderr);
    backtrace_symbols_fd(addresses.data(), static_cast<int>(addresses.size()), STDERR_FILENO);
#else
    for (void* const address : addresses) std::fprintf(stderr, "%p\n", address);
#endif
}

void print_objects_alive(const misuse_report& report) {
    std::fprintf(
        stderr, "fastalloc: the typed pool at %p is destroyed while %zu of its objects are alive\n",
        report.pool, report.count);
    for (const void* const address : report.addresses) {
        std::fprintf(stderr, "fastalloc: alive: %p\n", address);
    }
}

void print_allocation_in_guard(const misuse_report& report) {
    std::fprintf(stderr,
                 "fastalloc: a no_alloc_guard forbids what is asked of the resource at %p: "
                 "%zu bytes, aligned to %zu\n",
                 report.pool, report.bytes, report.alignment);
}

const char* description_of(misuse fault) noexcept {
    switch (fault) {
        case misuse::double_free:
            return "is given back, but is free already";
        case misuse::foreign_free:
            return "is given back, but is no block of this resource, or of another class of it";
        case misuse::interior_free:
            return "is given back, but is no start of a slot";
        case misuse::wrong_request:
            return "is given back with another size or alignment than it was taken with";
        case misuse::wrong_thread:
            return "is given back, but belongs to another thread, which still runs";
        case misuse::write_after_free:
            return "was written to while it was free";
        case misuse::overrun:
            return "was written to beyond its end";
        default:
            return "is at fault";
    }
}

void print_calls(const char* what, std::span<void* const> calls) {
    if (calls.empty()) return;
    std::fprintf(stderr, "fastalloc: %s\n", what);
    print_return_addresses(calls);
}

void print_bad_slot(const misuse_report& report) {
    const void* const slot = report.addresses.empty() ? nullptr : report.addresses.front();
    std::fprintf(stderr, "fastalloc: %p %s (resource at %p", slot, description_of(report.fault),
                 report.pool);
    if (report.alignment != 0) {
        std::fprintf(stderr, ", request of %zu bytes, aligned to %zu", report.bytes,
                     report.alignment);
    }
    std::fprintf(stderr, ")\n");
    print_calls("it was taken here:", report.taken_by);
    print_calls("it was given back here:", report.given_back_by);
}

void print_slots_alive(const misuse_report& report) {
    std::fprintf(stderr,
                 "fastalloc: the resource at %p is destroyed while %zu of its blocks are in use\n",
                 report.pool, report.count);
    for (const void* const address : report.addresses) {
        std::fprintf(stderr, "fastalloc: in use: %p\n", address);
    }
    print_calls("the first of them was taken here:", report.taken_by);
}

void print_broken_books(const misuse_report& report) {
    std::fprintf(stderr, "fastalloc: the books of the resource at %p were written to\n",
                 report.pool);
}

void print_misuse(const misuse_report& report) {
    switch (report.fault) {
        case misuse::objects_alive:
            return print_objects_alive(report);
        case misuse::allocation_in_guard:
            return print_allocation_in_guard(report);
        case misuse::slots_alive:
            return print_slots_alive(report);
        case misuse::broken_books:
            return print_broken_books(report);
        default:
            return print_bad_slot(report);
    }
}

constinit std::atomic<misuse_handler> current_misuse_handler{nullptr};

// Acquired, so that a handler sees what was written before it was set.
misuse_handler handler_that_is_set() noexcept {
    return current_misuse_handler.load(std::memory_order_acquire);
}

}  // namespace

misuse_handler set_misuse_handler(misuse_handler handler) noexcept {
    return current_misuse_handler.exchange(handler, std::memory_order_acq_rel);
}

const char* pool_exhausted::what() const noexcept {
    return "fastalloc::pool_exhausted: no slot left, and the pool may not grow";
}

invalid_configuration::invalid_configuration(const char* field, const std::string& value,
                                             const std::string& rule)
    : std::invalid_argument(std::string("fastalloc: invalid configuration: ") + field + " = " +
                            value + ": " + rule),
      field_(field) {}

namespace detail {

void report_misuse(const misuse_report& report) noexcept {
    const misuse_handler handler = handler_that_is_set();
    (handler != nullptr ? handler : print_misuse)(report);
    std::abort();
}

void report_misuse_and_go_on(const misuse_report& report) noexcept {
    const misuse_handler handler = handler_that_is_set();
    if (handler == nullptr && report.fault != misuse::slots_alive) report_misuse(report);
    (handler != nullptr ? handler : print_misuse)(report);
}

void report_bad_free(misuse fault, const void* resource, const void* p) noexcept {
    report_misuse({fault, resource, 0, std::span(&p, 1)});
}

void throw_bad_alloc() { throw std::bad_alloc(); }

void throw_bad_array_new_length() { throw std::bad_array_new_length(); }

void throw_pool_exhausted(std::size_t slot_size, std::size_t capacity) {
    throw pool_exhausted(slot_size, capacity);
}

void throw_invalid(const char* field, std::size_t value, const char* rule) {
    throw invalid_configuration(field, std::to_string(value), rule);
}

void throw_invalid(const char* field, const std::string& value, const char* rule) {
    throw invalid_configuration(field, value, rule);
}

void* try_upstream(std::pmr::memory_resource& upstream, std::size_t bytes,
                   std::size_t alignment) noexcept {
    try {
        return upstream.allocate(bytes, alignment);
    } catch (...) {
        return nullptr;
    }
}

bool succeeds(void (*call)(void*), void* context) noexcept {
    try {
        call(context);
        return true;
    } catch (...) {
        return false;
    }
}

}  // namespace detail

}  // namespace fastalloc
