// SPDX-License-Identifier: MIT
/// How much memory blocks of 64 bytes take, by what a resource has asked its upstream for and by
/// what the process has in memory. Each cell runs in a process of its own; its time says nothing.

#include "apart.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory_resource>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace perf {

namespace {

// Looking.

/// Returns: bytes of the process in memory, but for files, without asking for any.
std::size_t resident() {
    // Only here it is exact: what else counts is summed up by core when the kernel finds time.
    static std::array<char, 4096> buffer;
    const int file = open("/proc/self/smaps_rollup", O_RDONLY);
    const auto size = read(file, buffer.data(), buffer.size());
    close(file);
    const std::string_view text(buffer.data(), size < 0 ? 0 : static_cast<std::size_t>(size));
    constexpr std::string_view field = "Anonymous:";
    const auto start = text.find_first_of("0123456789", text.find(field));
    if (start == text.npos) std::abort();  // no Linux since 4.14
    std::size_t kibibytes = 0;
    std::from_chars(text.data() + start, text.data() + text.size(), kibibytes);
    return kibibytes * 1024;
}

// The contenders.

/// Counts the bytes that it got from another resource and did not give back.
class counted final : public std::pmr::memory_resource {
public:
    explicit counted(std::pmr::memory_resource* source) : source_(source) {}

    std::size_t bytes() const { return bytes_; }

private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        void* const p = source_->allocate(bytes, alignment);
        bytes_ += bytes;
        return p;
    }

    void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) override {
        source_->deallocate(p, bytes, alignment);
        bytes_ -= bytes;
    }

    bool do_is_equal(const memory_resource& other) const noexcept override {
        return this == &other;
    }

    std::pmr::memory_resource* source_;
    std::size_t bytes_ = 0;
};

struct heap {
    std::pmr::memory_resource* resource() { return std::pmr::new_delete_resource(); }
};

struct pages {
    std::pmr::memory_resource* resource() { return &all; }
    fastalloc::page_resource all;
};

template <class Source>
struct upstream_of {
    Source source;
    counted upstream{source.resource()};
};

/// A resource over a source of memory, which is counted.
template <label Name, class Resource, class Source = heap>
class over_counted : upstream_of<Source>, public through_pointer<Name, Resource> {
public:
    template <class... Arguments>
    requires std::is_constructible_v<Resource, Arguments..., std::pmr::memory_resource*>
    explicit over_counted(Arguments... arguments)
        : through_pointer<Name, Resource>(arguments..., &this->upstream) {}

    std::size_t upstream_bytes() const { return this->upstream.bytes(); }
};

using keepers =
    contender_list<through_pointer<"malloc", process_malloc>, through_pointer<"mimalloc", mimalloc>,
                   through_pointer<"tbb", tbb_malloc>,
#ifdef FASTALLOC_PERF_FOONATHAN
                   through_pointer<"foonathan_log2", foonathan_log2>,
                   through_pointer<"foonathan", foonathan_identity>,
#endif
#ifdef FASTALLOC_PERF_BOOST_POOL
                   through_pointer<"boost_simple_pool", boost_blocks>,
#endif
#ifdef FASTALLOC_PERF_BOOST
                   over_counted<"boost_pool", boost_pool>,
#endif
                   over_counted<"libstdc++_pool", std::pmr::unsynchronized_pool_resource>,
                   over_counted<"fastalloc_fixed", fixed_blocks>,
                   over_counted<"fastalloc_growing", fastalloc::growing_pool_resource>,
                   over_counted<"fastalloc_pages", fastalloc::growing_pool_resource, pages>,
                   over_counted<"fastalloc_thread_local", fastalloc::thread_local_pool_resource>,
                   over_counted<"fastalloc_synchronized", fastalloc::synchronized_pool_resource>,
                   over_counted<"fastalloc_lock_free", fastalloc::lock_free_pool_resource>>;

/// Returns: the function of a library that is loaded; null if there is none.
template <class Function>
Function* function_of(const char* library, const char* name) {
    void* const handle = dlopen(library, RTLD_LAZY | RTLD_NOLOAD);
    return handle == nullptr ? nullptr : reinterpret_cast<Function*>(dlsym(handle, name));
}

