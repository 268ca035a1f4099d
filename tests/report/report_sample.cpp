// SPDX-License-Identifier: MIT
// Prints what an endpoint for Prometheus serves: a line with the Content-Type, then the report.
#include "report/fake_sources.hpp"

#include <fastalloc/report/report.hpp>

#include <iostream>

int main() {
    using fastalloc::report_source;
    const auto orders = fastalloc::testing::a_timed_resource();
    const auto users = fastalloc::testing::an_object_pool();
    const auto all = fastalloc::testing::an_adaptor();
    const auto pages = fastalloc::testing::some_pages();
    fastalloc::testing::fake_timed_resource idle;
    std::cout << fastalloc::prometheus_content_type << '\n';
    fastalloc::report_prometheus(std::cout, {report_source("orders", orders).fragmentation(0.125),
                                             {"users", users},
                                             {"all", all},
                                             {"pages", pages},
                                             {"idle", idle},
                                             {"\"a\" \\b\\n\nc \u00fc\t{} \xff", all}});
}
