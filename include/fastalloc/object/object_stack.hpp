// SPDX-License-Identifier: MIT
#pragma once

#include <fastalloc/detail/invariants.hpp>
#include <fastalloc/detail/thread_number.hpp>
#include <fastalloc/error.hpp>
#include <fastalloc/storage/per_thread.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <memory_resource>
#include <new>

namespace fastalloc::detail {

/// Objects of one pool that are constructed and in nobody's hands: the last kept is the first
/// taken. Room for all of them is made when they are constructed, so that keeping one asks upstream
/// for nothing.
///
/// Invariants: kept <= capacity; promised <= capacity.
class object_stack {
public:
    explicit object_stack(std::pmr::memory_resource* upstream) noexcept : upstream_(upstream) {}

    object_stack(const object_stack&) = delete;
    object_stack& operator=(const object_stack&) = delete;

    ~object_stack() { give_back(objects_, capacity_); }

    /// Effects: promises room for one more object. Returns: false if upstream has no memory for it.
    /// `taken()` is for those that need to know how many slots are taken.
    template <class Taken>
    bool try_make_room(Taken) noexcept {
        if (!try_reserve(promised_ + 1)) return false;
        ++promised_;
        return true;
    }

    /// Effects: makes room for so many objects. Returns: as `try_make_room`.
    bool try_reserve(std::size_t objects) noexcept {
        return objects <= capacity_ || try_grow_slow(objects);
    }

    /// Effects: undoes one `try_make_room`.
    void lose_room() noexcept { --promised_; }

    /// Returns: whether there was room to keep it.
    bool keep(void* object) noexcept {
        if (size_ == capacity_) return false;
        objects_[size_++] = object;
        return true;
    }

    /// Returns: one that is kept no longer; null if there is none.
    void* take() noexcept { return size_ == 0 ? nullptr : objects_[--size_]; }

    /// Returns: as `take`, of what threads left that ended.
    void* take_left() noexcept { return nullptr; }

    /// Returns: as `take`, of any thread. Preconditions: no other thread is inside.
    void* take_of_all() noexcept { return take(); }

    std::size_t size() const noexcept { return size_; }

    /// Effects: calls `f` with each that is kept. Preconditions: no other thread uses it.
    template <class F>
    void for_each(F f) const {
        for (std::size_t i = 0; i != size_; ++i) f(objects_[i]);
    }

    bool invariants_hold() const noexcept {
        return size_ <= capacity_ && promised_ <= capacity_ &&
               (objects_ == nullptr) == (capacity_ == 0);
    }

private:
    friend struct invariants_test_access;

    [[gnu::cold, gnu::noinline]] bool try_grow_slow(std::size_t objects) noexcept {
        const std::size_t capacity = std::max({2 * capacity_, objects, std::size_t{16}});
        void* const memory = try_upstream(*upstream_, capacity * sizeof(void*), alignof(void*));
        if (memory == nullptr) return false;
        if (size_ != 0) std::memcpy(memory, objects_, size_ * sizeof(void*));
        give_back(objects_, capacity_);
        objects_ = static_cast<void**>(memory);
        capacity_ = capacity;
        return true;
    }

    void give_back(void** objects, std::size_t capacity) noexcept {
        if (objects == nullptr) return;
        upstream_->deallocate(objects, capacity * sizeof(void*), alignof(void*));
    }

    std::pmr::memory_resource* upstream_;
    void** objects_ = nullptr;
    std::size_t size_ = 0;      // kept
    std::size_t promised_ = 0;  // room for so many
    std::size_t capacity_ = 0;  // elements of objects_
};

/// An `object_stack` for each thread. What a thread keeps is its own while it runs, then that of
/// the next with its number, or of whoever claims it.
///
/// An object may go in another thread than it came in, if that has ended. So a thread has room for
/// what is in slots of its own, beside what it keeps already, and keeps an object of another while
/// there is room.
class object_stacks_of_threads {
public:
    explicit object_stacks_of_threads(std::pmr::memory_resource* upstream) noexcept
        : upstream_(upstream) {}

    ~object_stacks_of_threads() {
        stacks_.for_each([this](thread_number number, object_stack& stack) {
            if (number.is_orphan()) return;
            std::destroy_at(&stack);
            upstream_->deallocate(&stack, sizeof(object_stack), alignof(object_stack));
        });
        stacks_.release(*upstream_);
    }

    /// `taken()` is of the calling thread, the slot for the new object included.
    template <class Taken>
    bool try_make_room(Taken taken) noexcept {
        if (stacks_.mine() == nullptr && !try_make_mine_slow()) return false;
        object_stack& mine = *stacks_.mine();
        return mine.try_reserve(mine.size() + taken());
    }

    void lose_room() noexcept {}

    bool keep(void* object) noexcept {
        object_stack* const mine = stacks_.mine();
        return mine != nullptr && mine->keep(object);
    }

    void* take() noexcept {
        object_stack* const mine = stacks_.mine();
        return mine == nullptr ? nullptr : mine->take();
    }

    void* take_left() noexcept {
        void* object = nullptr;
        stacks_.for_each([&](thread_number number, object_stack& stack) {
            if (object != nullptr || !number.try_claim()) return;
            object = stack.take();
            number.give_up();
        });
        return object;
    }

    void* take_of_all() noexcept {
        void* object = nullptr;
        stacks_.for_each([&](thread_number number, object_stack& stack) {
            if (object == nullptr && !number.is_orphan()) object = stack.take();
        });
        return object;
    }

    /// Of the calling thread.
    std::size_t size() const noexcept {
        const object_stack* const mine = stacks_.mine();
        return mine == nullptr ? 0 : mine->size();
    }

    template <class F>
    void for_each(F f) const {
        stacks_.for_each([&](thread_number, const object_stack& stack) { stack.for_each(f); });
    }

    /// Preconditions: no other thread uses it.
    bool invariants_hold() const noexcept {
        bool all_hold = true;
        stacks_.for_each([&](thread_number, const object_stack& stack) {
            all_hold = all_hold && stack.invariants_hold();
        });
        return all_hold;
    }

private:
    [[gnu::cold, gnu::noinline]] bool try_make_mine_slow() noexcept {
        const thread_number number = thread_number::assign();
        if (number.is_nobodys() || !stacks_.try_reserve(number, *upstream_)) return false;
        void* const memory = try_upstream(*upstream_, sizeof(object_stack), alignof(object_stack));
        if (memory == nullptr) return false;
        stacks_.set_mine(::new (memory) object_stack(upstream_));
        return true;
    }

    std::pmr::memory_resource* upstream_;
    per_thread<object_stack> stacks_;
};

}  // namespace fastalloc::detail
