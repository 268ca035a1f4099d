// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/config.hpp>
#include <fastalloc/detail/made_once.hpp>
#include <fastalloc/detail/thread_number.hpp>
#include <fastalloc/error.hpp>
#include <fastalloc/fwd.hpp>  // has the five aliases, `fixed_pool` and so on
#include <fastalloc/object/atomic_object_stack.hpp>
#include <fastalloc/object/initialization.hpp>
#include <fastalloc/object/live_counter.hpp>
#include <fastalloc/object/object_home.hpp>
#include <fastalloc/object/object_key.hpp>
#include <fastalloc/object/object_stack.hpp>
#include <fastalloc/object/owned_handle.hpp>
#include <fastalloc/object/poolable.hpp>
#include <fastalloc/object/shared_handle.hpp>
#include <fastalloc/object/ticket_source.hpp>
#include <fastalloc/object/weak_handle.hpp>
#include <fastalloc/resource/fixed_pool_resource.hpp>
#include <fastalloc/resource/growing_pool_resource.hpp>
#include <fastalloc/resource/lock_free_pool_resource.hpp>
#include <fastalloc/resource/synchronized_pool_resource.hpp>
#include <fastalloc/resource/thread_local_pool_resource.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <memory_resource>
#include <new>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace fastalloc {

namespace detail {

/// Whether `T(args...)` or `T{args...}` makes an object.
template <class T, class... Args>
concept makeable_from = std::is_constructible_v<T, Args...> || requires {
    T{std::declval<Args>()...};
};

/// Where a pool keeps the objects that are in nobody's hands.
template <threads UsedBy>
using kept_objects = std::conditional_t<
    UsedBy == threads::one, object_stack,
    std::conditional_t<UsedBy == threads::all, basic_atomic_object_stack<std::atomic>,
                       object_stacks_of_threads>>;

}  // namespace detail

/// Makes objects of type `T` in slots of a pool resource, and hands them out by handles. The object
/// goes home when its handle goes.
///
/// It owns its resource, or draws on one that containers and other pools use at the same time. In
/// which threads it may be used is that resource's to say; what several threads may do with the
/// resource, they may do with the pool. The types of handles do not depend on the resource.
///
/// What runs when an object comes: the constructor (unless it was kept), then `on_acquire()`, if
/// `T` has it. If one of them throws, the object is destroyed, as far as it was made, and the slot
/// is free; the exception passes through. When an object goes: `on_release()`, if `T` has it, then
/// the destructor, or what `initialization` says. An exception that leaves one of these ends the
/// program. All may use the same pool: no lock is held, and nothing is half done.
///
/// The pool must outlive its objects and all handles of them, weak ones too. One that is destroyed
/// while objects are alive tells the misuse handler. For a pool that owns its resource, what others
/// still have of it counts as alive. (A child of `fork()` is not to blame for the objects of threads
/// that it does not have: there, nothing is told.)
///
/// Besides the slots: an object that was shared takes 32 bytes, one with a key up to 16 more, one
/// that may be kept up to 32, all of upstream, in blocks of several.
template <class T, class Resource>
class object_pool final : private detail::object_home {
    static_assert(std::is_object_v<T> && !std::is_array_v<T> &&
                      std::is_same_v<T, std::remove_cv_t<T>>,
                  "a pool is one of objects that are not arrays, nor const");
    static_assert(std::is_nothrow_destructible_v<T>, "a destructor must not throw");

    static constexpr detail::threads used_by = Resource::used_by;
    static constexpr bool counts = Resource::collector_type::counts;
    static constexpr bool has_magazine = requires(Resource & r) {
        r.magazine_of(sizeof(T), alignof(T));
    };

public:
    using value_type = T;
    using resource_type = Resource;

