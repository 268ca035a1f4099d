// SPDX-License-Identifier: MIT
#include "contenders.hpp"

#include <dlfcn.h>

#include <cstdio>
#include <type_traits>

namespace perf {

namespace {

struct names {
    const char *file, *allocate, *allocate_aligned, *free;
};

/// The library, or nulls and a word on stderr.
malloc_library load(const names& names) {
    void* const handle = dlopen(names.file, RTLD_LOCAL | RTLD_NOW);
    if (handle == nullptr) {
        std::fprintf(stderr, "perf: rows are missing: %s\n", dlerror());
        return {};
    }
    malloc_library result;
    const auto find = [handle](auto& function, const char* name) {
        function = reinterpret_cast<std::decay_t<decltype(function)>>(dlsym(handle, name));
        return function != nullptr;
    };
    if (find(result.allocate, names.allocate) &&
        find(result.allocate_aligned, names.allocate_aligned) && find(result.free, names.free)) {
        return result;
    }
    std::fprintf(stderr, "perf: rows are missing: %s is something else\n", names.file);
    return {};
}

}  // namespace

std::string_view process_malloc::library = "glibc";

const malloc_library malloc_library::mimalloc =
    load({"libmimalloc.so.2", "mi_malloc", "mi_malloc_aligned", "mi_free"});

const malloc_library malloc_library::tbb =
    load({"libtbbmalloc.so.2", "scalable_malloc", "scalable_aligned_malloc", "scalable_free"});

}  // namespace perf
