// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/detail/export.hpp>
#include <fastalloc/latency_histogram.hpp>
#include <fastalloc/statistics.hpp>

#include <cassert>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

namespace fastalloc {

/// What reports say of a `latency_histogram`: all in nanoseconds but `count`, and 0 if there was no
/// operation.
struct latency_summary {
    std::uint64_t count = 0;  ///< operations that were timed
    std::uint64_t p50 = 0;    ///< half of them took at most this long
    std::uint64_t p90 = 0;
    std::uint64_t p99 = 0;
    std::uint64_t p99_9 = 0;
    std::uint64_t max = 0;
    std::uint64_t total = 0;  ///< of all; like the others at most an eighth above the truth

    latency_summary() = default;
    FASTALLOC_EXPORT explicit latency_summary(const latency_histogram& histogram) noexcept;

    bool operator==(const latency_summary&) const = default;
};

struct latency_summaries {
    latency_summary allocate;
    latency_summary deallocate;

    bool operator==(const latency_summaries&) const = default;
};

namespace detail {

template <class Source, class Statistics>
concept has_statistics = requires(const Source& source) {
    { source.statistics() } -> std::same_as<Statistics>;
};

template <class Source>
concept reportable_resource = has_statistics<Source, pool_statistics> &&
    requires(const Source& source, void (*visit)(const class_statistics&)) {
    source.for_each_class(visit);
};

template <class Source>
concept reportable_object_pool = has_statistics<Source, object_statistics> &&
    requires(const Source& source) {
    source.resource();
};

template <class Source>
concept has_latency = requires(const Source& source) {
    { source.latency() } -> std::same_as<latency_statistics>;
};

template <class Source>
concept has_type_name = requires {
    { Source::type_name } -> std::convertible_to<std::string_view>;
};

}  // namespace detail

/// What can be reported, by what its `statistics()` returns:
/// * a resource: `pool_statistics`. It also has `for_each_class(f)`, which calls `f` with a
///   `const class_statistics&` for each class.
/// * a typed pool: `object_statistics`. It also has `resource()`. Where that is as above, it is
///   reported along with the objects.
/// * an adaptor: `request_statistics`.
/// * an upstream of pages: `page_statistics`.
///
/// Where a resource or an adaptor has `latency()`, which returns `latency_statistics`, and a
/// `type_name`, they are reported as well. All of these are const.
template <class Source>
concept reportable = detail::reportable_resource<Source> ||
    detail::reportable_object_pool<Source> || detail::has_statistics<Source, request_statistics> ||
    detail::has_statistics<Source, page_statistics>;

/// One part of a report: a name, and what the statistics of a resource, typed pool, adaptor or
/// upstream said when this was made. Its classes are an exception: they are visited while the report
/// is written, for Prometheus once for each of their metrics, and so may be ahead of the rest while
/// other threads use the resource.
///
/// It neither owns anything nor allocates. A format of your own can be made from what it says.
class FASTALLOC_EXPORT report_source {
public:
    /// Effects: takes what `source` says.
    /// Preconditions: `name` and `source` outlive this.
    /// Throws: what `source` throws. Thread safety: that of the functions of `source`.
    template <reportable Source>
    report_source(std::string_view name, const Source& source) : name_(name) {
        if constexpr (detail::reportable_resource<Source>) {
            take_resource(source);
        } else if constexpr (detail::reportable_object_pool<Source>) {
            objects_ = source.statistics();
            using resource_type = std::remove_cvref_t<decltype(source.resource())>;
            if constexpr (detail::reportable_resource<resource_type>) {
                take_resource(source.resource());
            } else {
                take_type_name<resource_type>();
            }
        } else if constexpr (detail::has_statistics<Source, page_statistics>) {
            pages_ = source.statistics();
            take_type_name<Source>();
        } else {
            requests_ = source.statistics();
            take_type_name<Source>();
            take_latency(source);
        }
    }

    /// Effects: adds how fragmented the pool is, as `occupancy_figures::fragmentation()` says.
    /// Preconditions: 0 <= `share` <= 1. Returns: this.
    report_source& fragmentation(double share) noexcept {
        assert(share >= 0 && share <= 1);
        fragmentation_ = share;
        return *this;
    }

    /// Effects: leaves out what the resource of a typed pool says. So pools that share a resource
    /// do not report it once each; it can be a source of its own. Returns: this.
    report_source& without_resource() noexcept {
        resource_.reset();
        latency_.reset();
        visit_classes_ = nullptr;
        return *this;
    }

    std::string_view name() const noexcept { return name_; }

    /// Returns: the `type_name` of the resource or adaptor; empty if it has none.
    std::string_view type_name() const noexcept { return type_name_; }

    const std::optional<object_statistics>& objects() const noexcept { return objects_; }
    const std::optional<pool_statistics>& resource() const noexcept { return resource_; }
    const std::optional<request_statistics>& requests() const noexcept { return requests_; }
    const std::optional<page_statistics>& pages() const noexcept { return pages_; }
    const std::optional<latency_summaries>& latency() const noexcept { return latency_; }
    const std::optional<double>& fragmentation() const noexcept { return fragmentation_; }

    /// Effects: calls `f` with a `const class_statistics&` for each class of the resource.
    template <class F>
    void for_each_class(F f) const {
        if (visit_classes_ == nullptr) return;
        const auto visit = [](void* context, const class_statistics& one) {
            (*static_cast<F*>(context))(one);
        };
        visit_classes_(visited_, visit, std::addressof(f));
    }

private:
    using class_visitor = void (*)(void* context, const class_statistics& one);

    template <class Source>
    void take_resource(const Source& source) {
        resource_ = source.statistics();
        visited_ = std::addressof(source);
        visit_classes_ = [](const void* visited, class_visitor visit, void* context) {
            static_cast<const Source*>(visited)->for_each_class(
                [&](const class_statistics& one) { visit(context, one); });
        };
        take_type_name<Source>();
        take_latency(source);
    }

    template <class Source>
    void take_latency(const Source& source) {
        if constexpr (detail::has_latency<Source>) summarize(source.latency());
    }

    void summarize(const latency_statistics& latency) noexcept;

    template <class Source>
    void take_type_name() noexcept {
        if constexpr (detail::has_type_name<Source>) type_name_ = Source::type_name;
    }

    std::string_view name_;
    std::string_view type_name_;
    std::optional<object_statistics> objects_;
    std::optional<pool_statistics> resource_;
    std::optional<request_statistics> requests_;
    std::optional<page_statistics> pages_;
    std::optional<latency_summaries> latency_;
    std::optional<double> fragmentation_;
    const void* visited_ = nullptr;
    void (*visit_classes_)(const void* visited, class_visitor visit, void* context) = nullptr;
};

/// What a report is of: one `report_source`, a list of them in braces, or a range that converts to
/// a span. For function parameters; it refers to what it was made from.
class report_sources {
public:
    report_sources(const report_source& source) noexcept : all_(&source, 1) {}

    report_sources(std::initializer_list<report_source> sources) noexcept
        : all_(sources.begin(), sources.size()) {}

    template <class Range>
    requires std::convertible_to<const Range&, std::span<const report_source>> report_sources(
        const Range& sources)
    noexcept : all_(sources) {}

    const report_source* begin() const noexcept { return all_.data(); }
    const report_source* end() const noexcept { return all_.data() + all_.size(); }

private:
    std::span<const report_source> all_;
};

}  // namespace fastalloc