    /// Effects: owns a resource that is as configured; slot size and alignment may be left out. A
    /// pool of reserved slots that is to be eager constructs its objects now.
    /// Throws: `invalid_configuration`, also if slots of that size or alignment do not hold a `T`;
    /// what upstream throws, or the function that makes the first objects.
    explicit object_pool(const pool_config& config,
                         initialization<T> how = initialization<T>::lazy(),
                         std::pmr::memory_resource* upstream = std::pmr::get_default_resource())
        : object_pool(std::in_place, config, std::move(how), upstream) {
        if (kind_ != kind::eager) return;
        while (resource_->available() != 0) construct_one(wish::must);
    }

    /// Effects: draws on `resource`. Preconditions: the resource outlives the pool.
    /// Throws: `invalid_configuration` if it has no class for a `T`. Handles that several own, keys, and
    /// pools that are not lazy have books in memory of the resource's upstream; where that is a caller's
    /// buffer there is none, and what needs them throws `std::bad_alloc`.
    explicit object_pool(Resource& resource, initialization<T> how = initialization<T>::lazy())
        : object_home(drop_otherwise),
          resource_(std::addressof(resource)),
          kind_(how.kind_),
          functions_(std::move(how)),
          kept_(resource.shared_upstream()) {
        if (!resource.has_class_for(sizeof(T), alignof(T))) {
            detail::throw_invalid("resource", sizeof(T), "no class holds objects of so many bytes");
        }
    }

    /// Effects: destroys the objects that are kept. If objects are alive then, tells the misuse
    /// handler, and the program ends. Preconditions: no other thread is inside. Where each thread
    /// has pools of its own in a resource that this pool does not own, no other thread keeps
    /// objects.
    ~object_pool();

    /// Returns: a new object, made by `T(args...)`, or by `T{args...}` where that is ill-formed.
    /// Without arguments: also one that was kept.
    /// Throws: `pool_exhausted` if there is no slot left; `invalid_configuration` if there are
    /// arguments, and `initialization` says how objects are made; `std::bad_alloc` if there is no
    /// room to keep the object later; what upstream, a custom growth function, the constructor or
    /// `on_acquire` throws. The object is not there then; what the pool grew by is. Complexity:
    /// constant, except when growing.
    template <class... Args>
    requires(sizeof...(Args) == 0 || detail::makeable_from<T, Args...>)
        [[nodiscard, gnu::always_inline]] owned_handle<T> make(Args&&... args) {
        return make_by(wish::must, std::forward<Args>(args)...);
    }

    /// Returns: as `make`; empty if there is no slot, or no memory. Throws: only what the
    /// constructor or `on_acquire` throws, and `invalid_configuration`.
    template <class... Args>
    requires(sizeof...(Args) == 0 || detail::makeable_from<T, Args...>)
        [[nodiscard, gnu::always_inline]] owned_handle<T> try_make(Args&&... args) {
        return make_by(wish::may, std::forward<Args>(args)...);
    }

    /// Returns: `n` objects. Throws: as `make`; what a `std::vector` of so many handles throws. No
    /// object is left then.
    template <class... Args>
    requires(sizeof...(Args) == 0 || detail::makeable_from<T, const Args&...>)
        [[nodiscard]] std::vector<owned_handle<T>> make_batch(std::size_t n, const Args&... args) {
        std::vector<owned_handle<T>> made(n);
        for (owned_handle<T>& empty : made) ::new (&empty) owned_handle<T>(make(args...));
        return made;
    }

    /// Returns: as `make`, for several owners. Throws: as `make`.
    template <class... Args>
    requires(sizeof...(Args) == 0 || detail::makeable_from<T, Args...>)
        [[nodiscard]] shared_handle<T> make_shared(Args&&... args) {
        owned_handle<T> made = make(std::forward<Args>(args)...);
        detail::ticket* const t = tickets().take(detail::untyped(made.object_));
        return {std::exchange(made.object_, nullptr), t};
    }

    /// Returns: a handle of what `release()` returned; empty for null. Preconditions: it is an
    /// object of this pool that no handle owns. Complexity: constant; linear in the number of keys
    /// that were in use at a time, while objects that have one have no handle.
    [[nodiscard]] owned_handle<T> adopt(T* object) noexcept;

