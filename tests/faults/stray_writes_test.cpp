// SPDX-License-Identifier: MIT
// Whoever writes to memory that he gave back changes these bytes, and nothing else: a pool does what it
// would have done.
#include "object/pool_kinds.hpp"
#include "support/blocks.hpp"
#include "support/catch.hpp"

#include <fastalloc/fastalloc.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <memory_resource>
#include <new>
#include <random>
#include <thread>
#include <utility>
#include <vector>

namespace fastalloc::testing {

namespace {

/// Gives each block memory that nobody had before, between guard bytes. Two that are asked for the same
/// give the same, relative to where they begin.
class arena final : public std::pmr::memory_resource {
public:
    arena() : memory_(std::pmr::new_delete_resource()->allocate(size, alignment)) {}
    arena(const arena&) = delete;
    arena& operator=(const arena&) = delete;
    ~arena() override { std::pmr::new_delete_resource()->deallocate(memory_, size, alignment); }

    std::size_t offset_of(const void* p) const {
        return detail::address(p) - detail::address(memory_);
    }

    /// Whether nothing was written before and behind blocks.
    bool is_intact() const {
        return std::ranges::all_of(blocks_, [this](const auto& block) {
            return is_guard(block.first - guard_bytes) && is_guard(block.second);
        });
    }

private:
    static constexpr std::size_t size = std::size_t{64} << 20;
    static constexpr std::size_t alignment = std::size_t{2} << 20;
    static constexpr std::size_t guard_bytes = 32;
    static constexpr unsigned char guard = 0xfd;

    unsigned char* at(std::size_t offset) const {
        return static_cast<unsigned char*>(memory_) + offset;
    }

    bool is_guard(std::size_t begin) const {
        return std::all_of(at(begin), at(begin) + guard_bytes,
                           [](unsigned char c) { return c == guard; });
    }

    void* do_allocate(std::size_t bytes, std::size_t align) override {
        const std::size_t last = blocks_.empty() ? 0 : blocks_.back().second;
        const std::size_t begin = detail::round_up(last + 2 * guard_bytes, align);
        const std::size_t end = begin + bytes;
        if (end + guard_bytes > size) throw std::bad_alloc();
        blocks_.emplace_back(begin, end);
        std::memset(at(begin - guard_bytes), guard, guard_bytes);
        std::memset(at(end), guard, guard_bytes);
        return at(begin);
    }

    void do_deallocate(void*, std::size_t, std::size_t) override {}

    bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
        return this == &other;
    }

    void* memory_;
    std::vector<std::pair<std::size_t, std::size_t>> blocks_;
};

/// Writes random bytes over each slot that nobody has, from its first byte to its last.
class scribbler {
public:
    template <class Resource>
    void operator()(Resource& resource) {
        resource.visit_slots([this](const visited_slot& slot) {
            if (slot.state == slot_state::live) return;
            auto* const bytes = static_cast<unsigned char*>(const_cast<void*>(slot.address));
            for (std::size_t i = 0; i != slot.slot_size; ++i) {
                bytes[i] = static_cast<unsigned char>(random_());
            }
            ++slots_;
        });
    }

    std::size_t slots() const { return slots_; }

private:
    std::mt19937 random_{99};
    std::size_t slots_ = 0;
};

template <class Resource>
bool books_hold(const Resource& resource) {
    if constexpr (requires { resource.invariants_hold(); }) return resource.invariants_hold();
    return true;
}

/// What a resource did in a long run, as far as one can see.
struct course {
    std::vector<std::size_t> offsets;  // of all blocks
    std::vector<std::size_t> observed;
    std::size_t damaged = 0;
    std::size_t scribbled = 0;
    bool is_in_order = true;

    bool operator==(const course& other) const {
        return offsets == other.offsets && observed == other.observed;
    }
};

/// Allocates and frees, trims and releases; between the steps all free slots are scribbled over, or not.
template <class Make>
course run(Make make, bool scribbles, std::size_t largest, int rounds) {
    arena upstream;
    auto resource = make(&upstream);
    live_blocks live(*resource);
    scribbler scribble;
    course seen;
    std::mt19937 random(5);
    const auto below = [&](std::size_t n) { return random() % n; };
    const auto allocate = [&] {
        const std::size_t bytes = below(largest + 1);
        const std::size_t alignment = std::size_t{1} << below(4);
        void* const p = resource->allocate(bytes, alignment);
        seen.offsets.push_back(upstream.offset_of(p));
        live.add(p, bytes, alignment);
    };
    const auto free_half = [&] {
        for (std::size_t n = live.size() / 2; n != 0; --n) {
            seen.damaged += !live.deallocate(below(live.size()));
        }
    };
    for (int round = 0; round != rounds; ++round) {
        for (std::size_t n = below(120); n != 0; --n) allocate();
        free_half();
        if (round % 4 == 3) {
            // Of another thread, which leaves its books to those who come later.
            std::thread([&] {
                for (int i = 0; i != 20; ++i) {
                    void* const p = resource->allocate(largest, 8);
                    seen.offsets.push_back(upstream.offset_of(p));
                    resource->deallocate(p, largest, 8);
                }
            }).join();
        }
        if (scribbles) scribble(*resource);
        seen.damaged += !live.intact();
        seen.is_in_order = seen.is_in_order && books_hold(*resource);
        seen.observed.push_back(resource->in_use());
        seen.observed.push_back(resource->capacity());
        if (round % 10 == 9) resource->trim();
        if (round % 10 == 4) free_half();
        if (scribbles) scribble(*resource);
        if (round % 50 == 49) {
            live.forget();
            resource->release();
        }
    }
    seen.damaged += !live.clear();
    seen.damaged += !upstream.is_intact();
    seen.scribbled = scribble.slots();
    return seen;
}

template <class Make>
void check_that_it_goes_on(Make make, std::size_t largest) {
    const course alone = run(make, false, largest, 200);
    const course scribbled = run(make, true, largest, 200);
    CHECK(alone.damaged == 0);
    CHECK(scribbled.damaged == 0);
    CHECK(alone.is_in_order);
    CHECK(scribbled.is_in_order);
    CHECK(scribbled.scribbled > 10'000);
    CHECK(scribbled == alone);
}

template <class Resource>
auto made_of(const std::vector<pool_config>& classes) {
    return [&classes](std::pmr::memory_resource* upstream) {
        return std::make_unique<Resource>(classes, upstream);
    };
}

/// As pools usually are: a free slot says which is the next one. What it says is taken modulo the number
/// of slots, so that it leads to a slot at least.
class intrusive_pool {
public:
    explicit intrusive_pool(std::pmr::memory_resource* upstream)
        : slots_(static_cast<slot*>(upstream->allocate(sizeof(slot) * count, 64))) {
        release();
    }

    void* allocate(std::size_t, std::size_t) {
        slot& first = slots_[first_ % count];
        std::memcpy(&first_, &first, sizeof first_);
        is_live_[static_cast<std::size_t>(&first - slots_)] = true;
        return &first;
    }
    void deallocate(void* p, std::size_t, std::size_t) {
        const auto n = static_cast<std::size_t>(static_cast<slot*>(p) - slots_);
        std::memcpy(p, &first_, sizeof first_);
        first_ = static_cast<std::uint32_t>(n);
        is_live_[n] = false;
    }
    template <class F>
    void visit_slots(F f) {
        for (std::size_t n = 0; n != count; ++n) {
            const slot_state state = is_live_[n] ? slot_state::live : slot_state::free;
            f(visited_slot{&slots_[n], state, slots_, count, sizeof(slot)});
        }
    }
    void release() {
        for (std::uint32_t n = 0; n != count; ++n) {
            const std::uint32_t next = n + 1;
            std::memcpy(&slots_[n], &next, sizeof next);
        }
        is_live_.fill(false);
        first_ = 0;
    }
    void trim() {}
    std::size_t in_use() const { return 0; }
    std::size_t capacity() const { return count; }

private:
    static constexpr std::size_t count = 2'000;
    using slot = std::array<std::byte, 64>;

    slot* slots_;
    std::uint32_t first_ = 0;
    std::array<bool, count> is_live_{};
};

}  // namespace

#define RESOURCES_THAT_GROW                                                            \
    growing_pool_resource, basic_growing_pool_resource<stack_index>,                   \
        basic_growing_pool_resource<free_list_index>, thread_local_pool_resource,      \
        synchronized_pool_resource, basic_synchronized_pool_resource<free_list_index>, \
        lock_free_pool_resource

TEMPLATE_TEST_CASE("classes go on, whatever is written to their free slots", "",
                   fixed_pool_resource, basic_fixed_pool_resource<stack_index>,
                   basic_fixed_pool_resource<free_list_index>, RESOURCES_THAT_GROW) {
    std::vector<pool_config> classes;
    for (const std::size_t size : {8u, 24u, 64u, 200u}) {
        classes.push_back(
            pool_config::builder().slot_size(size).alignment(8).capacity(1'000).build());
    }
    check_that_it_goes_on(made_of<TestType>(classes), 200);
}

TEMPLATE_TEST_CASE("drop-in resources go on, whatever is written to their free slots", "",
                   RESOURCES_THAT_GROW) {
    check_that_it_goes_on(
        [](std::pmr::memory_resource* upstream) { return std::make_unique<TestType>(upstream); },
        300);
}

TEST_CASE("a fixed_pool_resource in a buffer goes on, whatever is written to its free slots") {
    struct in_buffer {
        fixed_pool_resource resource;

        in_buffer(std::pmr::memory_resource* upstream, const pool_config& config)
            : resource({static_cast<std::byte*>(upstream->allocate(size_of(config), 64)),
                        size_of(config)},
                       config) {}
        static std::size_t size_of(const pool_config& c) {
            return fixed_pool_resource::required_bytes(c);
        }
        fixed_pool_resource* operator->() { return &resource; }
        fixed_pool_resource& operator*() { return resource; }
    };
    const auto config = pool_config::builder().slot_size(64).capacity(1'000).build();
    check_that_it_goes_on(
        [&](std::pmr::memory_resource* upstream) { return in_buffer(upstream, config); }, 64);
}

TEST_CASE("a pool that keeps links in free slots does not go on, and that is noticed") {
    const auto make = [](std::pmr::memory_resource* upstream) {
        return std::make_unique<intrusive_pool>(upstream);
    };
    const course alone = run(make, false, 64, 1);
    CHECK(alone.damaged == 0);
    const course scribbled = run(make, true, 64, 5);
    CHECK(scribbled.damaged != 0);
    CHECK_FALSE(scribbled == run(make, false, 64, 5));
}

TEMPLATE_TEST_CASE("who asks for objects that are gone is told so, whatever is in their slots", "",
                   fixed, growing, thread_local_, synchronized, lock_free) {
    using pool_type = typename TestType::template pool<counted>;
    life all;
    {
        pool_type pool(up_to(1'000));
        std::mt19937 random(3);
        scribbler scribble;
        std::vector<owned_handle<counted>> owned;
        std::vector<shared_handle<counted>> shared;
        std::vector<object_key> gone_keys;
        std::vector<weak_handle<counted>> gone;
        std::size_t wrong = 0;
        int next = 0;
        for (int round = 0; round != 300; ++round) {
            for (int i = 0; i != 30 && all.alive() < 900; ++i) {
                if (random() % 2 == 0) {
                    owned.push_back(pool.make(all, ++next));
                } else {
                    shared.push_back(pool.make_shared(all, ++next));
                }
            }
            std::shuffle(owned.begin(), owned.end(), random);
            std::shuffle(shared.begin(), shared.end(), random);
            for (std::size_t n = owned.size() / 3; n != 0; --n) {
                if (n % 2 == 0) gone_keys.push_back(pool.key_of(owned.back()));
                owned.pop_back();
            }
            for (std::size_t n = shared.size() / 3; n != 0; --n) {
                gone.emplace_back(shared.back());
                gone_keys.push_back(pool.key_of(shared.back()));
                shared.pop_back();
            }
            scribble(pool.resource());
            for (const object_key key : gone_keys) wrong += pool.find(key) != nullptr;
            for (const auto& weak : gone) wrong += !weak.expired() || weak.lock() != nullptr;
            for (auto& object : owned) {
                wrong += object->value < 1 || pool.find(pool.key_of(object)) != object.get();
            }
            for (const auto& object : shared) {
                const weak_handle<counted> weak = object;
                wrong += object->value < 1 || weak.lock() != object;
            }
            if (round % 20 == 19) pool.trim();
            if (!pool.invariants_hold()) ++wrong;
            if (gone_keys.size() > 2'000)
                gone_keys.erase(gone_keys.begin(), gone_keys.begin() + 1'000);
            if (gone.size() > 2'000) gone.erase(gone.begin(), gone.begin() + 1'000);
        }
        CHECK(wrong == 0);
        CHECK(next > 5'000);
        CHECK(scribble.slots() > 10'000);
        CHECK(all.alive() == owned.size() + shared.size());
        CHECK(pool.in_use() == owned.size() + shared.size());
    }
    CHECK(all.alive() == 0);
}

}  // namespace fastalloc::testing
