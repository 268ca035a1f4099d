// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/fastalloc.hpp>

#include <string_view>
#include <type_traits>

namespace fastalloc::testing {

/// Effects: `f(std::type_identity<R>())` for the resource R whose name is `name` and
/// "_pool_resource". Returns: whether there is one.
template <class F>
bool with_resource(std::string_view name, F f) {
    bool found = false;
    const auto with = [&]<class Resource>(std::type_identity<Resource> type) {
        constexpr std::string_view ending = "_pool_resource";
        if (Resource::type_name.substr(0, Resource::type_name.size() - ending.size()) != name) {
            return;
        }
        found = true;
        f(type);
    };
    with(std::type_identity<fixed_pool_resource>());
    with(std::type_identity<growing_pool_resource>());
    with(std::type_identity<thread_local_pool_resource>());
    with(std::type_identity<synchronized_pool_resource>());
    with(std::type_identity<lock_free_pool_resource>());
    return found;
}

}  // namespace fastalloc::testing