    /// Returns: a key of the object, which the handle goes on to own. Preconditions: it is not
    /// empty, and of this pool. Throws: what upstream throws. Complexity: constant.
    template <class U>
    requires std::is_convertible_v<T*, U*> object_key key_of(owned_handle<U>& handle) {
        return key_of_ticket(handle.way_.ticket_of(detail::untyped(handle.object_)));
    }

    template <class U>
    requires std::is_convertible_v<T*, U*> object_key key_of(const shared_handle<U>& handle) {
        return key_of_ticket(handle.ticket_);
    }

    /// Returns: the object that has the key; null if it is dead. Where other threads may drop it,
    /// only that it was alive is known. Preconditions: the key is of this pool. Complexity:
    /// constant.
    T* find(object_key key) const noexcept;

    /// Effects: calls `f(object)` for each object that is alive, in address order. Preconditions:
    /// nothing else draws on the resource; no other thread is inside; `f` does not use the pool.
    /// Throws: `invalid_configuration` if the pool does not own its resource; `std::bad_alloc`;
    /// what `f` throws. Complexity: n log n in the number of slots.
    template <class F>
    void for_each_live(F f);

    /// Effects: destroys up to `most` of the objects whose destruction was deferred, those that the
    /// calling thread or one that ended left, where each has its own. Returns: how many.
    std::size_t drain(std::size_t most = std::numeric_limits<std::size_t>::max()) noexcept {
        return kind_ == kind::deferred ? destroy_kept(most) : 0;
    }

    /// Effects: destroys the objects that are kept; then `resource().trim()`, if the pool owns it.
    /// Thread safety: that of `resource().trim()`.
    void trim() noexcept {
        destroy_kept(std::numeric_limits<std::size_t>::max());
        if (own_) own_->trim();
    }

    /// For containers and other pools that are to draw on it too. While this pool keeps objects, as
    /// after `make` unless it is lazy, it must not be released; `trim()` ends that.
    Resource& resource() noexcept { return *resource_; }

    const Resource& resource() const noexcept { return *resource_; }

    // What these say of slots is as the resource says it, of all that draw on it. An object that is
    // kept has a slot that is available.

    std::size_t capacity() const noexcept { return resource_->capacity(); }

    std::size_t available() const noexcept { return resource_->available() + kept_.size(); }

    std::size_t in_use() const noexcept {
        const std::size_t taken = resource_->in_use();
        return taken - std::min(kept_.size(), taken);
    }

    /// Whether no slot is in use.
    bool empty() const noexcept { return in_use() == 0; }

    /// Whether no slot is available: the pool grows for the next object, or is exhausted.
    bool full() const noexcept { return available() == 0; }

    /// Returns: what happened to objects, where the resource counts what happens to slots. Objects
    /// that are kept: of the calling thread, where each has its own. (A pool that defers asks its
    /// resource before it drains: that counts as a failure of the resource, though an object is
    /// made.)
    /// Complexity and thread safety: that of `resource().statistics()`.
    object_statistics statistics() const noexcept requires(Resource::collector_type::counts) {
        object_statistics s;
        handed_out_.add_to(s);
        s.kept = kept_.size();
        if constexpr (used_by != detail::threads::one) {
            // Where one thread makes what another drops, stripes go apart. Slots are known better,
            // if they were counted for as long.
            if (resource_->statistics_period() == period_) {
                s.peak = std::max(std::min(s.peak, resource_->statistics().peak), s.alive);
            }
        }
        return s;
    }

    /// Effects: counters begin at 0; a peak is what is alive now. Also those of the resource, if
    /// the pool owns it.
    void reset_statistics() noexcept requires(Resource::collector_type::counts) {
        if (own_) own_->reset_statistics();
        period_ = resource_->statistics_period();
        handed_out_.reset();
    }

    /// Whether the books are as the invariants say: those of the resource, of objects that are kept,
    /// each of which has a slot that is taken, and of tickets. For tests, and builds that check
    /// everything. Preconditions: no other thread is inside. Complexity: that of the resource's.
    bool invariants_hold() const noexcept;

private:
    friend struct detail::invariants_test_access;

