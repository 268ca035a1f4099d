// SPDX-License-Identifier: MIT
#include "system_pages.hpp"

#include <fastalloc/detail/align.hpp>
#include <fastalloc/error.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#ifdef FASTALLOC_NUMA
#include <numaif.h>
#endif

namespace fastalloc::detail {

namespace {

// Of two mebibytes, whatever the system's own default is.
constexpr int log_of_size = 21;
constexpr int reserved_huge = MAP_HUGETLB | log_of_size << 26;
static_assert(huge_page == std::size_t{1} << log_of_size);

mapping try_map_anywhere(std::size_t bytes, int flags) noexcept {
    void* const p =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
    return p == MAP_FAILED ? mapping() : mapping(static_cast<std::byte*>(p), bytes);
}

mapping try_map_aligned(std::size_t bytes, std::size_t alignment, std::size_t unit,
                        int flags) noexcept {
    // Often it is aligned as it comes, and then has no gaps beside it.
    mapping exact = try_map_anywhere(bytes, flags);
    if (exact.is_empty() || address(exact.base()) % alignment == 0) return exact;
    exact = mapping();
    const std::size_t padded = saturating_add(bytes, alignment - unit);
    mapping wide = try_map_anywhere(padded, flags);
    if (wide.is_empty()) return {};
    const std::size_t before = round_up(address(wide.base()), alignment) - address(wide.base());
    std::byte* const base = wide.base() + before;
    const mapping head(before == 0 ? nullptr : wide.base(), before);
    const std::size_t after = padded - before - bytes;
    const mapping tail(after == 0 ? nullptr : base + bytes, after);
    wide.disown();
    return {base, bytes};
}

// What a file of the system says, of which only so much is of interest.
class setting {
public:
    explicit setting(const char* path) noexcept {
        const int file = ::open(path, O_RDONLY | O_CLOEXEC);
        if (file < 0) return;
        const ssize_t got = ::read(file, text_.data(), text_.size());
        if (got > 0) size_ = static_cast<std::size_t>(got);
        ::close(file);
    }

    bool is_empty() const noexcept { return size_ == 0; }

