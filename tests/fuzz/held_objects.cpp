// SPDX-License-Identifier: MIT
#include "fuzz/held_objects.hpp"

#include <new>

namespace fastalloc::fuzz {

std::uint32_t held_objects::begin_life(object* o) {
    ++last_life_;
    w_.found.require(o != nullptr && w_.map.begins(o) && o->is_acquired(),
                     "handed out what is no new object");
    lives_.emplace(last_life_, life{o, w_.current, 1});
    return last_life_;
}

template <class Drop>
void held_objects::end_ownership(std::uint32_t number, Drop drop) {
    life& l = lives_.at(number);
    l.at->check();
    const bool is_last = --l.owners == 0;
    if (is_last) lives_.erase(number);
    const std::size_t acquired = w_.ledger.acquired();
    const std::size_t asked = w_.upstream.checked().allocations() + w_.upstream.refusals();
    ++w_.counts.operations;
    drop();
    w_.found.require_equal(w_.ledger.acquired() + is_last, acquired, "objects after a drop");
    w_.found.require_equal(w_.upstream.checked().allocations() + w_.upstream.refusals(), asked,
                           "requests to upstream in a drop");
}

void held_objects::add(owned_handle<object> made) {
    const std::uint32_t number = begin_life(made.get());
    if (w_.found.any()) return;
    owned_entry e{std::move(made), {}, number};
    if (number % 4 == 0) e.part = std::move(e.whole);
    owned_.push_back(std::move(e));
}

void held_objects::add(shared_handle<object> made) {
    w_.found.require_equal(made.use_count(), 1, "owners of a new object");
    const std::uint32_t number = begin_life(made.get());
    if (w_.found.any()) return;
    shared_.push_back({std::move(made), number});
}

void held_objects::share() {
    if (owned_.empty()) return;
    const std::size_t i = pick(owned_.size());
    owned_entry& e = owned_[i];
    if (e.part != nullptr) return;
    w_.begin_request();
    try {
        shared_handle<object> made(std::move(e.whole));
        w_.found.require(made.get() == object_of(e.life), "shares another object");
        w_.found.require_equal(made.use_count(), 1, "owners of an object");
        shared_.push_back({std::move(made), e.life});
        take_out(owned_, i);
    } catch (const std::bad_alloc&) {
        w_.found.require(w_.upstream_refused(), "not shared without a cause");
        w_.found.require(owned_[i].whole.get() == object_of(owned_[i].life), "lost an object");
    }
}

void held_objects::copy_shared() {
    if (shared_.empty() || shared_.size() > 1'000) return;
    const std::size_t i = pick(shared_.size());
    shared_.push_back(shared_[i]);
    life& l = lives_.at(shared_[i].life);
    ++l.owners;
    w_.found.require_equal(shared_[i].value.use_count(), l.owners, "owners of an object");
}

void held_objects::observe() {
    if (shared_.empty()) return;
    const auto& e = shared_[pick(shared_.size())];
    keep(weak_, weak_handle<object>(e.value), e.life);
}

void held_objects::lock() {
    if (weak_.empty()) return;
    const auto e = weak_[pick(weak_.size())];
    object* const expected = object_of(e.life);
    w_.found.require(e.value.expired() == (expected == nullptr), "expired() of a weak handle");
    shared_handle<object> locked = e.value.lock();
    w_.found.require(locked.get() == expected, "lock() of a weak handle");
    if (expected == nullptr || w_.found.any()) return w_.counts.count(event::lock_failed);
    life& l = lives_.at(e.life);
    ++l.owners;
    w_.found.require_equal(locked.use_count(), l.owners, "owners of an object");
    shared_.push_back({std::move(locked), e.life});
}

void held_objects::drop_owned(std::size_t i) {
    owned_entry e = std::move(owned_[i]);
    take_out(owned_, i);
    end_ownership(e.life, [&] {
        e.whole.reset();
        e.part.reset();
    });
}

void held_objects::drop_shared(std::size_t i) {
    auto e = std::move(shared_[i]);
    take_out(shared_, i);
    end_ownership(e.life, [&] { e.value.reset(); });
}

void held_objects::drop() {
    if (!owned_.empty() && (shared_.empty() || w_.in.byte() % 2 == 0)) {
        const std::size_t i = pick(owned_.size());
        if (may_drop(owned_[i].life)) drop_owned(i);
    } else if (!shared_.empty()) {
        const std::size_t i = pick(shared_.size());
        if (may_drop(shared_[i].life)) drop_shared(i);
    }
}

void held_objects::release_object() {
    if (owned_.empty()) return;
    const std::size_t i = pick(owned_.size());
    owned_entry& e = owned_[i];
    if (e.part != nullptr) return;
    object* const o = e.whole.release();
    w_.found.require(o == object_of(e.life) && e.whole == nullptr, "released another object");
    released_.push_back({o, e.life});
    take_out(owned_, i);
}

void held_objects::drop_all() {
    while (!owned_.empty()) drop_owned(owned_.size() - 1);
    while (!shared_.empty()) drop_shared(shared_.size() - 1);
    w_.found.require_equal(lives_.size(), released_.size(), "objects that handles owned");
}

void held_objects::check_all() const {
    for (const auto& [number, l] : lives_) {
        l.at->check();
        w_.found.require(l.at->is_acquired(), "somebody has an object that is not handed out");
    }
    for (const auto& e : owned_) {
        const second_part* const at = e.part == nullptr ? e.whole.get() : e.part.get();
        w_.found.require(at == object_of(e.life), "a handle of another object");
    }
    for (const auto& e : shared_) {
        w_.found.require(e.value.get() == object_of(e.life), "a shared handle of another object");
        w_.found.require_equal(e.value.use_count(), lives_.at(e.life).owners, "owners");
    }
    for (const auto& e : weak_) {
        w_.found.require(e.value.expired() == (object_of(e.life) == nullptr), "expired()");
    }
}

}  // namespace fastalloc::fuzz