    using kind = typename initialization<T>::kind;
    using counter = detail::live_counter_of<used_by, counts>;

    /// What follows where there is no slot: an exception, or nothing.
    enum class wish { must, may };

    /// Puts a slot back that did not come to hold an object.
    struct slot_guard {
        object_pool* pool;
        void* slot;

        ~slot_guard() {
            if (slot != nullptr) pool->put_back(slot);
        }
    };

    struct object_guard {
        T* object;

        ~object_guard() {
            if (object != nullptr) std::destroy_at(object);
        }
    };

    object_pool(std::in_place_t, const pool_config& config, initialization<T> how,
                std::pmr::memory_resource* upstream)
        : object_home(makes_plain(how) ? drop_plain : drop_otherwise),
          own_(std::in_place, config.completed_for(sizeof(T), alignof(T)), upstream),
          resource_(std::addressof(*own_)),
          is_plain_(makes_plain(how)),
          kind_(how.kind_),
          functions_(std::move(how)),
          kept_(own_->shared_upstream()) {
        if constexpr (has_magazine) {
            if (is_plain_) magazine_ = own_->magazine_of(sizeof(T), alignof(T));
        }
    }

    static bool makes_plain(const initialization<T>& how) noexcept {
        return how.kind_ == kind::lazy && !counts;
    }

    owned_handle<T> plain_handle_of(T* object) noexcept {
        return {object, detail::way_home(this, has_magazine)};
    }

    owned_handle<T> handle_of(T* object) noexcept {
        return {object, detail::way_home(this, has_magazine && is_plain_)};
    }

    static object_pool& self(object_home& home) noexcept { return static_cast<object_pool&>(home); }

    static T* object_at(void* slot) noexcept { return std::launder(static_cast<T*>(slot)); }

    // The way of an object into a handle.

    template <class... Args>
    [[gnu::always_inline]] owned_handle<T> make_by(wish w, Args&&... args) {
        if constexpr (has_magazine) {
            if (!magazine_->empty()) [[likely]] {
                return plain_handle_of(make_in(magazine_->take(), std::forward<Args>(args)...));
            }
        }
        if (is_plain_) [[likely]] {
            void* const slot = obtain<false>(w);
            if (w == wish::may && slot == nullptr) return {};
            return plain_handle_of(make_in(slot, std::forward<Args>(args)...));
        }
        return {make_otherwise(w, std::forward<Args>(args)...), {this, false}};
    }

    template <class... Args>
    static T* construct(void* slot, Args&&... args) {
        if constexpr (std::is_constructible_v<T, Args...>) {
            return ::new (slot) T(std::forward<Args>(args)...);
        } else if constexpr (detail::makeable_from<T, Args...>) {
            return ::new (slot) T{std::forward<Args>(args)...};
        } else {
            detail::throw_invalid("initialization", "lazy() or deferred()",
                                  "objects of this type are not made without arguments");
        }
    }

    template <class... Args>
    T* make_in(void* slot, Args&&... args) {
        slot_guard guard{this, slot};
        T* const made = acquired(construct(slot, std::forward<Args>(args)...));
        guard.slot = nullptr;
        return made;
    }

    static T* acquired(T* object) {
        if constexpr (has_on_acquire<T>) {
            object_guard guard{object};
            object->on_acquire();
            guard.object = nullptr;
        }
        return object;
    }

    template <class... Args>
    [[gnu::noinline]] T* make_otherwise(wish w, Args&&... args);
    T* make_of_kept(wish w);

    // `MayBeNatural`: the resource may be a drop-in. The pool's own is none.
    template <bool MayBeNatural = true>
    [[gnu::always_inline]] void* obtain(wish w) {
        return w == wish::must
                   ? resource_->template allocate_from<MayBeNatural>(sizeof(T), alignof(T))
                   : resource_->template try_allocate_from<MayBeNatural>(sizeof(T), alignof(T));
    }

    void* obtain_with_room(wish w);
    void* obtain_or_drain(wish w);
    void* obtain_with_object(wish w);
    void construct_those_added_to(std::size_t capacity);
    bool construct_one(wish w);

    void construct_by_function(void* slot) { ::new (slot) T(functions_.init_()); }

    // The way of an object out of it.

    static void drop_plain(object_home& home, void* slot) noexcept {
        T* const object = object_at(slot);
        notify_of_release(object);
        std::destroy_at(object);
        self(home).resource_->template deallocate_to<false>(slot, sizeof(T), alignof(T));
    }

    static void drop_otherwise(object_home& home, void* slot) noexcept {
        object_pool& pool = self(home);
        notify_of_release(object_at(slot));
        if (counts || !pool.own_) pool.handed_out_.remove();
        pool.keep_or_destroy(slot);
    }

    static void notify_of_release(T* object) noexcept {
        if constexpr (has_on_release<T>) object->on_release();
    }

    void keep_or_destroy(void* slot) noexcept;
    bool try_reset(T* object) noexcept;
    bool try_construct_again(void* slot) noexcept;
    std::size_t destroy_kept(std::size_t most) noexcept;

    void destroy(void* slot) noexcept {
        std::destroy_at(object_at(slot));
        put_back(slot);
    }

    // Effects: gives back a slot, and the room to keep an object if it had some.
    void put_back(void* slot) noexcept {
        if (kind_ != kind::lazy) kept_.lose_room();
        resource_->deallocate(slot, sizeof(T), alignof(T));
    }

    template <class F>
    void visit_taken(F f) {
        resource_->visit_slots([&](const visited_slot& s) {
            if (s.state == slot_state::live) f(const_cast<void*>(s.address));
        });
    }

    std::size_t alive() const noexcept;
    [[noreturn]] void report_alive_slow(std::size_t count) noexcept;

    // For handles.

    void put_slow(void* slot) noexcept override {
        resource_->template deallocate_to<false>(slot, sizeof(T), alignof(T));
    }

    void* object_of(const void* part) const noexcept override { return resource_->slot_of(part); }

    detail::ticket_source& tickets() override {
        std::pmr::memory_resource* const upstream = resource_->shared_upstream();
        return *detail::made_once(
            tickets_, [&] { return detail::ticket_source::make(this, upstream, used_by); },
            [&](detail::ticket_source* made) { detail::ticket_source::drop(made); });
    }

    void count_release() noexcept override {
        released_with_key_.fetch_add(1, std::memory_order_relaxed);
    }

    object_key key_of_ticket(detail::ticket* t) {
        const std::uint32_t number = tickets().number_of(t);
        return {number, t->state.observe()};
    }

    std::optional<Resource> own_;
    Resource* const resource_;
    const bool is_plain_ = false;  // lazy, nothing is counted, and the resource is its own
    kind kind_;                    // lazy while the pool is destroyed
    const initialization<T> functions_;
    detail::kept_objects<used_by> kept_;
    counter handed_out_;  // where the resource is not its own, or counts
    // Of the resource, when counting began.
    [[no_unique_address]] detail::counting_period<counts> period_{resource_->statistics_period()};
    std::atomic<detail::ticket_source*> tickets_{nullptr};
    std::atomic<std::size_t> released_with_key_{0};
};

template <class T, class Resource>
object_pool<T, Resource>::~object_pool() {
    if constexpr (used_by == detail::threads::each_its_own) {
        if (own_) own_->take_over();
    }
    // An object that is kept may own others, which are not to be kept in turn.
    kind_ = kind::lazy;
    while (void* const slot = kept_.take_of_all()) destroy(slot);
    // What threads of the parent have is not theirs to give back in a child of fork().
    const std::size_t count = alive();
    if (count != 0 && !detail::thread_number::there_are_orphans()) report_alive_slow(count);
    if (auto* const t = tickets_.load(std::memory_order_acquire)) detail::ticket_source::drop(t);
}

