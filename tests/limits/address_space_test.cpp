// SPDX-License-Identifier: MIT
// When the address space is used up, each resource says so, stays usable, and gives everything back.
#include "limits/every_resource.hpp"
#include "support/counting_upstream.hpp"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory_resource>
#include <new>
#include <optional>

// Sanitizers reserve more addresses than any limit leaves.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FASTALLOC_IS_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define FASTALLOC_IS_SANITIZED
#endif
#endif

namespace fastalloc::testing {

namespace {

#define EXPECT(condition)                                                        \
    do {                                                                         \
        if (!(condition)) {                                                      \
            std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            std::_Exit(1);                                                       \
        }                                                                        \
    } while (false)

// The memory that the process may still map.
constexpr std::size_t room = 40 * mib;

std::size_t mapped_bytes() {
    std::size_t pages = 0;
    std::FILE* const file = std::fopen("/proc/self/statm", "r");
    EXPECT(file != nullptr && std::fscanf(file, "%zu", &pages) == 1);
    std::fclose(file);
    return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

void limit_address_space() {
    const rlimit limit{mapped_bytes() + room, RLIM_INFINITY};
    EXPECT(::setrlimit(RLIMIT_AS, &limit) == 0);
}

// Blocks in a list that lies in them, for there may be no other memory.
struct link {
    link* next;
};

template <class Resource>
std::size_t allocate_all(Resource& resource, std::size_t bytes, link*& all) {
    for (std::size_t count = 0;; ++count) {
        void* const p = resource.try_allocate(bytes, 8);
        if (p == nullptr) return count;
        all = ::new (p) link{all};
    }
}

template <class Resource>
void free_all(Resource& resource, std::size_t bytes, link*& all) {
    while (all != nullptr) {
        link* const next = all->next;
        resource.deallocate(all, bytes, 8);
        all = next;
    }
}

template <class Resource>
bool throws_bad_alloc(Resource& resource, std::size_t bytes) {
    try {
        (void)resource.allocate(bytes, 8);
        return false;
    } catch (const std::bad_alloc&) {
        return true;
    }
}

template <class Resource>
void use_up(Resource& resource, std::size_t bytes) {
    link* all = nullptr;
    const std::size_t count = allocate_all(resource, bytes, all);
    EXPECT(count > 0);
    EXPECT(throws_bad_alloc(resource, bytes));
    EXPECT(resource.try_allocate(bytes, 8) == nullptr);
    // What is given back can be had again, however little that is.
    link* const last = all;
    all = all->next;
    resource.deallocate(last, bytes, 8);
    void* const again = resource.try_allocate(bytes, 8);
    EXPECT(again != nullptr);
    all = ::new (again) link{all};
    free_all(resource, bytes, all);
    // And after trim, everything.
    resource.trim();
    EXPECT(allocate_all(resource, bytes, all) >= count / 2);
    free_all(resource, bytes, all);
    EXPECT(resource.in_use() == 0);
}

template <class Resource, class... Args>
void check_resource(std::pmr::memory_resource* system, std::size_t bytes, const Args&... args) {
    counting_upstream upstream(system);
    std::optional<Resource> resource(std::in_place, args..., &upstream);
    use_up(*resource, bytes);
    resource->release();
    EXPECT(upstream.bytes_out() == 0);
    use_up(*resource, bytes);
    resource.reset();
    EXPECT(upstream.bytes_out() == 0);
}

template <class Resource>
void check_each_way(std::pmr::memory_resource* system) {
    for (const std::size_t bytes : {64ul, 4'000ul, 300'000ul}) {
        check_resource<Resource>(system, bytes);
        check_resource<Resource>(system, bytes, slots_of(bytes, 16).build());
    }
}

void check_all(std::pmr::memory_resource* system) {
    check_each_way<growing_pool_resource>(system);
    check_each_way<synchronized_pool_resource>(system);
    check_each_way<lock_free_pool_resource>(system);
    check_each_way<thread_local_pool_resource>(system);
}

void check_fixed(std::pmr::memory_resource* system) {
    bool is_refused = false;
    try {
        fixed_pool_resource too_large(slots_of(64, 2 * room / 64).build(), system);
    } catch (const std::bad_alloc&) {
        is_refused = true;
    }
    EXPECT(is_refused);
    fixed_pool_resource resource(slots_of(64, 1'000).build(), system);
    use_up(resource, 64);
}

void check_allocator() {
    auto& pool = static_cast<lock_free_pool_resource&>(*default_resource());
    for (const std::size_t bytes : {64ul, 300'000ul}) {
        link* all = nullptr;
        EXPECT(allocate_all(pool, bytes, all) > 0);
        EXPECT(throws_bad_alloc(pool, bytes));
        bool is_refused = false;
        try {
            (void)allocator<char>().allocate(bytes);
        } catch (const std::bad_alloc&) {
            is_refused = true;
        }
        EXPECT(is_refused);
        free_all(pool, bytes, all);
        pool.trim();
    }
}

void check_objects() {
    using object = std::array<char, 1'000>;
    growing_pool<object> pool(pool_config::builder().capacity(16).build());
    object* all = nullptr;
    std::size_t count = 0;
    while (owned_handle<object> made = pool.try_make()) {
        object* const raw = made.release();
        std::memcpy(raw->data(), &all, sizeof all);
        all = raw;
        ++count;
    }
    EXPECT(count > 100 && pool.in_use() == count);
    for (; all != nullptr; --count) {
        const owned_handle<object> last = pool.adopt(all);
        std::memcpy(&all, last->data(), sizeof all);
    }
    EXPECT(count == 0 && pool.in_use() == 0);
}

// Returns: whether `f` did not end its process otherwise than by returning.
bool works_in_a_child(void (*f)()) {
    const pid_t child = fork();
    if (child == 0) {
        limit_address_space();
        f();
        std::_Exit(0);
    }
    int status = 0;
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

}  // namespace

}  // namespace fastalloc::testing

int main() {
    using namespace fastalloc::testing;
#ifdef FASTALLOC_IS_SANITIZED
    std::puts("skipped: a sanitizer needs more addresses than a limit leaves");
    return 77;
#endif
    const bool all_work[] = {
        works_in_a_child([] { check_all(std::pmr::new_delete_resource()); }),
        works_in_a_child([] {
            fastalloc::page_resource pages;
            check_all(&pages);
            if (pages.statistics().current_bytes != 0) std::_Exit(1);
        }),
        works_in_a_child([] { check_fixed(std::pmr::new_delete_resource()); }),
        works_in_a_child(check_allocator),
        works_in_a_child(check_objects),
    };
    int failures = 0;
    for (const bool works : all_work) failures += works ? 0 : 1;
    std::printf("%d failures\n", failures);
    return failures;
}
