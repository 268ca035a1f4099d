// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/detail/export.hpp>
#include <fastalloc/statistics.hpp>

#include <cstddef>
#include <memory_resource>
#include <optional>
#include <string_view>

namespace fastalloc {

/// Huge pages are those of 2 MiB.
enum class huge_pages : unsigned char {
    off,          ///< none
    transparent,  ///< where the system has them to give, and ordinary pages elsewhere
    reserved,     ///< those that were set aside for such use (hugetlbfs), and no other memory
    reserved_or_transparent,  ///< those while there are enough, then as `transparent`
};

/// What the memory of a `page_resource` is to be like.
struct page_options {
    huge_pages huge = huge_pages::transparent;

    /// Pages are there before a block is handed out: its first use takes no page fault.
    bool pre_fault = false;

    /// The same, and pages stay in memory: they are locked, within `RLIMIT_MEMLOCK`. A child of
    /// `fork()` has none of them locked.
    bool lock = false;

    /// The NUMA node that memory comes from, while that has any; others help out. Valid: a node that
    /// this process may use, if the library was built with libnuma.
    std::optional<int> numa_node = std::nullopt;
};

/// Memory straight from the system, for pools: an upstream that asks nobody but the kernel.
///
/// Requests of up to 2 MiB are cut out of extents, in multiples of 256 bytes. An extent is a mapping of
/// whole huge pages, in which there is room for four requests like the first; it is no smaller than an
/// eighth of all before it, up to 16 MiB, while the system has so much. A larger request, or one for a
/// larger alignment, is a mapping of its own. Nothing is written to memory that is free: the books are
/// kept elsewhere.
///
/// What is given back goes back to the system at once: an extent, or a mapping, when nothing of it
/// is in use; before that, the pages that nothing is left in. There are two exceptions. Of a huge
/// page more than half of which is in use, nothing goes back, for it would have to be broken up.
/// With `pre_fault`, `lock` or reserved huge pages only whole extents and mappings do.
///
/// A pool above it keeps what it has; ask for many small blocks through one.
///
/// Thread safety: full. Threads wait for each other, and for the kernel. After `fork()` the child may
/// use it if no other thread of the parent was inside. Equality: identity.
class FASTALLOC_EXPORT page_resource : public std::pmr::memory_resource {
public:
    /// What reports call it.
    static constexpr std::string_view type_name = "page_resource";

    page_resource() : page_resource(page_options{}) {}

    /// Effects: takes no memory of the system yet.
    /// Throws: `invalid_configuration` if an option asks for what this system does not have, naming
    /// it; what the books throw.
    explicit page_resource(const page_options& options)
        : page_resource(options, std::pmr::new_delete_resource()) {}

    /// The same, with a resource for the books, about a thousandth of the memory. It is asked by
    /// one thread at a time. Preconditions: `books` is not null, outlives this, and does not use it.
    page_resource(const page_options& options, std::pmr::memory_resource* books);

    page_resource(const page_resource&) = delete;
    page_resource& operator=(const page_resource&) = delete;

    /// Effects: gives everything back to the system, also blocks that are with users.
    ~page_resource() override;

    const page_options& options() const noexcept;

    /// Returns: how much memory there is, and of what kind. What is resident and huge is what the
    /// system says in `/proc/self/smaps`, at this moment: 0 where that cannot be read, and no more
    /// than there is where the system does not tell memory of this apart from its neighbours.
    /// Complexity: linear in the number of mappings of the process: it may take milliseconds, in
    /// which other threads wait to be served. Thread safety: full.
    page_statistics statistics() const noexcept;

    /// Whether the books are as the invariants say. For tests, and builds that check everything.
    /// Complexity: linear in the memory that there is, 16 KiB at a time. Thread safety: full.
    bool invariants_hold() const noexcept;

protected:
    /// Returns: storage that is filled with zeros when it comes from the system, and not when it was
    /// in use before. Zero bytes take as many as one.
    /// Preconditions: `alignment` is a power of two.
    /// Throws: `std::bad_alloc` if the system has no memory, or none that is as the options say; what
    /// the books throw. No effects then.
    /// Complexity: logarithmic in the number of extents, and linear in the size of one; linear in
    /// their number for alignments above 256.
    void* do_allocate(std::size_t bytes, std::size_t alignment) final;

    /// Complexity: as above.
    void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) final;

    bool do_is_equal(const std::pmr::memory_resource& other) const noexcept final {
        return this == &other;
    }

private:
    class heap;

    heap* heap_;
};

}  // namespace fastalloc
