// SPDX-License-Identifier: MIT
#pragma once

// What the documentation says of classes, in a second implementation: which of them a request goes
// to, and how each grows.

#include <fastalloc/config.hpp>

#include <bit>
#include <cmath>
#include <cstddef>
#include <limits>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace fastalloc::fuzz {

inline constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();
inline constexpr std::size_t no_class = no_limit;

/// max(bytes, 1) rounded up to a multiple of the alignment.
constexpr std::size_t needed_bytes(std::size_t bytes, std::size_t alignment) {
    return ((bytes == 0 ? 1 : bytes) + alignment - 1) / alignment * alignment;
}

enum class growth_kind : unsigned char { by_default, none, linear, exponential, custom, drop_in };

/// One class: what it is to be like, and what is known of it now.
struct class_model {
    std::size_t slot_size = 0;
    std::size_t alignment = 0;
    std::size_t first = 0;  // slots
    std::size_t cap = no_limit;
    growth_kind growth = growth_kind::by_default;
    std::size_t step = 0;  // slots, if linear
    double factor = 2.0;

    std::size_t capacity = 0;
    // Blocks that are live: all, the first thread's, and those of the thread that visits.
    std::size_t live = 0;
    std::size_t live_of_first = 0;
    std::size_t live_of_visitor = 0;

    /// Returns: slots that a growth step adds to `held`; of custom growth, what `answer` says.
    std::size_t next_step(std::size_t held, std::size_t answer) const {
        if (held == 0) return first;
        if (held >= cap) return 0;
        const std::size_t wanted = wanted_step(held, answer);
        return wanted < cap - held ? wanted : cap - held;
    }

private:
    std::size_t wanted_step(std::size_t held, std::size_t answer) const {
        if (growth == growth_kind::none) return 0;
        if (growth == growth_kind::linear) return step;
        if (growth == growth_kind::custom) return answer;
        const auto target = static_cast<std::size_t>(std::ceil(static_cast<double>(held) * factor));
        return target > held ? target - held : 1;
    }
};

/// The classes of one resource.
class classes_model {
public:
    /// Preconditions: in ascending order of slot size, then alignment.
    explicit classes_model(std::vector<class_model> listed) : all_(std::move(listed)) {}

    /// The classes of a drop-in resource that has been resolved to these options.
    classes_model(std::size_t limit, std::size_t most_per_slab)
        : natural_limit_(limit), most_per_slab_(most_per_slab) {}

    bool is_drop_in() const { return natural_limit_ != 0; }
    std::size_t most_per_slab() const { return most_per_slab_; }

    std::size_t count() const { return all_.size(); }
    class_model& operator[](std::size_t i) { return all_[i]; }

    std::vector<class_model>& all() { return all_; }

    /// Returns: the number of the class; `no_class` if the request fits none.
    std::size_t class_of(std::size_t bytes, std::size_t alignment) {
        const std::size_t n = needed_bytes(bytes, alignment);
        if (is_drop_in()) return n > natural_limit_ ? no_class : natural_class(n, alignment);
        for (std::size_t i = 0; i != all_.size(); ++i) {
            if (n <= all_[i].slot_size && alignment <= all_[i].alignment) return i;
        }
        return no_class;
    }

    /// Returns: the number of the class of slots of this size that a drop-in resource has for
    /// requests of ordinary or of larger alignment.
    std::size_t natural_class_of_slots(std::size_t slot_size, bool is_ordinary) {
        const auto [place, is_new] = natural_.try_emplace({slot_size, is_ordinary}, all_.size());
        if (is_new) {
            class_model c;
            c.slot_size = slot_size;
            c.growth = growth_kind::drop_in;
            all_.push_back(c);
        }
        return place->second;
    }

    void forget_all() {
        for (class_model& c : all_) c.capacity = c.live = c.live_of_first = c.live_of_visitor = 0;
    }

private:
    // Multiples of 8 up to 64, of 16 up to 128, then four to each doubling.
    static std::size_t natural_size(std::size_t n) {
        const std::size_t spacing = n <= 64 ? 8 : n <= 128 ? 16 : std::bit_floor(n - 1) / 4;
        return (n + spacing - 1) / spacing * spacing;
    }

    std::size_t natural_class(std::size_t n, std::size_t alignment) {
        return natural_class_of_slots(natural_size(n), alignment <= alignof(std::max_align_t));
    }

    std::vector<class_model> all_;
    std::size_t natural_limit_ = 0;
    std::size_t most_per_slab_ = 0;
    std::map<std::pair<std::size_t, bool>, std::size_t> natural_;
};

}  // namespace fastalloc::fuzz
