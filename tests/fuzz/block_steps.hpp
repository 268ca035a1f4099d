// SPDX-License-Identifier: MIT
#pragma once

#include "fuzz/capacity_model.hpp"
#include "fuzz/world.hpp"

#include <fastalloc/error.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory_resource>
#include <new>
#include <span>
#include <vector>

namespace fastalloc::fuzz {

/// How a request ended.
enum class outcome : unsigned char { served, null, exhausted, bad_alloc, user_error };

/// Steps that allocate and give back blocks.
template <class Resource>
class block_steps {
public:
    block_steps(world& w, Resource& r, capacity_model<Resource>& capacities)
        : w_(w), r_(r), capacities_(capacities) {
        w_.give_one_back = [this](std::size_t number) { return give_back_one_of(number); };
    }

    void allocate(bool try_only) {
        const request q = read_request();
        allocate_one(q, try_only ? door::try_allocate : door(w_.in.byte() % 2));
    }

    void allocate_run() {
        const request q = read_request();
        const std::size_t n = read_run();
        for (std::size_t i = 0; i != n && !w_.found.any(); ++i) {
            if (!allocate_one(q, door(i % 3))) break;
        }
    }

    void deallocate() {
        if (w_.blocks.count() != 0) give_back(pick());
    }

    void deallocate_run() {
        const std::size_t n = read_run();
        const std::size_t order = w_.in.byte();
        for (std::size_t i = 0; i != n && w_.blocks.count() != 0; ++i) {
            const std::size_t count = w_.blocks.count();
            const std::size_t at = order % 4 == 0   ? count - 1
                                   : order % 4 == 1 ? 0
                                                    : i * (order | 1) % count;
            if (!give_back(at) || w_.found.any()) break;
        }
    }

    void allocate_batch() {
        const request q = read_request();
        std::vector<void*> out(w_.in.byte() % 100);
        if (!has_room_for(q.bytes * out.size(), out.size())) return;
        const attempt a = begin(q);
        const outcome how = call([&] { r_.allocate_batch(out, q.bytes, q.alignment); });
        capacities_.note_growth(a.number, a.taken, true);
        w_.counts.operations += out.size();
        if (how != outcome::served) {
            w_.counts.count(event::batch_failed);
            w_.found.require(!out.empty(), "a batch of none failed");
            return judge_failure(a, how, true);
        }
        for (void* const p : out) add(q, a.number, p);
    }

    void deallocate_batch() {
        if (w_.blocks.count() == 0) return;
        const block like = w_.blocks[pick()];
        if (!may_free(like.owner)) return;
        std::vector<void*> batch;
        const std::size_t most = 1 + w_.in.byte() % 64;
        for (std::size_t i = w_.blocks.count(); i-- != 0 && batch.size() != most;) {
            const block& b = w_.blocks[i];
            if (b.bytes != like.bytes || b.alignment != like.alignment || !may_free(b.owner))
                continue;
            batch.push_back(b.p);
            w_.count_live(w_.blocks.remove(i), false);
        }
        w_.counts.operations += batch.size();
        r_.deallocate_batch(batch, like.bytes, like.alignment);
    }

    void check_owned() {
        for (std::size_t i = 0; i != w_.blocks.count(); ++i) check_place(w_.blocks[i]);
        w_.found.require(!r_.owns(nullptr) && !r_.owns(&w_), "owns what is not its own");
    }

    /// Effects: gives every block back. Preconditions: the caller may.
    void give_all_back() {
        while (w_.blocks.count() != 0 && !w_.found.any()) give_back(w_.blocks.count() - 1);
    }

    bool may_free(thread_id owner) const {
        // Threads that ended have left their blocks to others.
        return !capacity_model<Resource>::each_its_own || owner == w_.current ||
               owner != first_thread;
    }

private:
    enum class door : unsigned char { allocate, memory_resource, try_allocate };

    struct request {
        std::size_t bytes;
        std::size_t alignment;
    };

    struct attempt {
        std::size_t number;  // of the class
        std::size_t taken;
    };

    std::size_t read_bytes() {
        const std::size_t how = w_.in.byte();
        if (how < 100) return how;
        if (how < 190 && !w_.what.classes.empty()) {
            return w_.what.classes[how % w_.what.classes.size()].slot_size + how / 8 % 3 - 1;
        }
        if (how < 170) return (std::size_t{8} << how % 11) * (4 + how / 11 % 4) / 4 + how % 3 - 1;
        if (how < 240) return (how - 100) * 16 + w_.in.byte() % 16;
        return (how - 230) * 2'731 + w_.in.byte();
    }

    request read_request() {
        const std::size_t bytes = read_bytes();
        const std::size_t how = w_.in.byte();
        const std::size_t most = how < 160 ? 5 : how < 240 ? 8 : 14;
        return {bytes, std::size_t{1} << how % most};
    }

    // Most runs are short, and some are longer than the magazines of most classes.
    std::size_t read_run() {
        const std::size_t how = w_.in.byte();
        return how < 224 ? 1 + how % 32 : how * 2;
    }

