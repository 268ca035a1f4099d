// SPDX-License-Identifier: MIT
// A library that uses pools inside, to be loaded and unloaded.
#include <fastalloc/fastalloc.hpp>

#include <cstddef>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace {

struct pools {
    fastalloc::thread_local_pool_resource of_threads;
    fastalloc::synchronized_pool_resource synchronized;
    fastalloc::lock_free_pool_resource lock_free;
    fastalloc::synchronized_pool<std::string> strings{
        fastalloc::pool_config::builder().capacity(16).build()};
};

std::optional<pools> mine(std::in_place);

bool use_of_threads() {
    std::pmr::list<int> numbers(&mine->of_threads);
    for (int i = 0; i != 200; ++i) numbers.push_back(i);
    return numbers.back() == 199;
}

bool use_shared() {
    std::pmr::map<int, int> a(&mine->synchronized);
    std::pmr::map<int, int> b(&mine->lock_free);
    for (int i = 0; i != 200; ++i) b[i] = a[i] = i;
    const auto text = mine->strings.make_shared("text");
    return a.size() == 200 && b.at(7) == 7 && *text == "text";
}

}  // namespace

/// Returns: whether all was as it should be. A thread that called it is known to each of the pools.
extern "C" [[gnu::visibility("default")]] bool use_pools() {
    std::list<int, fastalloc::allocator<int>> numbers(200, 7);
    return use_of_threads() && use_shared() && numbers.front() == 7;
}
