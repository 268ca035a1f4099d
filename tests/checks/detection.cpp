// SPDX-License-Identifier: MIT
/// Makes one mistake with one resource, and prints when it was found and as what.
///
/// Usage: detection RESOURCE MISTAKE      prints "WHEN: FAULT", or "no"
///        detection --list                prints all resources, then all mistakes

#include "checks/resource_by_name.hpp"

#include <fastalloc/fastalloc.hpp>

#include <array>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory_resource>
#include <optional>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <unistd.h>

namespace {

using fastalloc::misuse;

/// When the resource had the opportunity to find the mistake.
const char* when = "at once";

const char* name_of(misuse fault) noexcept {
    switch (fault) {
        case misuse::objects_alive:
            return "objects_alive";
        case misuse::allocation_in_guard:
            return "allocation_in_guard";
        case misuse::double_free:
            return "double_free";
        case misuse::foreign_free:
            return "foreign_free";
        case misuse::interior_free:
            return "interior_free";
        case misuse::wrong_request:
            return "wrong_request";
        case misuse::wrong_thread:
            return "wrong_thread";
        case misuse::write_after_free:
            return "write_after_free";
        case misuse::overrun:
            return "overrun";
        case misuse::slots_alive:
            return "slots_alive";
        case misuse::broken_books:
            return "broken_books";
    }
    return "?";
}

/// Uses the resource as any code of the program may.
void (*use)() = nullptr;

void found(const fastalloc::misuse_report& report) {
    if (std::string_view(when) != "at end" && use != nullptr) std::exchange(use, nullptr)();
    std::printf("%s: %s\n", when, name_of(report.fault));
    std::fflush(stdout);
    _exit(0);
}

/// Never hands out an address twice, so that what comes of a stale pointer does not depend on a heap.
class one_way_resource final : public std::pmr::memory_resource {
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        return memory_.allocate(bytes, alignment);
    }

    void do_deallocate(void*, std::size_t, std::size_t) override {}

    bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
        return this == &other;
    }

    std::pmr::monotonic_buffer_resource memory_;
};

constexpr std::size_t size = 64;
constexpr std::size_t small_size = 32;

std::vector<fastalloc::pool_config> classes() {
    const auto of = [](std::size_t bytes) {
        return fastalloc::pool_config::builder()
            .slot_size(bytes)
            .alignment(16)
            .capacity(256)
            .larger_requests(fastalloc::larger_requests::to_upstream)
            .build();
    };
    return {of(small_size), of(size)};
}

/// The resource, and what mistakes need of it.
template <class Resource>
struct bench {
    one_way_resource upstream;
    std::optional<Resource> resource{std::in_place, classes(), &upstream};

    void* take() { return resource->allocate(size, 16); }
    void put(void* p) { resource->deallocate(p, size, 16); }

    /// Effects: takes a block and gives it back, if there is one. Exits if something is not as it should be.
    void use() {
        void* const p = resource->try_allocate(size, 16);
        if (p == nullptr) return;
        if (!resource->owns(p) || resource->in_use() == 0) std::exit(3);
        put(p);
    }

    /// Effects: magazines are empty.
    void spill() {
        when = "at spill";
        resource->trim();
    }

    void destroy() {
        when = "at end";
        resource.reset();
    }
};

template <class Resource>
void free_twice_at_once(bench<Resource>& b) {
    void* const p = b.take();
    b.put(p);
    b.put(p);
    b.spill();
}

template <class Resource>
void free_twice(bench<Resource>& b) {
    void* const p = b.take();
    void* const other = b.take();
    b.put(p);
    b.put(other);
    b.put(p);
    b.spill();
}

template <class Resource>
void free_foreign(bench<Resource>& b) {
    alignas(16) static std::array<std::byte, size> elsewhere;
    void* const p = b.take();
    b.put(elsewhere.data());
    b.put(p);
    b.spill();
}

template <class Resource>
void free_interior(bench<Resource>& b) {
    void* const p = b.take();
    b.put(static_cast<std::byte*>(p) + 16);
    b.spill();
}

template <class Resource>
void free_to_another(bench<Resource>& b) {
    bench<Resource> another;
    void* const p = b.take();
    void* const q = another.take();
    another.put(p);
    another.spill();
    (void)q;
}

template <class Resource>
void free_with_another_size(bench<Resource>& b) {
    void* const p = b.take();
    void* const small = b.resource->allocate(small_size, 16);
    b.resource->deallocate(p, small_size, 16);
    b.resource->deallocate(small, small_size, 16);
    b.spill();
}

