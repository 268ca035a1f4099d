// SPDX-License-Identifier: MIT
#include "object/pool_kinds.hpp"
#include "support/catch.hpp"
#include "support/checking_resource.hpp"

#include <fastalloc/fastalloc.hpp>

#include <concepts>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <type_traits>
#include <unordered_set>
#include <utility>
#include <vector>

namespace fastalloc::testing {

namespace {

struct shape {
    virtual int corners() const = 0;

protected:
    ~shape() = default;  // not virtual, and nobody's to call
};

struct named {
    std::string name = "a name that is too long for the string's own buffer";
    virtual ~named() = default;
};

struct virtual_base {
    int v = 4;
};

struct square final : named, shape, virtual virtual_base {
    int corners() const override { return 4; }
};

struct privately : private virtual_base {};

struct incomplete;

struct holder {
    owned_handle<incomplete> owned;
    shared_handle<incomplete> shared;
    weak_handle<incomplete> weak;
    holder();
    holder(holder&&) noexcept;
    ~holder();
};

struct node {
    owned_handle<node> next;
    shared_handle<node> other;
    weak_handle<node> parent;
    int value = 0;
};

static_assert(sizeof(owned_handle<incomplete>) == 2 * sizeof(void*));
static_assert(sizeof(shared_handle<incomplete>) == 2 * sizeof(void*));
static_assert(sizeof(weak_handle<incomplete>) == 3 * sizeof(void*));
static_assert(std::is_trivially_copyable_v<weak_handle<incomplete>>);
static_assert(std::is_trivially_copyable_v<object_key> && sizeof(object_key) == 8);

static_assert(!std::is_copy_constructible_v<owned_handle<int>>);
static_assert(!std::is_copy_assignable_v<owned_handle<int>>);
static_assert(std::is_nothrow_move_constructible_v<owned_handle<int>>);
static_assert(std::is_nothrow_move_assignable_v<owned_handle<int>>);
static_assert(std::is_nothrow_copy_constructible_v<shared_handle<int>>);
static_assert(std::is_nothrow_move_constructible_v<shared_handle<int>>);

static_assert(std::is_nothrow_constructible_v<owned_handle<shape>, owned_handle<square>>);
static_assert(std::is_nothrow_constructible_v<owned_handle<virtual_base>, owned_handle<square>>);
static_assert(!std::is_constructible_v<owned_handle<square>, owned_handle<shape>>);
static_assert(!std::is_constructible_v<owned_handle<virtual_base>, owned_handle<privately>>);
static_assert(!std::is_constructible_v<owned_handle<int>, owned_handle<const int>>);
static_assert(!std::is_constructible_v<owned_handle<square>, square*>);
static_assert(std::is_constructible_v<shared_handle<shape>, shared_handle<square>>);
static_assert(std::is_constructible_v<shared_handle<shape>, owned_handle<square>>);
static_assert(!std::is_constructible_v<owned_handle<square>, shared_handle<square>>);
static_assert(std::is_constructible_v<weak_handle<shape>, weak_handle<square>>);
static_assert(std::is_constructible_v<weak_handle<shape>, shared_handle<square>>);
// A virtual base is found through the object, which may be dead.
static_assert(!std::is_constructible_v<weak_handle<virtual_base>, weak_handle<square>>);
static_assert(std::is_constructible_v<weak_handle<virtual_base>, shared_handle<square>>);
static_assert(!std::is_constructible_v<weak_handle<square>, owned_handle<square>>);

template <class Pool, class... Args>
concept can_make = requires(Pool& pool, Args... args) {
    pool.make(args...);
};
static_assert(can_make<fixed_pool<node>>);
static_assert(can_make<fixed_pool<counted>, life&, int>);
static_assert(!can_make<fixed_pool<counted>, std::string>);
static_assert(!std::is_copy_constructible_v<fixed_pool<int>>);
static_assert(!std::is_move_constructible_v<fixed_pool<int>>);
static_assert(!std::is_convertible_v<pool_config, fixed_pool<int>>);

struct acquires {
    void on_acquire();
};
static_assert(has_on_acquire<acquires> && !has_on_release<acquires> && !has_on_acquire<int>);

struct incomplete {
    int value = 7;
};

holder::holder() = default;
holder::holder(holder&&) noexcept = default;
holder::~holder() = default;

}  // namespace

TEST_CASE("handles are members of types that are not complete yet") {
    growing_pool<incomplete> pool(up_to(10));
    {
        holder h;
        h.owned = pool.make();
        h.shared = pool.make_shared();
        h.weak = h.shared;
        const holder moved = std::move(h);
        CHECK(moved.owned->value == 7);
        CHECK(moved.weak.lock() == moved.shared);
        CHECK(pool.in_use() == 2);
    }
    CHECK(pool.empty());
    growing_pool<node> nodes(up_to(10));
    auto first = nodes.make();
    first->next = nodes.make();
    first->next->next = nodes.make();
    first->other = nodes.make_shared();
    first->other->parent = first->other;
    CHECK(nodes.in_use() == 4);
    first.reset();
    CHECK(nodes.empty());
}

TEST_CASE("a handle of any base takes the whole object home") {
    growing_pool<square> pool(up_to(100));
    const auto others = pool.make_batch(10);
    std::vector<owned_handle<shape>> shapes;
    std::vector<owned_handle<virtual_base>> bases;
    std::vector<shared_handle<shape>> shared;
    for (int i = 0; i != 10; ++i) {
        shapes.push_back(pool.make());
        bases.push_back(pool.make());
        shared.push_back(pool.make());
        shared.push_back(owned_handle<shape>(pool.make()));
    }
    CHECK(shapes[3]->corners() == 4);
    CHECK(bases[3]->v == 4);
    CHECK(shared[7]->corners() == 4);
    CHECK(pool.in_use() == 50);
    // By base, a key finds the object, and one is shared.
    const object_key key = pool.key_of(shapes[5]);
    CHECK(static_cast<shape*>(pool.find(key)) == shapes[5].get());
    CHECK(static_cast<shape*>(pool.find(pool.key_of(shared[5]))) == shared[5].get());
    owned_handle<virtual_base> of_base = std::move(bases[0]);
    CHECK_FALSE(bases[0]);
    shared_handle<const virtual_base> constant = std::move(of_base);
    CHECK(constant->v == 4);
    weak_handle<const virtual_base> weak = constant;
    constant.reset();
    CHECK(weak.expired());
    shapes.clear();
    bases.clear();
    shared.clear();
    CHECK(pool.find(key) == nullptr);
    CHECK(pool.in_use() == 10);
    pool.for_each_live([](square& s) { CHECK(s.name.size() == 51); });
    // An object that an empty handle does not have.
    owned_handle<shape> none = owned_handle<square>();
    CHECK_FALSE(none);
    shared_handle<shape> no_share = owned_handle<shape>();
    CHECK_FALSE(no_share);
}

TEMPLATE_TEST_CASE("handles compare, swap and hash like pointers", "", owned_handle<int>,
                   shared_handle<int>) {
    growing_pool<int> pool(up_to(10));
    TestType a = pool.make(1);
    TestType b = pool.make(2);
    const TestType none;
    int* const pa = a.get();
    int* const pb = b.get();
    CHECK(a == a);
    CHECK(a != b);
    CHECK(none == nullptr);
    CHECK(nullptr == none);
    CHECK(a != nullptr);
    CHECK((a < b) == std::less<>()(pa, pb));
    CHECK((a >= b) == !std::less<>()(pa, pb));
    CHECK(std::hash<TestType>()(a) == std::hash<int*>()(pa));
    swap(a, b);
    CHECK(a.get() == pb);
    CHECK(*a == 2);
    a.swap(b);
    CHECK(a.get() == pa);
    const TestType moved = std::move(a);
    CHECK_FALSE(a);
    CHECK(moved.get() == pa);
    std::unordered_set<TestType> set;
    set.insert(std::move(b));
    CHECK(set.size() == 1);
    std::map<TestType, int> map;
    map.emplace(pool.make(3), 3);
    CHECK(map.size() == 1);
    CHECK(pool.in_use() == 3);
}

TEST_CASE("a handle that is assigned drops what it had, itself excepted") {
    life all;
    growing_pool<counted> pool(up_to(10));
    auto a = pool.make(all, 1);
    a = pool.make(all, 2);
    CHECK(all.destroyed == 1);
    CHECK(a->value == 2);
    auto& same = a;
    a = std::move(same);
    CHECK(all.destroyed == 1);
    REQUIRE(a);
    a = nullptr;
    CHECK(all.alive() == 0);
    auto s = pool.make_shared(all, 3);
    auto& same_share = s;
    s = std::move(same_share);
    REQUIRE(s);
    CHECK(s.use_count() == 1);
    auto other = pool.make_shared(all, 4);
    other = s;
    CHECK(all.alive() == 1);
    CHECK(other == s);
    CHECK(s.use_count() == 2);
    other = same_share;
    CHECK(s.use_count() == 2);
}

TEST_CASE("a weak handle is compared by object, not by slot") {
    growing_pool<int> pool(up_to(1));
    auto s = pool.make_shared(1);
    weak_handle<int> a = s;
    weak_handle<int> b = s;
    weak_handle<int> none;
    CHECK(a == b);
    CHECK_FALSE(a == none);
    swap(b, none);
    CHECK(b == weak_handle<int>());
    CHECK(none == a);
    none.reset();
    CHECK(none.expired());
    s.reset();
    s = pool.make_shared(2);
    CHECK_FALSE(a == weak_handle<int>(s));
}

TEST_CASE("a slot that was never shared pays nothing for it") {
    checking_resource upstream;
    fixed_pool<int> pool(up_to(1'000), initialization<int>::lazy(), &upstream);
    const std::size_t before = upstream.allocations();
    (void)pool.make_batch(1'000);
    CHECK(upstream.allocations() == before);
    (void)pool.make_shared();
    CHECK(upstream.allocations() > before);
}

}  // namespace fastalloc::testing
