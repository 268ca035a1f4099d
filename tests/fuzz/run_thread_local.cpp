// SPDX-License-Identifier: MIT
#include "fuzz/run_input.hpp"
#include "fuzz/run_session.hpp"

#include <fastalloc/resource/thread_local_pool_resource.hpp>

namespace fastalloc::fuzz {

const std::array<runner, 3> thread_local_runners{
    run_session<basic_thread_local_pool_resource<bitmap_index>>,
    run_session<basic_thread_local_pool_resource<free_list_index>>,
    run_session<basic_thread_local_pool_resource<stack_index, counting_statistics>>};

}  // namespace fastalloc::fuzz
