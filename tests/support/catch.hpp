// SPDX-License-Identifier: MIT
#pragma once

// Catch2 3 and Debian 12's Catch2 2.13, one include for both.
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif
