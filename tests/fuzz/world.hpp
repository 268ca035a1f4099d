// SPDX-License-Identifier: MIT
#pragma once

#include "fuzz/block_model.hpp"
#include "fuzz/class_model.hpp"
#include "fuzz/failing_upstream.hpp"
#include "fuzz/findings.hpp"
#include "fuzz/input.hpp"
#include "fuzz/object.hpp"
#include "fuzz/plan.hpp"
#include "fuzz/tally.hpp"

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

namespace fastalloc::fuzz {

/// What is known of the resource under test and of all that is live in it.
struct world final : growth_host {
    world(std::span<const std::uint8_t> bytes, tally& t) : in(bytes), counts(t) {}

    input in;
    tally& counts;
    findings found;
    memory_map map{found};
    block_model blocks{found, map};
    object_ledger ledger{found, map};
    failing_upstream upstream;
    plan what;
    classes_model classes{std::vector<class_model>{}};

    std::size_t object_class = no_class;  // of typed pools; no_class while there is none
    std::size_t slot_blocks = 0;          // blocks that are in slots
    std::size_t capacity = 0;             // slots of all classes, of the first thread where
    std::size_t growth_count = 0;         // each has its own
    bool knows_capacities = true;         // of each class

    thread_id current = first_thread;
    thread_id last_thread = first_thread;

    bool is_visitor() const { return current != first_thread; }
    bool has_had_visitors() const { return last_thread != first_thread; }

    /// What custom growth functions answered since `begin_request`, and whether they gave back.
    std::vector<std::size_t> answers;
    bool gave_back = false;
    std::function<bool(std::size_t class_number)> give_one_back;

    void begin_request() {
        answers.clear();
        gave_back = false;
        refusals_before_ = upstream.refusals();
        thrown_before_ = ledger.thrown();
    }
    /// Whether upstream refused anything; there is none below a buffer.
    bool upstream_refused() const {
        return what.how == form::buffer || upstream.refusals() != refusals_before_;
    }
    bool user_code_threw() const { return ledger.thrown() != thrown_before_; }
    bool answered_nothing() const {
        for (const std::size_t a : answers) {
            if (a == 0) return true;
        }
        return false;
    }

    std::size_t slots_to_add(std::size_t class_number, std::size_t held) override {
        const std::size_t how = in.byte();
        if (ledger.thrown() == thrown_before_ && how % 16 == 1) {
            counts.count(event::growth_threw);
            ledger.arm_fuse(1);
        }
        ledger.run_user_code();
        std::size_t answer = 1 + held / 2 + how % 32;
        if (how % 16 == 2) answer = 0;
        if (how % 16 == 3 && give_one_back(class_number)) {
            gave_back = true;
            counts.count(event::growth_gave_back);
            answer = how % 32 == 3 ? 0 : answer;
        }
        if (answer == 0) counts.count(event::growth_refused);
        answers.push_back(answer);
        return answer;
    }

    void count_live(const block& b, bool is_added) {
        if (b.class_number == no_class) return;
        class_model& c = classes[b.class_number];
        const std::size_t one = is_added ? 1 : ~std::size_t{0};
        slot_blocks += one;
        c.live += one;
        if (b.owner == first_thread) c.live_of_first += one;
        if (is_visitor() && b.owner == current) c.live_of_visitor += one;
    }

private:
    std::size_t refusals_before_ = 0;
    std::size_t thrown_before_ = 0;
};

}  // namespace fastalloc::fuzz
