// SPDX-License-Identifier: MIT
#pragma once

#include "fuzz/block_model.hpp"
#include "fuzz/findings.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>

namespace fastalloc::fuzz {

/// Thrown by constructors, hooks and functions of users, when an input says so.
struct user_error {};

/// What objects tell of their lives, and what they ask before they go on.
class object_ledger {
public:
    object_ledger(findings& found, memory_map& map) : found_(&found), map_(&map) {}

    findings& found() { return *found_; }

    /// Objects that are constructed, whether somebody has them or not.
    std::size_t constructed() const { return constructed_; }
    /// Those that were acquired and not yet released.
    std::size_t acquired() const { return acquired_; }

    /// Effects: the code of users that runs as the `n`-th from now on throws.
    void arm_fuse(std::size_t n) { fuse_ = n; }
    void disarm_fuse() { fuse_ = 0; }

    void run_user_code() {
        if (fuse_ == 0 || --fuse_ != 0) return;
        ++thrown_;
        throw user_error();
    }

    std::size_t thrown() const { return thrown_; }

    std::uint32_t next_id() { return ++last_id_; }

    void begin(const void* object, std::size_t bytes) {
        map_->occupy(object, bytes);
        ++constructed_;
    }
    void end(const void* object) {
        map_->vacate(object);
        --constructed_;
    }
    void acquire() { ++acquired_; }
    void release() { --acquired_; }

private:
    findings* found_;
    memory_map* map_;
    std::size_t constructed_ = 0;
    std::size_t acquired_ = 0;
    std::size_t fuse_ = 0;
    std::size_t thrown_ = 0;
    std::uint32_t last_id_ = 0;
};

/// The first base, so that the second one is at another address than the object.
struct first_part {
    std::uint64_t before = 0x0123456789abcdef;
};

struct second_part {
    std::uint32_t id = 0;
};

/// What typed pools under test hold.
class object : public first_part, public second_part {
public:
    object(object_ledger& ledger, std::uint32_t number) : ledger_(&ledger) {
        ledger.run_user_code();
        id = number;
        words_.fill(number);
        ledger.begin(this, sizeof *this);
    }
    object(const object&) = delete;
    object& operator=(const object&) = delete;

    ~object() {
        check();
        ledger_->found().require(!is_acquired_, "destroyed, and not released before");
        words_.fill(0);
        before = 0;
        ledger_->end(this);
    }

    void on_acquire() {
        check();
        ledger_->found().require(!is_acquired_, "acquired twice");
        ledger_->run_user_code();
        ledger_->acquire();
        is_acquired_ = true;
    }

    void on_release() {
        check();
        ledger_->found().require(is_acquired_, "released, and not acquired before");
        ledger_->release();
        is_acquired_ = false;
    }

    void reset() {
        check();
        ledger_->run_user_code();
    }

    void check() const {
        bool is_intact = before == first_part().before;
        for (const std::uint64_t word : words_) is_intact = is_intact && word == id;
        ledger_->found().require(is_intact, "an object changed");
    }

    bool is_acquired() const { return is_acquired_; }

private:
    object_ledger* ledger_;
    bool is_acquired_ = false;
    std::array<std::uint64_t, 3> words_;
};

}  // namespace fastalloc::fuzz
