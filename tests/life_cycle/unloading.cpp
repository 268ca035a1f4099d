// SPDX-License-Identifier: MIT
// Loads a library that uses pools, unloads it while threads that used it run, and lets them end
// afterwards: unloading PLUGIN (unloads|stays) [TIMES]
// The second argument says what becomes of the library that the pools are in. Where that stays, the
// plugin may have to as well: the linker may have made one of what both have.
#include <dlfcn.h>
#include <link.h>

#include <barrier>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

[[noreturn]] void fail(const std::string& what) {
    std::fprintf(stderr, "%s\n", what.c_str());
    std::exit(1);
}

bool is_loaded(const std::string& name) {
    std::string wanted = name;
    return dl_iterate_phdr(
               [](dl_phdr_info* info, std::size_t, void* context) {
                   const auto& part = *static_cast<const std::string*>(context);
                   return int{std::string_view(info->dlpi_name).find(part) !=
                              std::string_view::npos};
               },
               &wanted) != 0;
}

void load_use_and_unload(const char* path, bool stays) {
    constexpr std::size_t threads = 3;
    void* const plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (plugin == nullptr) fail(dlerror());
    void* const symbol = dlsym(plugin, "use_pools");
    bool (*use_pools)() = nullptr;
    std::memcpy(&use_pools, &symbol, sizeof symbol);

    std::barrier used(threads + 1);
    std::barrier unloaded(threads + 1);
    std::vector<std::thread> running;
    for (std::size_t i = 0; i != threads; ++i) {
        running.emplace_back([&] {
            if (!use_pools()) fail("the plugin does not work");
            used.arrive_and_wait();
            unloaded.arrive_and_wait();
        });
    }
    std::thread([&] {
        if (!use_pools()) fail("the plugin does not work in a thread that ends before");
    }).join();
    if (!use_pools()) fail("the plugin does not work in the first thread");
    used.arrive_and_wait();
    if (dlclose(plugin) != 0) fail(dlerror());
    if (!stays && is_loaded(path)) fail("the plugin is not unloaded");
    unloaded.arrive_and_wait();
    for (std::thread& t : running) t.join();
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) return 2;
    const int times = argc > 3 ? std::atoi(argv[3]) : 20;
    const bool stays = std::string_view(argv[2]) == "stays";
    for (int i = 0; i != times; ++i) load_use_and_unload(argv[1], stays);
    if (is_loaded("libfastalloc.so") != stays) fail("libfastalloc.so stays, or does not");
    std::printf("unloaded %d times\n", times);
}
