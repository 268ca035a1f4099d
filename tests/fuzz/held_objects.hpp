// SPDX-License-Identifier: MIT
#pragma once

#include "fuzz/object.hpp"
#include "fuzz/world.hpp"

#include <fastalloc/object/object_key.hpp>
#include <fastalloc/object/owned_handle.hpp>
#include <fastalloc/object/shared_handle.hpp>
#include <fastalloc/object/weak_handle.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace fastalloc::fuzz {

/// The handles and keys of the objects of a typed pool, and which of them are alive. An object that
/// is handed out again has another life.
class held_objects {
public:
    /// Where each thread has pools of its own, objects go back where they came from.
    held_objects(world& w, bool each_its_own) : w_(w), each_its_own_(each_its_own) {}

    std::size_t alive() const { return lives_.size(); }
    std::size_t released() const { return released_.size(); }

    void add(owned_handle<object> made);
    void add(shared_handle<object> made);
    void add(object_key k, std::uint32_t number) { keep(keys_, k, number); }

    // Steps, each of one handle that the input picks; none if there is none.
    void share();
    void copy_shared();
    void observe();
    void lock();
    void drop();
    void release_object();

    /// Effects: drops all that is alive. Preconditions: the calling thread may; handles own it.
    void drop_all();
    void forget_keys() {
        keys_.clear();
        weak_.clear();
    }

    void check_all() const;

    /// Effects: `f(object)` for each that is alive.
    template <class F>
    void for_each_alive(F f) const {
        for (const auto& [number, l] : lives_) f(l.at);
    }

    /// Effects: `f(handle, life)` for a handle that owns an object.
    template <class F>
    void with_any_owner(F f) {
        if (!owned_.empty() && w_.in.byte() % 2 == 0) {
            owned_entry& e = owned_[pick(owned_.size())];
            return e.part == nullptr ? f(e.whole, e.life) : f(e.part, e.life);
        }
        if (shared_.empty()) return;
        entry<shared_handle<object>>& e = shared_[pick(shared_.size())];
        f(e.value, e.life);
    }

    /// Effects: `f(key, object)`, with null for one that is dead.
    template <class F>
    void with_any_key(F f) {
        if (keys_.empty()) return;
        const entry<object_key>& e = keys_[pick(keys_.size())];
        f(e.value, object_of(e.life));
    }

    template <class F>
    void for_each_key(F f) const {
        for (const entry<object_key>& e : keys_) f(e.value, object_of(e.life));
    }

    /// Effects: an object that no handle owns has the one that `adopt(object)` returns.
    template <class Adopt>
    void with_any_released(Adopt adopt) {
        if (released_.empty()) return;
        const std::size_t i = pick(released_.size());
        const entry<object*> e = released_[i];
        owned_handle<object> handle = adopt(e.value);
        w_.found.require(handle.get() == e.value, "adopted another object");
        take_out(released_, i);
        owned_.push_back({std::move(handle), {}, e.life});
    }

private:
    struct life {
        object* at;
        thread_id owner;
        std::size_t owners;  // handles
    };

    struct owned_entry {
        owned_handle<object> whole;
        owned_handle<second_part> part;  // either of the two
        std::uint32_t life;
    };

    template <class Value>
    struct entry {
        Value value;
        std::uint32_t life;
    };

    std::size_t pick(std::size_t n) { return w_.in.below(n < 65'536 ? n : 65'536); }

    object* object_of(std::uint32_t number) const {
        const auto found = lives_.find(number);
        return found == lives_.end() ? nullptr : found->second.at;
    }

    bool may_drop(std::uint32_t number) const {
        const thread_id owner = lives_.at(number).owner;
        return !each_its_own_ || owner == w_.current || owner != first_thread;
    }

    std::uint32_t begin_life(object* o);

    // Effects: `drop()`, which ends one ownership of the life.
    template <class Drop>
    void end_ownership(std::uint32_t number, Drop drop);

    // Effects: the newest of what is only known, of which only so much is kept.
    template <class Value>
    void keep(std::vector<entry<Value>>& all, Value v, std::uint32_t number) {
        constexpr std::size_t most = 48;
        if (all.size() == most) take_out(all, pick(most));
        all.push_back({v, number});
    }

    template <class Entry>
    static void take_out(std::vector<Entry>& all, std::size_t i) {
        if (i + 1 != all.size()) all[i] = std::move(all.back());
        all.pop_back();
    }

    void drop_owned(std::size_t i);
    void drop_shared(std::size_t i);

    world& w_;
    bool each_its_own_;
    std::uint32_t last_life_ = 0;
    std::map<std::uint32_t, life> lives_;
    std::vector<owned_entry> owned_;
    std::vector<entry<shared_handle<object>>> shared_;
    std::vector<entry<weak_handle<object>>> weak_;
    std::vector<entry<object_key>> keys_;
    std::vector<entry<object*>> released_;
};

}  // namespace fastalloc::fuzz
