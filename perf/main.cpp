// SPDX-License-Identifier: MIT
#include "rows.hpp"

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <type_traits>

namespace perf {

const mimalloc_library mimalloc_library::instance = load();

mimalloc_library mimalloc_library::load() {
    constexpr const char* file = "libmimalloc.so.2";
    void* const handle = dlopen(file, RTLD_LOCAL | RTLD_NOW);
    mimalloc_library result;
    if (handle == nullptr) {
        std::fprintf(stderr, "perf: no mimalloc rows: %s\n", dlerror());
        return result;
    }
    const auto find = [handle](auto& function, const char* name) {
        function = reinterpret_cast<std::decay_t<decltype(function)>>(dlsym(handle, name));
    };
    find(result.allocate, "mi_malloc");
    find(result.allocate_aligned, "mi_malloc_aligned");
    find(result.free, "mi_free");
    if (result.allocate_aligned != nullptr && result.free != nullptr) return result;
    std::fprintf(stderr, "perf: no mimalloc rows: %s is something else\n", file);
    return {};
}

namespace {

/// Whether the process uses the `function` of the library whose file name begins like this.
bool comes_from(const char* function, std::string_view library) {
    Dl_info info{};
    void* const address = dlsym(RTLD_DEFAULT, function);
    if (address == nullptr || dladdr(address, &info) == 0) return false;
    const std::string_view path = info.dli_fname;
    if (path.substr(path.rfind('/') + 1).substr(0, library.size()) == library) return true;
    std::fprintf(stderr, "perf: %s is that of %s\n", function, info.dli_fname);
    return false;
}

/// Another malloc would be measured under the name of glibc's, and feed every pool.
bool malloc_is_that_of_glibc() {
    return comes_from("malloc", "libc.so") && comes_from("free", "libc.so") &&
           comes_from("_Znwm", "libstdc++.so") && comes_from("_ZdlPv", "libstdc++.so");
}

}  // namespace

}  // namespace perf

int main(int argc, char** argv) {
    if (!perf::malloc_is_that_of_glibc()) {
        std::fputs("perf: refused: malloc or operator new has been replaced\n", stderr);
        return EXIT_FAILURE;
    }
    perf::add_rows();
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return EXIT_FAILURE;
    benchmark::RunSpecifiedBenchmarks();
    return EXIT_SUCCESS;
}
