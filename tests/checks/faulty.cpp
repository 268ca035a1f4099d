// SPDX-License-Identifier: MIT
/// Makes a memory error in slots of a pool, for a memory checker to find.
///
/// Usage: faulty RESOURCE FAULT UPSTREAM     exits with 0 if nobody stops it
///
/// FAULT "none" makes none. UPSTREAM is "heap", or "pages" for memory that no heap knows of.

#include "checks/resource_by_name.hpp"

#include <fastalloc/fastalloc.hpp>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory_resource>
#include <string_view>
#include <type_traits>

namespace {

constexpr std::size_t size = 40;  // of a slot of 48 bytes

/// What the compiler must believe that somebody looks at.
volatile unsigned char seen;

// The memory sanitizer looks at what decides something.
void read(const unsigned char* p) {
    if (*p == 77) seen = 77;
}

// A name for a report to show.
[[gnu::noinline]] void write(unsigned char* p) {
    *p = 1;
    asm volatile("" : : : "memory");
}

template <class Resource>
void make_error(Resource& resource, std::string_view fault) {
    const auto take = [&] { return static_cast<unsigned char*>(resource.allocate(size, 8)); };
    const auto put = [&](void* p) { resource.deallocate(p, size, 8); };
    unsigned char* const p = take();
    unsigned char* const neighbour = take();
    std::memset(p, 0, size);
    std::memset(neighbour, 0, size);
    if (fault == "read_after_free") {
        put(p);
        read(p);
    } else if (fault == "write_after_free") {
        put(p);
        write(p);
    } else if (fault == "overrun") {
        write(p + size);
    } else if (fault == "never_taken") {
        // The slots behind the two that were taken were never anybody's.
        write((p < neighbour ? neighbour : p) + 3 * 64);
    } else if (fault == "uninitialized") {
        unsigned char* const q = take();
        read(q);
        put(q);
    } else if (fault == "after_release") {
        resource.release();
        read(p);
    } else {
        // What a program may do.
        put(p);
        put(neighbour);
        std::array<unsigned char*, 300> all{};
        for (int round = 0; round != 3; ++round) {
            for (unsigned char*& q : all) std::memset(q = take(), 1, size);
            for (unsigned char* const q : all) {
                read(q + size - 1);
                put(q);
            }
            resource.trim();
        }
        (void)take();
        resource.release();
        std::memset(take(), 2, size);
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) return 2;
    const std::string_view name = argv[1];
    const std::string_view fault = argv[2];
    fastalloc::page_resource pages;
    std::pmr::memory_resource* const upstream =
        std::string_view(argv[3]) == "pages" ? &pages : std::pmr::new_delete_resource();
    const auto config = fastalloc::pool_config::builder().slot_size(48).capacity(512).build();
    const bool found =
        fastalloc::testing::with_resource(name, [&]<class Resource>(std::type_identity<Resource>) {
            Resource resource(config, upstream);
            make_error(resource, fault);
        });
    return found ? 0 : 2;
}
