// SPDX-License-Identifier: MIT
#include "rows.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace perf {

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

/// A malloc that the process may use, and the libraries that it is in.
struct known_malloc {
    std::string_view name, of_c, of_cpp;
};

constexpr known_malloc known_mallocs[] = {
    {"glibc", "libc.so", "libstdc++.so"},
    {"jemalloc", "libjemalloc.so", "libjemalloc.so"},
    {"tcmalloc", "libtcmalloc", "libtcmalloc"},
};

/// Another malloc would be measured under this one's name, and feed every pool.
bool is_used(const known_malloc& malloc) {
    return comes_from("malloc", malloc.of_c) && comes_from("free", malloc.of_c) &&
           comes_from("_Znwm", malloc.of_cpp) && comes_from("_ZdlPv", malloc.of_cpp);
}

/// Effects: takes `--malloc=NAME` from the arguments. Returns: whether the process uses that
/// malloc, or glibc's if none is named.
bool malloc_is_as_named(int& argc, char** argv) {
    constexpr std::string_view option = "--malloc=";
    const auto is_option = [&](const char* text) {
        return std::string_view(text).starts_with(option);
    };
    const auto found = std::find_if(argv + 1, argv + argc, is_option);
    if (found != argv + argc) {
        process_malloc::library = std::string_view(*found).substr(option.size());
        std::copy(found + 1, argv + argc + 1, found);
        --argc;
    }
    return std::any_of(std::begin(known_mallocs), std::end(known_mallocs), [](const auto& known) {
        return known.name == process_malloc::library && is_used(known);
    });
}

}  // namespace

}  // namespace perf

int main(int argc, char** argv) {
    if (!perf::malloc_is_as_named(argc, argv)) {
        std::fprintf(stderr, "perf: refused: malloc or operator new is not that of %s\n",
                     perf::process_malloc::library.data());
        return EXIT_FAILURE;
    }
    perf::add_rows();
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return EXIT_FAILURE;
    benchmark::RunSpecifiedBenchmarks();
    return EXIT_SUCCESS;
}
