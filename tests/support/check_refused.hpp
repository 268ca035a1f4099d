// SPDX-License-Identifier: MIT
#pragma once

#include "support/catch.hpp"

#include <fastalloc/error.hpp>

#include <string>

namespace fastalloc::testing {

/// Checks that `make` throws `invalid_configuration`, which names the field and the value.
template <class Make>
void check_refused(Make make, const std::string& field, const std::string& value) {
    try {
        make();
        FAIL("accepted: " << field << " = " << value);
    } catch (const invalid_configuration& e) {
        const std::string what = e.what();
        CAPTURE(what);
        CHECK(std::string(e.field()) == field);
        CHECK(what.find(field) != std::string::npos);
        CHECK(what.find(value) != std::string::npos);
    }
}

}  // namespace fastalloc::testing
