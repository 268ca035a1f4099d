// SPDX-License-Identifier: MIT

// The harness has to find what is wrong: resources and pools with one mistake each are run under it.

#include "fuzz/findings.hpp"
#include "fuzz/random_inputs.hpp"
#include "fuzz/run_session.hpp"
#include "support/catch.hpp"

#include <fastalloc/object/object_pool.hpp>
#include <fastalloc/resource/growing_pool_resource.hpp>

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory_resource>
#include <new>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace fastalloc::fuzz {

namespace {

enum class mistake {
    none,
    same_block_twice,
    overlap,
    misplaced,
    writes_into_a_live_block,
    keeps_what_is_given_back,
    wrong_in_use,
    owns_nothing,
    refuses_at_times,
    says_exhausted,
    throws_nothing,
    serves_what_is_to_be_refused,
    grows_at_will,
    growth_count_goes_back,
    asks_upstream_in_deallocate,
    keeps_memory_in_release,
    keeps_memory_for_good,
    trims_nothing,
    batch_leaves_blocks,
    // Of a typed pool.
    finds_the_dead,
    makes_one_less,
    drains_too_many,
    forgets_to_drain,
};

/// How often the mistake is made: of so many requests in one.
constexpr std::size_t period = 64;

// One at a time, known at run time: the harness takes long to compile.
mistake planted = mistake::none;

/// A resource with the mistake that is planted.
class mistaken_resource : public growing_pool_resource {
public:
    using growing_pool_resource::growing_pool_resource;

    void* allocate(std::size_t bytes, std::size_t alignment) {
        if (planted == mistake::says_exhausted && is_due()) throw pool_exhausted(64, 1);
        if (planted == mistake::throws_nothing && is_due()) return nullptr;
        void* const p = changed(growing_pool_resource::allocate(bytes, alignment), bytes);
        return planted == mistake::misplaced && is_due() ? static_cast<std::byte*>(p) + 1 : p;
    }

    void* try_allocate(std::size_t bytes, std::size_t alignment) noexcept {
        if (planted == mistake::refuses_at_times && is_due()) return nullptr;
        void* p = growing_pool_resource::try_allocate(bytes, alignment);
        if (planted == mistake::serves_what_is_to_be_refused && p == nullptr) return &served_;
        return p == nullptr ? p : changed(p, bytes);
    }

    void deallocate(void* p, std::size_t bytes, std::size_t alignment) noexcept {
        if (planted == mistake::keeps_what_is_given_back && is_due()) return;
        if (planted == mistake::asks_upstream_in_deallocate && is_due()) {
            upstream_resource()->deallocate(upstream_resource()->allocate(8, 8), 8, 8);
        }
        growing_pool_resource::deallocate(p, bytes, alignment);
    }

    // What typed pools call instead.

    template <bool>
    void* allocate_from(std::size_t bytes, std::size_t alignment) {
        return allocate(bytes, alignment);
    }

    template <bool>
    void* try_allocate_from(std::size_t bytes, std::size_t alignment) noexcept {
        return try_allocate(bytes, alignment);
    }

    template <bool>
    void deallocate_to(void* p, std::size_t bytes, std::size_t alignment) noexcept {
        deallocate(p, bytes, alignment);
    }

    void allocate_batch(std::span<void*> out, std::size_t bytes, std::size_t alignment) {
        if (planted != mistake::batch_leaves_blocks) {
            return growing_pool_resource::allocate_batch(out, bytes, alignment);
        }
        for (void*& p : out) p = growing_pool_resource::allocate(bytes, alignment);
    }

    std::size_t in_use() const noexcept {
        const std::size_t right = growing_pool_resource::in_use();
        return planted == mistake::wrong_in_use && right > 20 ? right - 1 : right;
    }

    bool owns(const void* p) const noexcept {
        return planted != mistake::owns_nothing && growing_pool_resource::owns(p);
    }

    std::size_t growth_count() const noexcept {
        const std::size_t right = growing_pool_resource::growth_count();
        return planted == mistake::growth_count_goes_back ? right % 3 : right;
    }

    std::size_t capacity() const noexcept {
        const std::size_t right = growing_pool_resource::capacity();
        return planted == mistake::grows_at_will && right > 20 ? right + 1 : right;
    }

    std::size_t available() const noexcept { return capacity() - growing_pool_resource::in_use(); }

    void trim() noexcept {
        if (planted != mistake::trims_nothing) growing_pool_resource::trim();
    }

    void release() noexcept {
        growing_pool_resource::release();
        if (planted == mistake::keeps_memory_in_release && left_ == nullptr) {
            left_ = upstream_resource()->allocate(8, 8);
        }
    }

    ~mistaken_resource() override {
        if (left_ != nullptr) upstream_resource()->deallocate(left_, 8, 8);
        if (planted == mistake::keeps_memory_for_good) (void)upstream_resource()->allocate(8, 8);
    }

private:
    bool is_due() noexcept { return ++requests_ % period == 0; }

