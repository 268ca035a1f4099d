// SPDX-License-Identifier: MIT
#include "fuzz/run_input.hpp"
#include "fuzz/run_session.hpp"

#include <fastalloc/resource/lock_free_pool_resource.hpp>
#include <fastalloc/resource/synchronized_pool_resource.hpp>

namespace fastalloc::fuzz {

const std::array<runner, 5> shared_runners{
    run_session<basic_synchronized_pool_resource<bitmap_index>>,
    run_session<basic_synchronized_pool_resource<stack_index>>,
    run_session<basic_synchronized_pool_resource<free_list_index, counting_statistics>>,
    run_session<basic_lock_free_pool_resource<>>,
    run_session<basic_lock_free_pool_resource<std::atomic, counting_statistics>>};

}  // namespace fastalloc::fuzz
