// SPDX-License-Identifier: MIT
#include "support/catch.hpp"
#include "support/checking_resource.hpp"

#include <fastalloc/storage/slab_directory.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <map>
#include <new>
#include <random>
#include <utility>

namespace fastalloc::testing {

namespace {

using detail::slab_directory;
using detail::slab_range;

std::byte* at(std::uintptr_t address) { return reinterpret_cast<std::byte*>(address); }

/// Effects: enters `added`, in a larger directory if need be.
void enter(slab_directory& directory, slab_range* added, slab_range* others,
           std::pmr::memory_resource* upstream) {
    if (directory.has_room_for(*added)) return directory.insert(added);
    slab_directory larger = slab_directory::made_of(added, others, upstream);
    std::swap(larger, directory);
    larger.release(upstream);
}

/// A directory of slabs that lie wherever a test wants them; nobody looks into them.
class fake_slabs {
public:
    ~fake_slabs() { directory.release(&upstream); }

    void add(std::uintptr_t base, std::size_t bytes) {
        slabs_.push_back({at(base), bytes, nullptr});
        slab_range* const s = &slabs_.back();
        enter(directory, s, list_, &upstream);
        s->next = list_;
        list_ = s;
        by_base_[base] = s;
    }

    /// Effects: removes every slab but each `n`-th.
    void keep_each(std::size_t n) {
        std::size_t i = 0;
        for (slab_range** link = &list_; *link != nullptr;) {
            if (i++ % n == 0) {
                link = &(*link)->next;
            } else {
                by_base_.erase(detail::address((*link)->base));
                *link = (*link)->next;
            }
        }
        directory.keep_only(list_);
    }

    std::size_t size() const { return by_base_.size(); }

    bool invariants_hold() const { return directory.invariants_hold(list_); }

    /// Effects: the list of slabs has no end from now on.
    void close_list() {
        slab_range* last = list_;
        while (last->next != nullptr) last = last->next;
        last->next = list_;
    }

    slab_range* expected(std::uintptr_t address) const {
        auto after = by_base_.upper_bound(address);
        if (after == by_base_.begin()) return nullptr;
        slab_range* const s = std::prev(after)->second;
        return s->contains(at(address)) ? s : nullptr;
    }

