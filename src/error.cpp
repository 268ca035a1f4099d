// SPDX-License-Identifier: MIT
#include <fastalloc/error.hpp>

#include <atomic>
#include <cstdio>
#include <cstdlib>

namespace fastalloc {

namespace {

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

void print_misuse(const misuse_report& report) {
    switch (report.fault) {
        case misuse::objects_alive:
            return print_objects_alive(report);
        case misuse::allocation_in_guard:
            return print_allocation_in_guard(report);
    }
}

constinit std::atomic<misuse_handler> current_misuse_handler{nullptr};

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
    const misuse_handler handler = current_misuse_handler.load(std::memory_order_acquire);
    (handler != nullptr ? handler : print_misuse)(report);
    std::abort();
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
