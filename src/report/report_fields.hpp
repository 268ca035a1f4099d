// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/report/report_source.hpp>
#include <fastalloc/statistics.hpp>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

namespace fastalloc::detail {

enum class field_kind {
    counter,  ///< only grows, until the statistics are reset
    gauge,    ///< of now
};

/// A number of `Statistics`, and what the formats call it. Each format writes all of them.
template <class Statistics>
struct report_field {
    std::string_view key;     ///< its name in C++; in text with spaces
    std::string_view metric;  ///< follows the prefix of the family
    std::string_view help;
    field_kind kind;
    std::uint64_t (*value)(const Statistics& statistics);
    std::string_view ratio_key = {};  ///< of a share that follows from it; empty if none does
    double (*ratio)(const Statistics& statistics) = nullptr;
};

template <auto Member, class Statistics>
std::uint64_t value_of(const Statistics& statistics) {
    return statistics.*Member;
}

template <auto Member>
double ratio_of(const slot_statistics& statistics) {
    return (statistics.*Member)();
}

inline constexpr report_field<slot_statistics> slot_fields[] = {
    {"allocations", "allocations_total", "Slots handed out.", field_kind::counter,
     value_of<&slot_statistics::allocations>},
    {"deallocations", "deallocations_total", "Slots given back.", field_kind::counter,
     value_of<&slot_statistics::deallocations>},
    {"misses", "misses_total", "Allocations that left the hot path.", field_kind::counter,
     value_of<&slot_statistics::misses>, "hit_rate", ratio_of<&slot_statistics::hit_rate>},
    {"growth_count", "growths_total", "Growth steps that followed the first slots.",
     field_kind::counter, value_of<&slot_statistics::growth_count>},
    {"current", "slots_in_use", "Slots that are with users.", field_kind::gauge,
     value_of<&slot_statistics::current>, "utilization", ratio_of<&slot_statistics::utilization>},
    {"peak", "slots_in_use_peak", "The most slots that were with users.", field_kind::gauge,
     value_of<&slot_statistics::peak>},
    {"capacity", "slots", "Slots that there are.", field_kind::gauge,
     value_of<&slot_statistics::capacity>},
};

inline constexpr report_field<pool_statistics> pool_fields[] = {
    {"current_bytes", "in_use_bytes", "Size of the slots that are with users.", field_kind::gauge,
     value_of<&pool_statistics::current_bytes>},
    {"capacity_bytes", "capacity_bytes", "Size of all slots.", field_kind::gauge,
     value_of<&pool_statistics::capacity_bytes>},
    {"larger_allocations", "larger_allocations_total", "Blocks handed out that fit no class.",
     field_kind::counter, value_of<&pool_statistics::larger_allocations>},
    {"larger_deallocations", "larger_deallocations_total", "Blocks given back that fit no class.",
     field_kind::counter, value_of<&pool_statistics::larger_deallocations>},
    {"larger_current", "larger_in_use", "Blocks that fit no class and are with users.",
     field_kind::gauge, value_of<&pool_statistics::larger_current>},
};

/// Their keys are the values of the label `reason`.
inline constexpr report_field<failure_counts> failure_fields[] = {
    {"exhausted", {}, {}, field_kind::counter, value_of<&failure_counts::exhausted>},
    {"at_cap", {}, {}, field_kind::counter, value_of<&failure_counts::at_cap>},
    {"upstream", {}, {}, field_kind::counter, value_of<&failure_counts::upstream>},
    {"no_class", {}, {}, field_kind::counter, value_of<&failure_counts::no_class>},
};

inline constexpr report_field<object_statistics> object_fields[] = {
    {"made", "made_total", "Objects handed out.", field_kind::counter,
     value_of<&object_statistics::made>},
    {"dropped", "dropped_total", "Objects that came back.", field_kind::counter,
     value_of<&object_statistics::dropped>},
    {"alive", "alive", "Objects that are with users.", field_kind::gauge,
     value_of<&object_statistics::alive>},
    {"peak", "alive_peak", "The most objects that were with users.", field_kind::gauge,
     value_of<&object_statistics::peak>},
    {"kept", "kept", "Objects that are constructed, and wait for the next user.", field_kind::gauge,
     value_of<&object_statistics::kept>},
};

inline constexpr report_field<request_statistics> request_fields[] = {
    {"allocations", "allocations_total", "Blocks handed out.", field_kind::counter,
     value_of<&request_statistics::allocations>},
    {"deallocations", "deallocations_total", "Blocks given back.", field_kind::counter,
     value_of<&request_statistics::deallocations>},
    {"failures", "failures_total", "Allocations that threw.", field_kind::counter,
     value_of<&request_statistics::failures>},
    {"current", "blocks_in_use", "Blocks that are with users.", field_kind::gauge,
     value_of<&request_statistics::current>},
    {"peak", "blocks_in_use_peak", "The most blocks that were with users.", field_kind::gauge,
     value_of<&request_statistics::peak>},
    {"current_bytes", "in_use_bytes", "Size of the blocks that are with users, as requested.",
     field_kind::gauge, value_of<&request_statistics::current_bytes>},
    {"peak_bytes", "in_use_peak_bytes", "The largest size of the blocks that were with users.",
     field_kind::gauge, value_of<&request_statistics::peak_bytes>},
    {"largest_bytes", "largest_bytes", "Size of the largest request.", field_kind::gauge,
     value_of<&request_statistics::largest_bytes>},
    {"total_bytes", "allocated_bytes_total", "Size of all blocks handed out, as requested.",
     field_kind::counter, value_of<&request_statistics::total_bytes>},
};

inline constexpr report_field<page_statistics> page_fields[] = {
    {"current_bytes", "in_use_bytes", "Size of the blocks that are with users, as requested.",
     field_kind::gauge, value_of<&page_statistics::current_bytes>},
    {"mapped_bytes", "mapped_bytes", "Addresses, with or without memory.", field_kind::gauge,
     value_of<&page_statistics::mapped_bytes>},
    {"resident_bytes", "resident_bytes", "Memory.", field_kind::gauge,
     value_of<&page_statistics::resident_bytes>},
    {"huge_bytes", "huge_bytes", "Memory in huge pages.", field_kind::gauge,
     value_of<&page_statistics::huge_bytes>},
    {"locked_bytes", "locked_bytes", "Memory that is locked.", field_kind::gauge,
     value_of<&page_statistics::locked_bytes>},
    {"mappings", "mappings", "Mappings that there are.", field_kind::gauge,
     value_of<&page_statistics::mappings>},
    {"huge_fallbacks", "huge_fallbacks_total",
     "Mappings without huge pages of the kind that was asked for first.", field_kind::counter,
     value_of<&page_statistics::huge_fallbacks>},
};

/// A share of the operations took at most so many nanoseconds.
struct latency_field {
    std::string_view key;
    std::string_view share;
    std::uint64_t latency_summary::*value;
};

inline constexpr latency_field latency_fields[] = {
    {"p50", "0.5", &latency_summary::p50},  {"p90", "0.9", &latency_summary::p90},
    {"p99", "0.99", &latency_summary::p99}, {"p99_9", "0.999", &latency_summary::p99_9},
    {"max", "1", &latency_summary::max},
};

struct latency_operation {
    std::string_view name;
    latency_summary latency_summaries::*value;
};

inline constexpr latency_operation latency_operations[] = {
    {"allocate", &latency_summaries::allocate},
    {"deallocate", &latency_summaries::deallocate},
};

// Nothing that is added to the statistics goes unreported.
template <class Statistics>
inline constexpr std::size_t numbers_in = sizeof(Statistics) / sizeof(std::uint64_t);

static_assert(numbers_in<failure_counts> == std::size(failure_fields));
static_assert(numbers_in<slot_statistics> == std::size(slot_fields) + numbers_in<failure_counts>);
static_assert(numbers_in<class_statistics> == numbers_in<slot_statistics> + 2);
static_assert(numbers_in<pool_statistics> == numbers_in<slot_statistics> + std::size(pool_fields));
static_assert(numbers_in<object_statistics> == std::size(object_fields));
static_assert(numbers_in<request_statistics> == std::size(request_fields));
static_assert(numbers_in<page_statistics> == std::size(page_fields) + 1);  // and the NUMA node

}  // namespace fastalloc::detail