// Returns: whether there is a way to ask the resource to give back what it does not need.
// Effects: asks.

template <class Resource>
bool trim(Resource& resource) {
    if constexpr (requires { resource.trim(); }) {
        resource.trim();
        return true;
    } else {
        return false;
    }
}

bool trim(mimalloc&) {
    auto* const collect = function_of<void(bool)>("libmimalloc.so.2", "mi_collect");
    if (collect != nullptr) collect(true);
    return collect != nullptr;
}

bool trim(tbb_malloc&) {
    constexpr int clean_all_buffers = 0;  // TBBMALLOC_CLEAN_ALL_BUFFERS
    auto* const command =
        function_of<int(int, void*)>("libtbbmalloc.so.2", "scalable_allocation_command");
    if (command != nullptr) command(clean_all_buffers, nullptr);
    return command != nullptr;
}

bool trim(process_malloc&) {
    if (process_malloc::library == "glibc") {
        malloc_trim(0);
        return true;
    }
    using mallctl = int(const char*, void*, std::size_t*, void*, std::size_t);
    if (auto* const control = function_of<mallctl>(nullptr, "mallctl")) {
        control("arena.4096.purge", nullptr, nullptr, nullptr, 0);  // MALLCTL_ARENAS_ALL
        return true;
    }
    auto* const release = function_of<void()>(nullptr, "MallocExtension_ReleaseFreeMemory");
    if (release != nullptr) release();
    return release != nullptr;
}

// The rows.

/// What came into memory since.
class growth {
public:
    double bytes() const { return static_cast<double>(resident()) - static_cast<double>(before_); }
    double mebibytes() const { return bytes() / (1 << 20); }

private:
    static std::size_t at_rest() {
        // What the process inherited as garbage would be used first, and seem to cost nothing.
        process_malloc inherited;
        trim(inherited);
        return resident();
    }

    std::size_t before_ = at_rest();
};

/// `count` blocks that are live and were written to.
auto live(std::uint32_t count) {
    return apart{[=](auto contender_type) {
        std::vector<item*> blocks(count);
        const growth since;
        auto contender = make(contender_type, expected{count});
        auto allocator = contender.door().template allocator<item>();
        for (item*& p : blocks) p = take(allocator);
        outcome result;
        const double live_bytes = static_cast<double>(count) * sizeof(item);
        if constexpr (requires { contender.upstream_bytes(); }) {
            result.add("upstream_per_live_byte",
                       static_cast<double>(contender.upstream_bytes()) / live_bytes);
        }
        result.add("resident_per_live_byte", since.bytes() / live_bytes);
        for (item* const p : blocks) give(allocator, p);
        return result;
    }};
}

/// `count` blocks at once, freed in random order, between two times in which 1,000 blocks are
/// replaced at random.
auto spike(std::uint32_t count) {
    return apart{[=](auto contender_type) {
        constexpr std::uint32_t few = 1'000;
        const numbers order = shuffled(count);
        const numbers places = random_below(few, 100'000);
        std::vector<item*> blocks(count);
        const growth since;
        auto contender = make(contender_type, expected{count});
        auto allocator = contender.door().template allocator<item>();
        outcome result;
        const auto steady = [&](const char* name) {
            for (std::size_t i = 0; i != few; ++i) blocks[i] = take(allocator);
            for (const std::uint32_t i : places) {
                give(allocator, blocks[i]);
                blocks[i] = take(allocator);
            }
            result.add(name, since.mebibytes());
            for (std::size_t i = 0; i != few; ++i) give(allocator, blocks[i]);
        };
        steady("before_mib");
        for (item*& p : blocks) p = take(allocator);
        result.add("peak_mib", since.mebibytes());
        for (const std::uint32_t i : order) give(allocator, blocks[i]);
        result.add("freed_mib", since.mebibytes());
        if (trim(contender.resource())) result.add("trimmed_mib", since.mebibytes());
        steady("steady_mib");
        return result;
    }};
}

}  // namespace

void add_rows() {
    for (std::uint32_t n = 1'000; n <= 10'000'000; n *= 10) {
        add_row("live_" + std::to_string(n), live(n), keepers{});
    }
    add_row("spike_1000000", spike(1'000'000), keepers{});
}

}  // namespace perf