    /// Returns: wrong answers at, between and around the ends of all slabs ever entered.
    std::size_t wrong_answers() const {
        std::size_t wrong = 0;
        for (const slab_range& s : slabs_) {
            const std::uintptr_t base = detail::address(s.base);
            const std::uintptr_t end = base + s.bytes;
            for (const std::uintptr_t a :
                 {base - 4'096, base - 1, base, base + 1, base + s.bytes / 2, end - 1, end, end + 1,
                  end + 4'096}) {
                wrong += directory.find(at(a)) != expected(a);
            }
        }
        return wrong;
    }

    slab_directory directory;
    checking_resource upstream;

private:
    std::deque<slab_range> slabs_;
    std::map<std::uintptr_t, slab_range*> by_base_;
    slab_range* list_ = nullptr;
};

constexpr std::uintptr_t heap = 0x5555'5577'a010;

}  // namespace

TEST_CASE("a directory finds slabs of equal size") {
    const std::size_t bytes = GENERATE(64u, 100u, 4'096u, 65'536u, 1u << 20, 1u << 30);
    const std::size_t gap = GENERATE(0u, 16u, 4'096u, 1'000'000u);
    CAPTURE(bytes, gap);
    fake_slabs slabs;
    for (std::size_t i = 0; i != 3'000; ++i) slabs.add(heap + i * (bytes + gap), bytes);
    CHECK(slabs.wrong_answers() == 0);
    CHECK(slabs.directory.find(nullptr) == nullptr);
    CHECK(slabs.directory.find(at(~std::uintptr_t{0})) == nullptr);
    CHECK(slabs.directory.find(&slabs) == nullptr);
}

TEST_CASE("a directory finds slabs of mixed sizes") {
    std::mt19937_64 random(1);
    fake_slabs slabs;
    std::uintptr_t next = heap;
    for (std::size_t i = 0; i != 3'000; ++i) {
        const std::size_t bytes = (std::size_t{16} << random() % 20) + random() % 64 * 16;
        slabs.add(next, bytes);
        next += bytes;
        if (i % 3 == 0) next += random() % 100'000;
        // To another mapping and back, so that the order of addresses is not that of age.
        if (i % 100 == 0) next ^= std::uintptr_t{1} << 45;
        if (i % 200 == 0) next += std::uintptr_t{1} << 33;
    }
    CHECK(slabs.wrong_answers() == 0);
}

TEST_CASE("a directory finds a giant among dwarfs, and dwarfs among giants") {
    fake_slabs slabs;
    for (std::size_t i = 0; i != 500; ++i) slabs.add(heap + i * 128, 64);
    slabs.add(heap + (std::uintptr_t{1} << 40), std::size_t{1} << 38);
    for (std::size_t i = 500; i != 1'000; ++i) slabs.add(heap + i * 128, 64);
    CHECK(slabs.wrong_answers() == 0);
    for (std::size_t i = 2; i != 200; ++i) {
        slabs.add(heap + (std::uintptr_t{i} << 40), std::size_t{1} << 38);
    }
    CHECK(slabs.wrong_answers() == 0);
}

TEST_CASE("a directory tells slabs apart that share a page") {
    fake_slabs slabs;
    std::mt19937_64 random(2);
    std::uintptr_t next = heap + 1;
    for (std::size_t i = 0; i != 2'000; ++i) {
        const std::size_t bytes = 64 + random() % 9'000;
        slabs.add(next, bytes);
        next += bytes;
    }
    CHECK(slabs.wrong_answers() == 0);
}

TEST_CASE("a directory finds slabs at both ends of the address space") {
    fake_slabs slabs;
    slabs.add(65'536, 65'536);
    slabs.add(~std::uintptr_t{0} - 0xfffff, 65'536);
    for (std::uintptr_t i = 1; i != 2'000; ++i) slabs.add(i << 52, 65'536 * i);
    CHECK(slabs.wrong_answers() == 0);
}

TEST_CASE("a directory forgets the slabs that it is not to keep") {
    fake_slabs slabs;
    for (std::size_t i = 0; i != 1'000; ++i) slabs.add(heap + i * 40'000, 40'000);
    const std::size_t calls = slabs.upstream.calls();
    slabs.keep_each(3);
    CHECK(slabs.size() == 334);
    CHECK(slabs.wrong_answers() == 0);
    CHECK(slabs.upstream.calls() == calls);
    for (std::size_t i = 2'000; i != 4'000; ++i) slabs.add(heap + i * 40'000, 40'000);
    CHECK(slabs.wrong_answers() == 0);
    slabs.keep_each(10'000);
    CHECK(slabs.size() == 1);
    CHECK(slabs.wrong_answers() == 0);
    CHECK_FALSE(slabs.directory.empty());
}

TEST_CASE("a directory is as it was when upstream throws") {
    fake_slabs slabs;
    slabs.upstream.fail_after(0);
    CHECK_THROWS_AS(slabs.add(heap, 4'096), std::bad_alloc);
    CHECK(slabs.directory.empty());

    slabs.upstream.never_fail();
    slab_range first{at(heap), 4'096, nullptr};
    enter(slabs.directory, &first, nullptr, &slabs.upstream);
    slabs.upstream.fail_after(0);
    std::deque<slab_range> others;
    slab_range* list = &first;
    std::size_t refused = 0;
    for (std::uintptr_t i = 1; i != 500; ++i) {
        others.push_back({at(heap + i * 8'192), 4'096, nullptr});
        slab_range& s = others.back();
        try {
            enter(slabs.directory, &s, list, &slabs.upstream);
        } catch (const std::bad_alloc&) {
            ++refused;
            REQUIRE(slabs.directory.find(s.base) == nullptr);
            slabs.upstream.never_fail();
            enter(slabs.directory, &s, list, &slabs.upstream);
            slabs.upstream.fail_after(0);
        }
        s.next = list;
        list = &s;
        for (slab_range* entered = list; entered != nullptr; entered = entered->next) {
            if (slabs.directory.find(entered->base) != entered) FAIL("lost a slab");
        }
    }
    CHECK(refused > 2);
    CHECK(slabs.upstream.errors().empty());
}

TEST_CASE("a directory notices slabs that overlap, and a list of them without end") {
    fake_slabs overlapping;
    overlapping.add(heap, 4'096);
    overlapping.add(heap + 4'096, 4'096);
    CHECK(overlapping.invariants_hold());
    overlapping.add(heap + 4'000, 4'096);
    CHECK_FALSE(overlapping.invariants_hold());

    fake_slabs endless;
    endless.add(heap, 4'096);
    endless.add(heap + 4'096, 4'096);
    CHECK(endless.invariants_hold());
    endless.close_list();
    CHECK_FALSE(endless.invariants_hold());
}

TEST_CASE("a directory gives its table back") {
    fake_slabs slabs;
    CHECK(slabs.directory.empty());
    slabs.directory.release(&slabs.upstream);
    CHECK(slabs.upstream.calls() == 0);
    for (std::size_t i = 0; i != 1'000; ++i) {
        slabs.add(heap + i * 8'192, 8'192);
        REQUIRE(slabs.upstream.blocks_out() == 1);
    }
    slabs.directory.release(&slabs.upstream);
    CHECK(slabs.directory.empty());
    CHECK(slabs.upstream.blocks_out() == 0);
    CHECK(slabs.upstream.errors().empty());
    slabs.directory.release(&slabs.upstream);
    CHECK(slabs.upstream.errors().empty());
}

}  // namespace fastalloc::testing