// Returns: null where there is no slot.
template <class T, class Resource>
template <class... Args>
T* object_pool<T, Resource>::make_otherwise(wish w, Args&&... args) {
    T* made = nullptr;
    if (kind_ == kind::lazy || kind_ == kind::deferred) {
        void* const slot = kind_ == kind::lazy ? obtain(w) : obtain_or_drain(w);
        if (slot != nullptr) made = make_in(slot, std::forward<Args>(args)...);
    } else if constexpr (sizeof...(Args) == 0) {
        made = make_of_kept(w);
    } else {
        detail::throw_invalid("initialization", "eager() or recycling()",
                              "objects are made by its function, not from arguments");
    }
    if ((counts || !own_) && made != nullptr) handed_out_.add();
    return made;
}

template <class T, class Resource>
T* object_pool<T, Resource>::make_of_kept(wish w) {
    void* slot = kept_.take();
    if (slot == nullptr) slot = obtain_with_object(w);
    if (slot == nullptr) return nullptr;
    slot_guard guard{this, slot};
    T* const made = acquired(object_at(slot));
    guard.slot = nullptr;
    return made;
}

// Returns: a slot for an object that can be kept.
template <class T, class Resource>
void* object_pool<T, Resource>::obtain_with_room(wish w) {
    void* const slot = obtain(w);
    if (slot == nullptr || kept_.try_make_room([this] { return resource_->in_use(); })) return slot;
    resource_->deallocate(slot, sizeof(T), alignof(T));
    if (w == wish::must) detail::throw_bad_alloc();
    return nullptr;
}

template <class T, class Resource>
void* object_pool<T, Resource>::obtain_or_drain(wish w) {
    for (;;) {
        if (void* const slot = obtain_with_room(wish::may)) return slot;
        if (destroy_kept(1) == 0) return obtain_with_room(w);
    }
}

template <class T, class Resource>
void* object_pool<T, Resource>::obtain_with_object(wish w) {
    const std::size_t capacity = resource_->capacity();
    void* const slot = obtain_with_room(w);
    if (slot == nullptr) return nullptr;
    slot_guard guard{this, slot};
    if (kind_ == kind::eager) construct_those_added_to(capacity);
    construct_by_function(slot);
    return std::exchange(guard.slot, nullptr);
}

// Effects: constructs objects to be kept, as many as there are slots more than `capacity`, but for
// the one that made the pool grow. When others took slots meanwhile, the pool may grow again, and
// this ends.
template <class T, class Resource>
void object_pool<T, Resource>::construct_those_added_to(std::size_t capacity) {
    const std::size_t grown = resource_->capacity();
    for (std::size_t n = capacity + 1; n < grown; ++n) {
        if (!construct_one(wish::may) || resource_->capacity() != grown) return;
    }
}

// Effects: constructs an object to be kept. Returns: false if there is no slot for it.
template <class T, class Resource>
bool object_pool<T, Resource>::construct_one(wish w) {
    void* const slot = obtain_with_room(w);
    if (slot == nullptr) return false;
    slot_guard guard{this, slot};
    construct_by_function(slot);
    guard.slot = nullptr;
    if (!kept_.keep(slot)) destroy(slot);
    return true;
}

template <class T, class Resource>
void object_pool<T, Resource>::keep_or_destroy(void* slot) noexcept {
    switch (kind_) {
        case kind::lazy:
            break;
        case kind::deferred:
            if (kept_.keep(slot)) return;
            break;
        case kind::recycling:
            if (try_reset(object_at(slot)) && kept_.keep(slot)) return;
            break;
        case kind::eager:
            std::destroy_at(object_at(slot));
            if (!try_construct_again(slot)) return put_back(slot);
            if (kept_.keep(slot)) return;
            break;
    }
    destroy(slot);
}

template <class T, class Resource>
bool object_pool<T, Resource>::try_reset(T* object) noexcept {
    const auto& reset = functions_.reset_;
    return detail::succeeds([&] { reset(*object); });
}

