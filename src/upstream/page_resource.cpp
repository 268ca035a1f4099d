// SPDX-License-Identifier: MIT
#include "extent.hpp"
#include "system_pages.hpp"

#include <fastalloc/detail/align.hpp>
#include <fastalloc/error.hpp>
#include <fastalloc/upstream/page_resource.hpp>

#include <algorithm>
#include <iterator>
#include <map>
#include <mutex>
#include <utility>

namespace fastalloc {

using detail::extent;
using detail::huge_page;
using detail::mapping;

namespace {

constexpr std::size_t largest_extent = 8 * huge_page;

// Whether a request is a piece of an extent, or else has a mapping of its own.
bool is_piece(std::size_t bytes, std::size_t alignment) noexcept {
    return bytes <= huge_page && alignment <= huge_page;
}

const mapping& memory_of(const extent& e) noexcept { return e.memory(); }
const mapping& memory_of(const mapping& m) noexcept { return m; }

// Returns: how many bytes of [begin, end) are in one of these.
template <class Map>
std::size_t overlap(const Map& mapped, const std::byte* begin, const std::byte* end) noexcept {
    std::size_t sum = 0;
    auto at = mapped.upper_bound(begin);
    if (at != mapped.begin()) --at;
    for (; at != mapped.end() && at->first < end; ++at) {
        const mapping& memory = memory_of(at->second);
        const std::byte* const first = std::max<const std::byte*>(begin, memory.base());
        const std::byte* const last = std::min<const std::byte*>(end, memory.end());
        if (first < last) sum += static_cast<std::size_t>(last - first);
    }
    return sum;
}

}  // namespace

/// The books, and what is done by them.
class page_resource::heap {
public:
    heap(const page_options& options, std::pmr::memory_resource* books)
        : pages_(options), books_(books), extents_(books), rooms_(books), alone_(books) {}

    std::pmr::memory_resource* books() const noexcept { return books_; }
    const page_options& options() const noexcept { return pages_.options(); }

    std::byte* take_piece(std::size_t bytes, std::size_t alignment);
    void put_piece(std::byte* p, std::size_t bytes) noexcept;
    std::byte* map_alone(std::size_t bytes, std::size_t alignment);
    void unmap_alone(std::byte* p, std::size_t bytes) noexcept;

    page_statistics statistics() const noexcept;
    bool invariants_hold() const noexcept;

private:
    struct placed_extent;
    // By the room that each has.
    using rooms = std::pmr::multimap<std::size_t, placed_extent*>;

    struct placed_extent : extent {
        using extent::extent;
        rooms::iterator place;
    };

    placed_extent& add_extent(std::size_t bytes);
    std::byte* take_from(placed_extent& e, std::size_t bytes, std::size_t alignment) noexcept;
    void update_room(placed_extent& e) noexcept;

