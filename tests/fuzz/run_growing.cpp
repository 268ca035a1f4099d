// SPDX-License-Identifier: MIT
#include "fuzz/run_input.hpp"
#include "fuzz/run_session.hpp"

#include <fastalloc/resource/growing_pool_resource.hpp>

namespace fastalloc::fuzz {

const std::array<runner, 4> growing_runners{
    run_session<basic_growing_pool_resource<bitmap_index>>,
    run_session<basic_growing_pool_resource<free_list_index>>,
    run_session<basic_growing_pool_resource<stack_index>>,
    run_session<basic_growing_pool_resource<bitmap_index, counting_statistics>>};

}  // namespace fastalloc::fuzz