    bool says(std::string_view word) const noexcept {
        return std::string_view(text_.data(), size_).find(word) != std::string_view::npos;
    }

private:
    std::array<char, 128> text_;
    std::size_t size_ = 0;
};

// Whether who asks for transparent huge pages of our size may get some.
bool has_transparent_huge_pages() noexcept {
    if (::prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 1) return false;
    const setting size("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size");
    if (!size.is_empty() && !size.says("2097152")) return false;
    const setting own("/sys/kernel/mm/transparent_hugepage/hugepages-2048kB/enabled");
    if (!own.is_empty() && !own.says("[inherit]")) return !own.says("[never]");
    const setting all("/sys/kernel/mm/transparent_hugepage/enabled");
    return !all.is_empty() && !all.says("[never]");
}

struct file_closer {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};

#ifdef FASTALLOC_NUMA

constexpr const char* node_is_refused = "the system lets this process take no memory from there";

// Preferred, not bound: where a node has nothing left, the kernel would end a process for it.
bool prefer_node(const mapping& memory, int node) noexcept {
    constexpr std::size_t bits = 64;
    std::array<unsigned long, 1024 / bits> nodes{};
    const auto n = static_cast<std::size_t>(node);
    if (n / bits >= nodes.size()) return false;
    nodes[n / bits] = 1ul << n % bits;
    // The kernel reads one bit less than it is told.
    return ::mbind(memory.base(), memory.bytes(), MPOL_PREFERRED, nodes.data(),
                   nodes.size() * bits + 1, 0) == 0;
}

#else

constexpr const char* node_is_refused = "the library was built without libnuma";

bool prefer_node(const mapping&, int) noexcept { return false; }

#endif

}  // namespace

mapping::~mapping() {
    if (base_ == nullptr || ::munmap(base_, bytes_) == 0) return;
    // The process has as many mappings as it may, and this would make one into two. The addresses are
    // lost, but not the memory.
    ::madvise(base_, bytes_, MADV_DONTNEED);
}

system_pages::system_pages(const page_options& options)
    : options_(options), page_bytes_(static_cast<std::size_t>(::sysconf(_SC_PAGESIZE))) {
    if (options.huge == huge_pages::reserved &&
        try_map_anywhere(huge_page, reserved_huge).is_empty()) {
        throw_invalid("huge", "reserved", "the system has set no huge page of 2 MiB aside");
    }
    if (!options.numa_node) return;
    const mapping probe = try_map_anywhere(page_bytes_, 0);
    if (probe.is_empty()) throw_bad_alloc();
    if (!bind(probe)) {
        throw_invalid("numa_node", std::to_string(*options.numa_node), node_is_refused);
    }
}

mapping system_pages::try_map(std::size_t bytes, std::size_t alignment) noexcept {
    mapping memory;
    if (has_reserved()) memory = try_map_aligned(bytes, alignment, unit(), reserved_huge);
    const bool is_reserved = !memory.is_empty();
    if (memory.is_empty() && options_.huge != huge_pages::reserved) {
        memory = try_map_aligned(bytes, alignment, page_bytes_, 0);
    }
    if (memory.is_empty()) return {};
    const bool is_advised = !is_reserved && advise_huge(memory);
    if (!bind(memory)) return {};
    if (options_.lock && ::mlock(memory.base(), bytes) != 0) return {};
    if (options_.pre_fault && !fault_in(memory)) return {};
    const bool as_asked = has_reserved() ? is_reserved : is_advised;
    if (!as_asked) fallbacks_.fetch_add(1, std::memory_order_relaxed);
    return memory;
}

// Returns: whether the system will act on it.
bool system_pages::advise_huge(const mapping& memory) const noexcept {
    if (options_.huge == huge_pages::off) {
        // Where there are none, this fails and is not needed.
        ::madvise(memory.base(), memory.bytes(), MADV_NOHUGEPAGE);
        return true;
    }
    return ::madvise(memory.base(), memory.bytes(), MADV_HUGEPAGE) == 0 &&
           has_transparent_huge_pages();
}

bool system_pages::bind(const mapping& memory) const noexcept {
    return !options_.numa_node || prefer_node(memory, *options_.numa_node);
}

bool system_pages::fault_in(const mapping& memory) const noexcept {
#ifdef MADV_POPULATE_WRITE
    if (::madvise(memory.base(), memory.bytes(), MADV_POPULATE_WRITE) == 0) return true;
    if (errno != EINVAL) return false;  // else the kernel is older than that
#endif
    volatile std::byte* const pages = memory.base();
    for (std::size_t at = 0; at < memory.bytes(); at += page_bytes_) pages[at] = std::byte{0};
    return true;
}

void system_pages::give_back(std::byte* base, std::size_t bytes) noexcept {
    ::madvise(base, bytes, MADV_DONTNEED);
}

void visit_page_usage(void (*f)(void* context, const page_usage& usage), void* context) noexcept {
    const std::unique_ptr<std::FILE, file_closer> file(std::fopen("/proc/self/smaps", "re"));
    if (file == nullptr) return;
    page_usage now{};
    // A line for a mapping, which may end with a path, then one for each of its figures.
    std::array<char, 8192> line;
    while (std::fgets(line.data(), line.size(), file.get()) != nullptr) {
        std::uintptr_t begin = 0;
        std::uintptr_t end = 0;
        std::size_t kibibytes = 0;
        std::array<char, 32> key;
        if (std::sscanf(line.data(), "%" SCNxPTR "-%" SCNxPTR, &begin, &end) == 2) {
            if (now.begin != nullptr) f(context, now);
            now = {reinterpret_cast<const std::byte*>(begin),
                   reinterpret_cast<const std::byte*>(end), 0, 0};
        } else if (std::sscanf(line.data(), "%31[^:]: %zu kB", key.data(), &kibibytes) == 2) {
            const std::string_view name = key.data();
            const bool is_reserved = name == "Private_Hugetlb" || name == "Shared_Hugetlb";
            if (name == "Rss" || is_reserved) now.resident_bytes += kibibytes * 1024;
            if (name == "AnonHugePages" || is_reserved) now.huge_bytes += kibibytes * 1024;
        }
    }
    if (now.begin != nullptr) f(context, now);
}

}  // namespace fastalloc::detail