template <class Resource>
void free_with_another_alignment(bench<Resource>& b) {
    void* const p = b.take();
    b.resource->deallocate(p, size, 8);
    b.spill();
}

template <class Resource>
void free_from_another_thread(bench<Resource>& b) {
    void* const p = b.take();
    std::thread([&] {
        void* const own = b.take();
        b.put(p);
        b.put(own);
        b.spill();
    }).join();
}

template <class Resource>
void free_after_release(bench<Resource>& b) {
    (void)b.take();
    (void)b.take();
    void* const p = b.take();
    b.resource->release();
    void* const later = b.take();
    b.put(p);
    b.put(later);
    b.spill();
}

template <class Resource>
void write_after_free(bench<Resource>& b) {
    void* const p = b.take();
    b.put(p);
    std::memset(p, 1, 1);
    when = "at reuse";
    for (int i = 0; i != 200; ++i) (void)b.take();
}

template <class Resource>
void overrun(bench<Resource>& b) {
    void* const p = b.take();
    std::memset(static_cast<std::byte*>(p) + size, 1, 1);
    when = "at free";
    b.put(p);
}

template <class Resource>
void overrun_of_larger(bench<Resource>& b) {
    constexpr std::size_t larger = 1024;
    void* const p = b.resource->allocate(larger, 16);
    std::memset(static_cast<std::byte*>(p) + larger, 1, 1);
    b.destroy();
}

template <class Resource>
void leak(bench<Resource>& b) {
    (void)b.take();
    b.destroy();
}

template <class Resource>
void drop_pool_before_handle(bench<Resource>& b) {
    using pool = fastalloc::object_pool<long, Resource>;
    std::optional<pool> p(std::in_place, *b.resource);
    auto handle = p->make(1);
    when = "at end";
    p.reset();
    (void)handle.release();
}

struct mistake {
    std::string_view name;
    void (*make)(std::string_view resource);
};

/// Effects: `f(bench)` for the resource of that name.
template <class F>
void with_bench(std::string_view name, F f) {
    (void)fastalloc::testing::with_resource(name,
                                            [&]<class Resource>(std::type_identity<Resource>) {
                                                static bench<Resource>* current = nullptr;
                                                bench<Resource> b;
                                                current = &b;
                                                use = [] { current->use(); };
                                                f(b);
                                            });
}

#define FASTALLOC_MISTAKE(function)                                                        \
    mistake {                                                                              \
#function, [](std::string_view r) { with_bench(r, [](auto& b) { function(b); }); } \
    }

constexpr std::array mistakes{
    FASTALLOC_MISTAKE(free_twice_at_once),
    FASTALLOC_MISTAKE(free_twice),
    FASTALLOC_MISTAKE(free_foreign),
    FASTALLOC_MISTAKE(free_interior),
    FASTALLOC_MISTAKE(free_to_another),
    FASTALLOC_MISTAKE(free_with_another_size),
    FASTALLOC_MISTAKE(free_with_another_alignment),
    FASTALLOC_MISTAKE(free_from_another_thread),
    FASTALLOC_MISTAKE(free_after_release),
    FASTALLOC_MISTAKE(write_after_free),
    FASTALLOC_MISTAKE(overrun),
    FASTALLOC_MISTAKE(overrun_of_larger),
    FASTALLOC_MISTAKE(leak),
    FASTALLOC_MISTAKE(drop_pool_before_handle),
};

constexpr std::array resources{"fixed", "growing", "thread_local", "synchronized", "lock_free"};

}  // namespace

int main(int argc, char** argv) {
    if (argc == 2 && std::string_view(argv[1]) == "--list") {
        for (const char* const name : resources) std::printf("%s ", name);
        std::printf("\n");
        for (const mistake& m : mistakes) {
            std::printf("%.*s ", static_cast<int>(m.name.size()), m.name.data());
        }
        std::printf("\n");
        return 0;
    }
    if (argc != 3) return 2;
    // Rather than wait for ever for a lock that is held where a mistake is told of.
    alarm(60);
    fastalloc::set_misuse_handler(found);
    for (const mistake& m : mistakes) {
        if (m.name != argv[2]) continue;
        m.make(argv[1]);
        std::printf("no\n");
        std::fflush(stdout);
        // What the mistake has broken is not taken down.
        _exit(0);
    }
    return 2;
}
