// SPDX-License-Identifier: MIT
#include <fastalloc/resource/growing_pool_resource.hpp>

#include <algorithm>

namespace fastalloc {

namespace detail {

std::pmr::pool_options resolved(const std::pmr::pool_options& options) noexcept {
    constexpr std::size_t default_blocks = std::size_t{1} << 14;
    constexpr std::size_t most_blocks = std::size_t{1} << 19;
    constexpr std::size_t default_size = 4096;
    const std::size_t blocks = options.max_blocks_per_chunk;
    const std::size_t size = options.largest_required_pool_block;
    const std::size_t bounded = std::min(size == 0 ? default_size : size, natural::largest_size);
    return {std::min(blocks == 0 ? default_blocks : blocks, most_blocks),
            natural::slot_size(natural::class_of(bounded - 1))};
}

slot_number configured_growth(const pool_config& config, std::size_t current) {
    if (current == 0) return static_cast<slot_number>(config.capacity());
    const std::size_t cap = config.max_capacity().value_or(size_max);
    if (current >= cap) return 0;
    const std::size_t wanted = config.growth()
                                   ? config.growth()->slots_to_add(current)
                                   : growth_strategy::exponential(2.0).slots_to_add(current);
    return static_cast<slot_number>(
        std::min({wanted, cap - current, pool_config::largest_capacity}));
}

[[gnu::noinline]] void* allocate_from(std::pmr::memory_resource& resource, std::size_t bytes,
                                      std::size_t alignment) {
    return resource.allocate(bytes, alignment);
}

}  // namespace detail

template class basic_growing_pool_resource<bitmap_index>;
template class basic_growing_pool_resource<free_list_index>;
template class basic_growing_pool_resource<stack_index>;

}  // namespace fastalloc
