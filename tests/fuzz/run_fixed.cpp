// SPDX-License-Identifier: MIT
#include "fuzz/run_input.hpp"
#include "fuzz/run_session.hpp"

#include <fastalloc/resource/fixed_pool_resource.hpp>

namespace fastalloc::fuzz {

const std::array<runner, 3> fixed_runners{run_session<basic_fixed_pool_resource<bitmap_index>>,
                                          run_session<basic_fixed_pool_resource<free_list_index>>,
                                          run_session<basic_fixed_pool_resource<stack_index>>};

}  // namespace fastalloc::fuzz