    void* changed(void* p, std::size_t bytes) noexcept {
        void* const last = std::exchange(last_, p);
        if (last == nullptr || !is_due()) return p;
        if (planted == mistake::same_block_twice) return last;
        if (planted == mistake::overlap) return static_cast<std::byte*>(p) - 8;
        if (planted == mistake::writes_into_a_live_block && bytes != 0 && owns(last)) {
            *static_cast<unsigned char*>(last) ^= 0x40;
        }
        return p;
    }

    std::size_t requests_ = 0;
    void* last_ = nullptr;
    void* left_ = nullptr;
    alignas(64) std::array<std::byte, 64> served_{};
};

/// A typed pool with the mistake that is planted.
template <class T, class Resource>
class mistaken_pool {
public:
    template <class... Args>
    requires std::constructible_from<object_pool<T, Resource>, Args...>
    explicit mistaken_pool(Args&&... args) : right_(std::forward<Args>(args)...) {}

    auto& resource() { return right_.resource(); }
    auto make(auto&&... args) { return right_.make(args...); }
    auto try_make(auto&&... args) { return right_.try_make(args...); }
    auto make_shared(auto&&... args) { return right_.make_shared(args...); }
    auto make_batch(std::size_t n, const auto&... args) {
        auto made = right_.make_batch(n, args...);
        if (planted == mistake::makes_one_less && n > 3) made.pop_back();
        return made;
    }

    auto key_of(auto& handle) {
        const object_key k = right_.key_of(handle);
        if (planted == mistake::finds_the_dead) known_[k] = right_.find(k);
        return k;
    }

    T* find(object_key k) const {
        const auto known = known_.find(k);
        return known == known_.end() ? right_.find(k) : known->second;
    }

    auto adopt(T* object) { return right_.adopt(object); }
    void for_each_live(auto f) { right_.for_each_live(f); }
    std::size_t drain(std::size_t most) {
        if (planted == mistake::forgets_to_drain) return 0;
        return right_.drain(planted == mistake::drains_too_many && most < 8 ? most + 1 : most);
    }
    void trim() { right_.trim(); }
    bool invariants_hold() const { return right_.invariants_hold(); }
    std::size_t capacity() const { return right_.capacity(); }
    std::size_t available() const { return right_.available(); }
    std::size_t in_use() const { return right_.in_use(); }

private:
    object_pool<T, Resource> right_;
    std::map<object_key, T*> known_;
};

/// Returns: what the harness finds in some hundred thousand operations.
std::string found(mistake m) {
    planted = m;
    random_inputs inputs(1);
    tally counts;
    while (counts.operations < 150'000) {
        try {
            run_session<mistaken_resource, mistaken_pool>(inputs.next(0).subspan(1), counts);
        } catch (const violation& v) {
            planted = mistake::none;
            return v.what();
        }
    }
    planted = mistake::none;
    return "nothing";
}

}  // namespace

TEST_CASE("the harness finds nothing where nothing is wrong") {
    CHECK(found(mistake::none) == "nothing");
}

TEST_CASE("the harness finds what a resource does wrong") {
    CHECK(found(mistake::same_block_twice) == "overlaps what is live");
    CHECK(found(mistake::overlap) != "nothing");
    CHECK(found(mistake::misplaced) != "nothing");
    CHECK(found(mistake::writes_into_a_live_block) == "the content of a live block changed");
    CHECK_THAT(found(mistake::keeps_what_is_given_back), Catch::StartsWith("in_use()"));
    CHECK_THAT(found(mistake::wrong_in_use), Catch::StartsWith("in_use()"));
    CHECK(found(mistake::owns_nothing) == "owns() of a block");
    CHECK(found(mistake::refuses_at_times) == "refused without a cause");
    CHECK(found(mistake::says_exhausted) == "exhausted, and is not");
    CHECK(found(mistake::throws_nothing) != "nothing");
    CHECK(found(mistake::serves_what_is_to_be_refused) != "nothing");
    CHECK(found(mistake::grows_at_will) != "nothing");
    CHECK(found(mistake::growth_count_goes_back) != "nothing");
    CHECK_THAT(found(mistake::asks_upstream_in_deallocate), Catch::StartsWith("requests to"));
    CHECK_THAT(found(mistake::keeps_memory_in_release), Catch::StartsWith("bytes of upstream"));
    CHECK_THAT(found(mistake::keeps_memory_for_good), Catch::StartsWith("blocks left"));
    CHECK(found(mistake::trims_nothing) == "trim() left a free slab");
    CHECK_THAT(found(mistake::batch_leaves_blocks), Catch::StartsWith("in_use()"));
}

TEST_CASE("the harness finds what a typed pool does wrong") {
    CHECK(found(mistake::finds_the_dead) == "find() of a key");
    CHECK_THAT(found(mistake::makes_one_less), Catch::StartsWith("objects of a batch"));
    CHECK(found(mistake::drains_too_many) == "drain() destroyed too many");
    CHECK_THAT(found(mistake::forgets_to_drain), Catch::StartsWith("objects that are left"));
}

}  // namespace fastalloc::fuzz
