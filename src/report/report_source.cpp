// SPDX-License-Identifier: MIT
#include <fastalloc/report/report_source.hpp>

namespace fastalloc {

latency_summary::latency_summary(const latency_histogram& histogram) noexcept
    : count(histogram.count()),
      p50(histogram.quantile(0.5)),
      p90(histogram.quantile(0.9)),
      p99(histogram.quantile(0.99)),
      p99_9(histogram.quantile(0.999)),
      max(histogram.max()) {
    histogram.for_each_bucket(
        [this](std::uint64_t longest, std::uint64_t times) { total += longest * times; });
}

void report_source::summarize(const latency_statistics& latency) noexcept {
    latency_ = {latency_summary(latency.allocate), latency_summary(latency.deallocate)};
}

}  // namespace fastalloc
