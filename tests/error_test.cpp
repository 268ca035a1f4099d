// SPDX-License-Identifier: MIT
#include "stress/team.hpp"
#include "support/catch.hpp"

#include <fastalloc/error.hpp>

#include <cstddef>

namespace fastalloc::testing {

namespace {

int written = 0;
int read_by_handler = 0;

void ignore(const misuse_report&) {}
void read(const misuse_report&) { read_by_handler = written; }

}  // namespace

TEST_CASE("a handler sees what was written before it was set, in any thread") {
    const misuse_handler before = set_misuse_handler(ignore);
    in_threads(2, [](std::size_t me) {
        if (me == 0) {
            written = 7;
            set_misuse_handler(read);
        } else {
            // The one kind of report after which the program goes on in every build.
            while (read_by_handler == 0) {
                detail::report_misuse_and_go_on({misuse::slots_alive, nullptr, 1, {}});
            }
        }
    });
    CHECK(set_misuse_handler(before) == read);
    CHECK(read_by_handler == 7);
}

}  // namespace fastalloc::testing