template <class T, class Resource>
bool object_pool<T, Resource>::try_construct_again(void* slot) noexcept {
    return detail::succeeds([&] { construct_by_function(slot); });
}

template <class T, class Resource>
std::size_t object_pool<T, Resource>::destroy_kept(std::size_t most) noexcept {
    std::size_t destroyed = 0;
    for (; destroyed != most; ++destroyed) {
        void* slot = kept_.take();
        if (slot == nullptr) slot = kept_.take_left();
        if (slot == nullptr) break;
        destroy(slot);
    }
    return destroyed;
}

template <class T, class Resource>
owned_handle<T> object_pool<T, Resource>::adopt(T* object) noexcept {
    if (object == nullptr) return {};
    if (released_with_key_.load(std::memory_order_relaxed) != 0) {
        if (detail::ticket* const t = tickets().search(object)) {
            released_with_key_.fetch_sub(1, std::memory_order_relaxed);
            return owned_handle<T>(object, detail::way_home(t));
        }
    }
    return handle_of(object);
}

template <class T, class Resource>
T* object_pool<T, Resource>::find(object_key key) const noexcept {
    const detail::ticket_source* const source = tickets_.load(std::memory_order_acquire);
    if (source == nullptr) return nullptr;
    const detail::ticket* const t = source->find(key.slot_);
    if (t == nullptr || !t->state.is_at(key.generation_)) return nullptr;
    // Acquire: whoever stored a later object had ended the generation before.
    void* const object = t->object.load(std::memory_order_acquire);
    if (used_by != detail::threads::one && !t->state.is_alive(key.generation_)) return nullptr;
    return object_at(object);
}

template <class T, class Resource>
template <class F>
void object_pool<T, Resource>::for_each_live(F f) {
    if (!own_) {
        detail::throw_invalid("resource", "not the pool's own",
                              "others may draw on it, so what is in its slots is not known");
    }
    std::vector<void*> kept;
    kept_.for_each([&](void* slot) { kept.push_back(slot); });
    std::sort(kept.begin(), kept.end());
    const auto visit = [&](void* slot) {
        if (!std::binary_search(kept.begin(), kept.end(), slot)) f(*object_at(slot));
    };
    if constexpr (used_by == detail::threads::each_its_own) {
        std::vector<void*> taken;  // in the order of threads
        visit_taken([&](void* slot) { taken.push_back(slot); });
        std::sort(taken.begin(), taken.end());
        std::for_each(taken.begin(), taken.end(), visit);
    } else {
        visit_taken(visit);
    }
}

template <class T, class Resource>
bool object_pool<T, Resource>::invariants_hold() const noexcept {
    std::size_t kept = 0;
    bool have_slots = kept_.invariants_hold();
    if (!have_slots) return false;
    kept_.for_each([&](const void* slot) {
        ++kept;
        have_slots = have_slots && slot != nullptr && resource_->slot_of(slot) == slot;
    });
    const detail::ticket_source* const t = tickets_.load(std::memory_order_acquire);
    return have_slots && (kept == 0 || kind_ != kind::lazy) &&
           (t == nullptr || t->invariants_hold()) &&
           resource_->invariants_hold([&](auto f) { kept_.for_each(f); });
}

template <class T, class Resource>
std::size_t object_pool<T, Resource>::alive() const noexcept {
    if (!own_) return handed_out_.count();
    if constexpr (used_by == detail::threads::each_its_own) {
        return own_->in_use_by_all();
    } else {
        return own_->in_use();
    }
}

template <class T, class Resource>
void object_pool<T, Resource>::report_alive_slow(std::size_t count) noexcept {
    std::array<const void*, 8> first;
    std::size_t known = 0;
    // Memory may be out: then fewer are known.
    (void)detail::succeeds([&] {
        if (own_)
            for_each_live([&](const T& object) {
                if (known != first.size()) first[known++] = std::addressof(object);
            });
    });
    detail::report_misuse({misuse::objects_alive, this, count, std::span(first).first(known)});
}

}  // namespace fastalloc
