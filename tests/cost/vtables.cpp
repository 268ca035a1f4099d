// SPDX-License-Identifier: MIT

// What is behind the vtables of the resources, which is otherwise in the library. Not in the file of
// the entry points: a program does not have it there either, and g++ then inlines less.

#include <fastalloc/fastalloc.hpp>

using namespace fastalloc;

template class fastalloc::basic_pool_resource<bitmap_index, false, no_statistics>;
template class fastalloc::basic_pool_resource<bitmap_index, true, no_statistics>;
template class fastalloc::basic_shared_pool_resource<detail::locked_sharing<bitmap_index>,
                                                     no_statistics>;
template class fastalloc::basic_shared_pool_resource<detail::lock_free_sharing<std::atomic>,
                                                     no_statistics>;
template class fastalloc::basic_fixed_pool_resource<>;
template class fastalloc::basic_growing_pool_resource<>;
template class fastalloc::basic_thread_local_pool_resource<>;
template class fastalloc::basic_synchronized_pool_resource<>;
template class fastalloc::basic_lock_free_pool_resource<>;