    std::size_t pick() { return w_.in.below(std::min<std::size_t>(w_.blocks.count(), 65'536)); }

    bool has_room_for(std::size_t bytes, std::size_t blocks) const {
        return w_.blocks.bytes() + bytes <= std::size_t{3} << 20 &&
               w_.blocks.count() + blocks <= 5'000;
    }

    attempt begin(const request& q) {
        w_.begin_request();
        const std::size_t number = w_.classes.class_of(q.bytes, q.alignment);
        return {number, number == no_class ? 0 : capacities_.taken(number)};
    }

    template <class F>
    outcome call(F f) {
        try {
            f();
            return outcome::served;
        } catch (const pool_exhausted& e) {
            said_ = e;
            return outcome::exhausted;
        } catch (const user_error&) {
            return outcome::user_error;
        } catch (const std::bad_alloc&) {
            return outcome::bad_alloc;
        }
    }

    void* ask(const request& q, door d) {
        std::pmr::memory_resource& base = r_;
        if (d == door::try_allocate) return r_.try_allocate(q.bytes, q.alignment);
        return d == door::allocate ? r_.allocate(q.bytes, q.alignment)
                                   : base.allocate(q.bytes, q.alignment);
    }

    // Returns: whether there is one block more.
    bool allocate_one(const request& q, door d) {
        if (!has_room_for(q.bytes, 1)) return false;
        ++w_.counts.operations;
        const attempt a = begin(q);
        void* p = nullptr;
        outcome how = call([&] { p = ask(q, d); });
        if (how == outcome::served && p == nullptr) how = outcome::null;
        capacities_.note_growth(a.number, a.taken, false);
        if (how == outcome::served) {
            add(q, a.number, p);
            return true;
        }
        w_.found.require((how == outcome::null) == (d == door::try_allocate),
                         "null from allocate, or an exception from try_allocate");
        judge_failure(a, how, false);
        return false;
    }

    void add(const request& q, std::size_t number, void* p) {
        const block b{static_cast<unsigned char*>(p), q.bytes, q.alignment, 0, w_.current, number};
        if (number == no_class) {
            w_.counts.count(event::served_larger);
            w_.found.require(w_.what.larger_to_upstream, "served what is to be refused");
        }
        w_.blocks.add(b);
        if (w_.found.any()) return;
        w_.count_live(b, true);
        check_place(b);
    }

    void check_place(const block& b) {
        const bool in_slot = b.class_number != no_class;
        const void* const last = b.p + (b.bytes == 0 ? 0 : b.bytes - 1);
        w_.found.require(r_.slot_of(last) == (in_slot ? b.p : nullptr), "slot_of() a block's end");
        // The same look-up again, which is most of the time that an operation takes.
        if (++placed_ % 16 != 0) return;
        w_.found.require(r_.owns(b.p) == in_slot, "owns() of a block");
    }

    // A failure has to have a cause. Where the resource was asked for several blocks, it may have
    // taken the free ones before.
    void judge_failure(const attempt& a, outcome how, bool several) {
        if (a.number == no_class) return judge_larger(how);
        const bool exhausted = capacities_.may_be_exhausted(a.number) || several;
        if (w_.upstream_refused()) w_.counts.count(event::upstream_failed);
        if (how == outcome::exhausted) {
            w_.counts.count(event::exhausted);
            w_.found.require(exhausted, "exhausted, and is not");
            return check_numbers(w_.classes[a.number]);
        }
        if (how == outcome::user_error || (how == outcome::null && w_.user_code_threw())) {
            w_.found.require(w_.user_code_threw(), "an exception of nobody");
        } else {
            const bool may_be_null = how == outcome::null && exhausted;
            w_.found.require(w_.upstream_refused() || may_be_null, "refused without a cause");
        }
        const bool must_serve = !several && capacities_.has_free_slot(a.number, a.taken) &&
                                !w_.gave_back && how != outcome::exhausted;
        w_.found.require(!must_serve, "refused although it had a free slot");
    }

    void judge_larger(outcome how) {
        w_.found.require(how == outcome::null || how == outcome::bad_alloc,
                         "a larger request ended otherwise than with bad_alloc");
        if (!w_.what.larger_to_upstream) return w_.counts.count(event::refused_larger);
        const bool has_upstream = w_.what.how != form::buffer;
        w_.found.require(w_.upstream_refused() || !has_upstream, "refused a larger request");
        if (has_upstream) w_.counts.count(event::upstream_failed);
    }

    void check_numbers(const class_model& c) {
        w_.found.require_equal(said_.slot_size(), c.slot_size, "pool_exhausted::slot_size()");
        if (!w_.knows_capacities || !capacities_.is_comparable()) return;
        w_.found.require_equal(said_.capacity(), c.capacity, "pool_exhausted::capacity()");
    }

    // Returns: whether it was.
    bool give_back(std::size_t i) {
        if (!may_free(w_.blocks[i].owner)) return false;
        ++w_.counts.operations;
        const block b = w_.blocks.remove(i);
        w_.count_live(b, false);
        if (b.owner != w_.current && b.owner != first_thread) {
            w_.counts.count(event::block_of_an_ended_thread);
        }
        const std::size_t asked = w_.upstream.checked().allocations() + w_.upstream.refusals();
        const std::size_t returned = w_.upstream.checked().deallocations();
        r_.deallocate(b.p, b.bytes, b.alignment);
        w_.found.require_equal(w_.upstream.checked().allocations() + w_.upstream.refusals(), asked,
                               "requests to upstream in deallocate()");
        w_.found.require_equal(w_.upstream.checked().deallocations() - returned,
                               b.class_number == no_class, "returns to upstream in deallocate()");
        if (b.class_number != no_class && ++placed_ % 16 == 0) {
            w_.found.require(r_.owns(b.p), "a free slot is not owned");
        }
        return true;
    }

    bool give_back_one_of(std::size_t number) {
        for (std::size_t i = w_.blocks.count(); i-- != 0;) {
            if (w_.blocks[i].class_number == number && may_free(w_.blocks[i].owner)) {
                return give_back(i);
            }
        }
        return false;
    }

    world& w_;
    Resource& r_;
    capacity_model<Resource>& capacities_;
    pool_exhausted said_{0, 0};
    std::size_t placed_ = 0;  // blocks that were looked up
};

}  // namespace fastalloc::fuzz
