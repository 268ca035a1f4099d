// SPDX-License-Identifier: MIT
// The harness itself: whatever is planted in a world, it notices.
#include "faults/harness.hpp"
#include "faults/programs.hpp"

#include <cstddef>
#include <iostream>
#include <memory_resource>
#include <string>
#include <vector>

namespace fastalloc::testing::faults {

namespace {

enum class defect {
    none,
    keeps_a_block,
    keeps_an_object,
    is_half_done,
    grows,
    is_in_disorder,
    fails_again,
    counts_no_failure,
    counts_twice,
    throws_another_thing,
    fails_without_fault,
    gives_back_another_size,
};

struct planted {
    defect what;
    const char* notice;  // in what the harness says of it
    std::string name = "planted";
};

/// Does one thing: it takes a block of upstream.
class planted_world {
public:
    using parameter_type = planted;
    static constexpr source sources[] = {source::upstream};

    planted_world(std::pmr::memory_resource* up, unsigned, const planted& p)
        : upstream_(up), defect_(p.what) {
        blocks_.reserve(4);
    }

    ~planted_world() {
        const std::size_t bytes = defect_ == defect::gives_back_another_size ? 8 : 16;
        for (void* const p : blocks_) upstream_->deallocate(p, bytes, 8);
    }

    static std::vector<planted>& parameters() {
        static std::vector<planted> one{{defect::none, ""}};
        return one;
    }

    struct observed {
        std::size_t blocks;
        std::size_t capacity;
        std::size_t failures;

        bool is_as(const observed& after, bool may_grow) const {
            return after.blocks == blocks && (may_grow || after.capacity == capacity);
        }
        bool failures_until(const observed& after, std::size_t least, std::size_t most) const {
            return after.failures - failures >= least && after.failures - failures <= most;
        }
    };

    observed observe() const { return {in_use_, capacity_, failures_}; }

    bool in_order() const { return !is_in_disorder_; }

    bool take() {
        if (defect_ == defect::fails_without_fault) return false;
        if (failures_ != 0 && defect_ == defect::fails_again) throw std::bad_alloc();
        try {
            take_two();
        } catch (const std::bad_alloc&) {
            fail();
            throw;
        }
        ++in_use_;
        return true;
    }

private:
    void take_two() {
        void* const first = upstream_->allocate(16, 8);
        struct guard {
            planted_world* world;
            void* block;
            ~guard() {
                if (block == nullptr || world->defect_ == defect::keeps_a_block) return;
                world->upstream_->deallocate(block, 16, 8);
            }
        } g{this, first};
        void* const second = upstream_->allocate(16, 8);
        blocks_.push_back(first);
        blocks_.push_back(second);
        g.block = nullptr;
    }

    void fail() {
        if (defect_ != defect::counts_no_failure) ++failures_;
        if (defect_ == defect::counts_twice) ++failures_;
        if (defect_ == defect::is_half_done) ++in_use_;
        if (defect_ == defect::grows) ++capacity_;
        if (defect_ == defect::is_in_disorder) is_in_disorder_ = true;
        if (defect_ == defect::throws_another_thing) throw defect_;
        if (defect_ == defect::keeps_an_object && lost() == nullptr) lost() = operator new(1);
    }

    // Whoever looks for leaks is not to find this one.
    static void*& lost() {
        static void* p = nullptr;
        return p;
    }

    std::pmr::memory_resource* upstream_;
    defect defect_;
    std::vector<void*> blocks_;
    std::size_t in_use_ = 0;
    std::size_t capacity_ = 0;
    std::size_t failures_ = 0;
    bool is_in_disorder_ = false;
};

}  // namespace

bool planted_violations_are_noticed() {
    const std::vector<row<planted_world>> rows{
        {"take", [](planted_world& w) { return w.take(); }, effects::none, 1, 1}};
    const planted all[] = {
        {defect::keeps_a_block, "upstream gets everything back"},
        {defect::keeps_an_object, "everything is deleted"},
        {defect::is_half_done, "a failure has no effects"},
        {defect::grows, "a failure has no effects"},
        {defect::is_in_disorder, "the world stays in order"},
        {defect::fails_again, "the next time it succeeds"},
        {defect::counts_no_failure, "failures are counted"},
        {defect::counts_twice, "failures are counted"},
        {defect::throws_another_thing, "it fails as it may"},
        {defect::fails_without_fault, "without a fault it succeeds"},
        {defect::gives_back_another_size, "returned with another size"},
    };
    bool is_watchful = true;
    const auto expect = [&](bool is_so, const planted& p) {
        if (is_so) return;
        std::cerr << "not noticed: " << static_cast<int>(p.what) << ' ' << p.notice << '\n';
        is_watchful = false;
    };
    for (const planted& p : all) {
        planted_world::parameters() = {p};
        tally t;
        inject_everywhere("planted", rows, share, t);
        expect(t.has(p.notice), p);
    }
    planted_world::parameters() = {{defect::none, ""}};
    tally t;
    inject_everywhere("nothing planted", rows, share, t);
    // Two calls of upstream, each once and from then on.
    expect(t.violations.empty() && t.injected == 4, planted_world::parameters().front());
    return is_watchful;
}

}  // namespace fastalloc::testing::faults