    detail::system_pages pages_;
    std::pmr::memory_resource* books_;
    mutable std::mutex lock_;
    // By where each begins; one of which nothing is in use does not stay. All are in rooms_ too.
    std::pmr::map<const std::byte*, placed_extent> extents_;
    rooms rooms_;
    std::pmr::map<const std::byte*, mapping> alone_;
    std::size_t extent_bytes_ = 0;   // sum over extents_
    std::size_t alone_bytes_ = 0;    // sum over alone_
    std::size_t current_bytes_ = 0;  // of blocks; <= extent_bytes_ + alone_bytes_
};

page_resource::heap::placed_extent& page_resource::heap::add_extent(std::size_t bytes) {
    // A piece of a little more than half of it would waste the rest.
    const std::size_t wanted = std::max(4 * bytes, std::min(extent_bytes_ / 8, largest_extent));
    mapping memory = pages_.try_map(detail::round_up(wanted, huge_page), huge_page);
    if (memory.is_empty()) memory = pages_.try_map(huge_page, huge_page);
    if (memory.is_empty()) detail::throw_bad_alloc();
    const std::byte* const base = memory.base();
    const auto made = extents_.try_emplace(base, std::move(memory), books_).first;
    placed_extent& e = made->second;
    try {
        e.place = rooms_.emplace(e.room(), &e);
    } catch (...) {
        extents_.erase(made);
        throw;
    }
    extent_bytes_ += e.memory().bytes();
    return e;
}

// Returns: null if there is no piece that fits. Its place among the rooms may be another then, but
// none behind the one that it had.
std::byte* page_resource::heap::take_from(placed_extent& e, std::size_t bytes,
                                          std::size_t alignment) noexcept {
    std::byte* const p = e.try_take(bytes, alignment);
    if (p == nullptr) update_room(e);
    return p;
}

void page_resource::heap::update_room(placed_extent& e) noexcept {
    if (e.place->first == e.room()) return;
    auto node = rooms_.extract(e.place);
    node.key() = e.room();
    e.place = rooms_.insert(std::move(node));
}

std::byte* page_resource::heap::take_piece(std::size_t bytes, std::size_t alignment) {
    const std::size_t least = std::max(bytes, std::size_t{1});
    const std::lock_guard guard(lock_);
    std::byte* p = nullptr;
    for (auto at = rooms_.lower_bound(least); p == nullptr && at != rooms_.end();) {
        placed_extent& e = *(at++)->second;
        p = take_from(e, bytes, alignment);
    }
    if (p == nullptr) p = take_from(add_extent(least), bytes, alignment);
    current_bytes_ += bytes;
    return p;
}

void page_resource::heap::put_piece(std::byte* p, std::size_t bytes) noexcept {
    // Unmapped when the lock is free again.
    mapping unused;
    const std::lock_guard guard(lock_);
    current_bytes_ -= bytes;
    const auto at = std::prev(extents_.upper_bound(p));
    placed_extent& e = at->second;
    e.put(p, bytes);
    if (e.is_empty()) {
        extent_bytes_ -= e.memory().bytes();
        unused = e.release();
        rooms_.erase(e.place);
        extents_.erase(at);
        return;
    }
    update_room(e);
    if (pages_.gives_back_pages()) e.give_back(p, bytes, pages_);
}

std::byte* page_resource::heap::map_alone(std::size_t bytes, std::size_t alignment) {
    const std::size_t least = pages_.options().huge == huge_pages::off ? pages_.unit() : huge_page;
    const std::size_t whole = detail::round_up(std::max(bytes, std::size_t{1}), pages_.unit());
    // It may take long to fault in, and no book is needed for it.
    mapping memory = pages_.try_map(whole, std::max(alignment, least));
    if (memory.is_empty()) detail::throw_bad_alloc();
    std::byte* const base = memory.base();
    const std::lock_guard guard(lock_);
    alone_.try_emplace(base, std::move(memory));
    alone_bytes_ += whole;
    current_bytes_ += bytes;
    return base;
}

void page_resource::heap::unmap_alone(std::byte* p, std::size_t bytes) noexcept {
    mapping unused;
    const std::lock_guard guard(lock_);
    const auto at = alone_.find(p);
    unused = std::move(at->second);
    alone_bytes_ -= unused.bytes();
    current_bytes_ -= bytes;
    alone_.erase(at);
}

page_statistics page_resource::heap::statistics() const noexcept {
    const std::lock_guard guard(lock_);
    page_statistics s;
    s.current_bytes = current_bytes_;
    s.mapped_bytes = extent_bytes_ + alone_bytes_;
    s.locked_bytes = options().lock ? s.mapped_bytes : 0;
    s.mappings = extents_.size() + alone_.size();
    s.huge_fallbacks = pages_.fallbacks();
    s.numa_node = options().numa_node;
    if (s.mappings == 0) return s;
    detail::visit_page_usage([&](const detail::page_usage& usage) {
        const std::size_t ours =
            overlap(extents_, usage.begin, usage.end) + overlap(alone_, usage.begin, usage.end);
        // The system may have made one of ours and its neighbours: what does not fit into those is in
        // ours.
        const std::size_t others = static_cast<std::size_t>(usage.end - usage.begin) - ours;
        s.resident_bytes += usage.resident_bytes - std::min(usage.resident_bytes, others);
        s.huge_bytes += usage.huge_bytes - std::min(usage.huge_bytes, others);
    });
    return s;
}

bool page_resource::heap::invariants_hold() const noexcept {
    const std::lock_guard guard(lock_);
    std::size_t extent_bytes = 0;
    for (const auto& [base, e] : extents_) {
        if (e.memory().base() != base || e.is_empty() || !e.invariants_hold()) return false;
        extent_bytes += e.memory().bytes();
    }
    for (auto at = rooms_.begin(); at != rooms_.end(); ++at) {
        const placed_extent& e = *at->second;
        if (e.place != at || e.room() != at->first) return false;
    }
    std::size_t alone_bytes = 0;
    for (const auto& [base, memory] : alone_) {
        if (memory.base() != base) return false;
        alone_bytes += memory.bytes();
    }
    return rooms_.size() == extents_.size() && extent_bytes == extent_bytes_ &&
           alone_bytes == alone_bytes_ && current_bytes_ <= extent_bytes + alone_bytes;
}

page_resource::page_resource(const page_options& options, std::pmr::memory_resource* books)
    : heap_(std::pmr::polymorphic_allocator<>(books).new_object<heap>(options, books)) {}

page_resource::~page_resource() {
    std::pmr::polymorphic_allocator<>(heap_->books()).delete_object(heap_);
}

const page_options& page_resource::options() const noexcept { return heap_->options(); }

page_statistics page_resource::statistics() const noexcept { return heap_->statistics(); }

bool page_resource::invariants_hold() const noexcept { return heap_->invariants_hold(); }

void* page_resource::do_allocate(std::size_t bytes, std::size_t alignment) {
    if (bytes > detail::largest_request) detail::throw_bad_alloc();
    return is_piece(bytes, alignment) ? heap_->take_piece(bytes, alignment)
                                      : heap_->map_alone(bytes, alignment);
}

void page_resource::do_deallocate(void* p, std::size_t bytes, std::size_t alignment) {
    auto* const start = static_cast<std::byte*>(p);
    if (is_piece(bytes, alignment)) {
        heap_->put_piece(start, bytes);
    } else {
        heap_->unmap_alone(start, bytes);
    }
}

}  // namespace fastalloc
