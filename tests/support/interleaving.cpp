// SPDX-License-Identifier: MIT
#include "support/interleaving.hpp"

#include <cxxabi.h>
#include <boost/context/fiber.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <memory>
#include <random>
#include <sstream>
#include <stdexcept>
#include <unordered_map>
#include <utility>

#if defined(__SANITIZE_ADDRESS__)
#define FASTALLOC_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FASTALLOC_ASAN 1
#endif
#endif

#ifdef FASTALLOC_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace fastalloc::testing {

namespace {

using boost::context::fiber;

using thread = unsigned;          // 0 makes the scenario and checks it; the fibers count from 1
using small_set = std::uint32_t;  // of threads, or of the stores that a load may read
using clocks = std::array<std::uint32_t, max_fibers + 1>;

constexpr small_set only(unsigned element) { return small_set{1} << element; }

unsigned lowest(small_set s) { return static_cast<unsigned>(std::countr_zero(s)); }

void join(clocks& into, const clocks& from) {
    for (std::size_t t = 0; t != into.size(); ++t) into[t] = std::max(into[t], from[t]);
}

bool acquires(std::memory_order order) {
    return order != std::memory_order_relaxed && order != std::memory_order_release;
}

bool releases(std::memory_order order) {
    return order == std::memory_order_release || order == std::memory_order_acq_rel ||
           order == std::memory_order_seq_cst;
}

const char* name_of(std::memory_order order) {
    switch (order) {
        case std::memory_order_relaxed:
            return "relaxed";
        case std::memory_order_release:
            return "release";
        case std::memory_order_acq_rel:
            return "acq_rel";
        case std::memory_order_seq_cst:
            return "seq_cst";
        default:
            return "acquire";
    }
}

// Words that are packed or addresses are read in hexadecimal.
std::string text_of(std::uint64_t value) {
    std::ostringstream text;
    if (value > 0xffff) text << "0x" << std::hex;
    text << value;
    return text.str();
}

// Thrown by expect(), which has recorded the failure.
struct expectation_failed {};

struct store_record {
    std::uint64_t value = 0;
    thread writer = 0;
    std::uint32_t epoch = 0;  // the writer's clock
    bool is_seq_cst = false;  // written or read so: later seq_cst loads read no older one
    clocks released{};        // what who acquires it learns
    clocks first_read{};      // the reader's clock, by reader; 0 is never
    std::array<unsigned, max_fibers + 1> stale_reads{};
};

struct atomic_record {
    std::size_t name = 0;
    thread maker = 0;
    std::uint32_t made = 0;
    std::vector<store_record> stores;  // in modification order; sequential: the last one
};

struct data_record {
    std::size_t name = 0;
    thread writer = 0;
    std::uint32_t written = 0;
    clocks read{};
};

struct operation {
    const void* atomic = nullptr;
    bool writes = false;  // or is to be ordered with loads as if it did
    const char* name = "";
};

bool dependent(const operation& a, const operation& b) {
    return a.atomic == b.atomic && (a.writes || b.writes);
}

// Where schedules part: which fiber goes on, or which store a load reads.
struct choice {
    small_set candidates;
    unsigned picked;
    small_set done;   // tried, with all that followed
    small_set sleep;  // fibers whose next step was tried before, and still commutes with all since
};

// The exceptions that are being handled are the fiber's, not the thread's.
struct handled_exceptions {
    void* caught;
    unsigned uncaught;

    static handled_exceptions save() {
        handled_exceptions e;
        std::memcpy(&e, abi::__cxa_get_globals(), sizeof e);
        return e;
    }
    void restore() const { std::memcpy(abi::__cxa_get_globals(), this, sizeof *this); }
};

struct stack {
    static constexpr std::size_t size = 256 * 1024;
    std::unique_ptr<std::byte[]> memory{new std::byte[size]};
};

// The stacks belong to the explorer: one whose fiber never ended is simply used again.
struct stack_allocator {
    stack* from;

    boost::context::stack_context allocate() {
#ifdef FASTALLOC_ASAN
        __asan_unpoison_memory_region(from->memory.get(), stack::size);
#endif
        boost::context::stack_context context;
        context.size = stack::size;
        context.sp = from->memory.get() + stack::size;
        return context;
    }
    void deallocate(boost::context::stack_context&) noexcept {}
};

void leave_stack([[maybe_unused]] void** mine, [[maybe_unused]] const void* bottom,
                 [[maybe_unused]] std::size_t size) {
#ifdef FASTALLOC_ASAN
    __sanitizer_start_switch_fiber(mine, bottom, size);
#endif
}

void enter_stack([[maybe_unused]] void* mine, [[maybe_unused]] const void** bottom,
                 [[maybe_unused]] std::size_t* size) {
#ifdef FASTALLOC_ASAN
    __sanitizer_finish_switch_fiber(mine, bottom, size);
#endif
}

class explorer;
explorer* active = nullptr;

class explorer {
public:
    explorer(const scenario_factory& make, const exploration_options& options)
        : make_(make),
          options_(options),
          is_weak_(options.model == memory_model::weak),
          // A redundant schedule may need fewer preemptions than the one that stands for it.
          reduces_(options.reduce && options.preemptions == exploration_options::unlimited) {
        if (active != nullptr) throw std::logic_error("an exploration inside another");
        active = this;
    }
    ~explorer() { active = nullptr; }

    outcome all() {
        way_ = way::all;
        do {
            run();
            if (result_.failed) return std::move(result_);
            if (result_.schedules + result_.redundant >= options_.schedules) return result_;
        } while (next_path());
        result_.exhaustive = options_.preemptions == exploration_options::unlimited;
        return result_;
    }

    outcome at_random(std::size_t count, std::uint64_t seed) {
        for (std::size_t i = 0; i != count && !result_.failed; ++i) {
            way_ = i % 2 == 0 ? way::uniform : way::priorities;
            random_.seed(seed + i);
            run();
        }
        return std::move(result_);
    }

    outcome again(const std::vector<unsigned>& choices) {
        replay(choices);
        return std::move(result_);
    }

    // Called by the operations, on the fibers' stacks and on the main one.

    void point(const operation& next) {
        if (current_ == 0) return;
        pending_[current_] = next;
        if (!is_launching_) {
            const thread chosen = choose();
            if (chosen == current_ && !is_stuck_) return;
            next_ = chosen;
        }
        const auto handled = handled_exceptions::save();
        void* mine = nullptr;
        leave_stack(&mine, main_stack_, main_stack_size_);
        main_ = std::move(main_).resume();
        enter_stack(mine, &main_stack_, &main_stack_size_);
        handled.restore();
    }

    // The first of two seq_cst loads bounds what the second may read.
    bool orders_loads(std::memory_order order) const {
        return is_weak_ && order == std::memory_order_seq_cst;
    }

    void made(const void* atomic, std::uint64_t value) {
        atomic_record& a = record_of(atomic, value);
        a.maker = current_;
        a.made = now();
        a.stores.assign(1, {});
        a.stores[0].value = value;
        a.stores[0].writer = current_;
        a.stores[0].epoch = now();
    }

    std::uint64_t read(const void* atomic, std::uint64_t latest, std::memory_order order,
                       bool newest) {
        atomic_record& a = record_of(atomic, latest);
        expect_visible(a);
        std::size_t i = a.stores.size() - 1;
        if (is_weak_ && !newest && current_ != 0 && !is_draining()) {
            i -= choose_value(std::min<std::size_t>(i - oldest_visible(a, order) + 1, 31));
        }
        store_record& s = a.stores[i];
        if (i != a.stores.size() - 1) ++s.stale_reads[current_];
        if (s.first_read[current_] == 0) s.first_read[current_] = now();
        if (acquires(order)) join(clock(), s.released);
        if (is_traced()) {
            trace() << pending_[current_].name << (newest ? " fails " : " ") << name_of(order)
                    << ", atomic " << a.name << " is " << text_of(s.value)
                    << (i == a.stores.size() - 1 ? "\n" : " (stale)\n");
        }
        s.is_seq_cst |= order == std::memory_order_seq_cst;
        did(atomic, false);
        return s.value;
    }

    void wrote(const void* atomic, std::uint64_t before, std::uint64_t value,
               std::memory_order order, bool is_update) {
        atomic_record& a = record_of(atomic, before);
        expect_visible(a);
        const store_record& last = a.stores.back();
        store_record s;
        s.value = value;
        s.writer = current_;
        s.epoch = now();
        s.is_seq_cst = order == std::memory_order_seq_cst;
        if (is_update) {
            if (acquires(order)) join(clock(), last.released);
            s.released = last.released;  // the release sequence goes on
        }
        if (releases(order)) join(s.released, clock());
        if (is_traced()) {
            trace() << pending_[current_].name << ' ' << name_of(order) << ", atomic " << a.name
                    << " from " << text_of(before) << " to " << text_of(value) << '\n';
        }
        if (!is_weak_) a.stores.clear();
        a.stores.push_back(s);
        did(atomic, true);
    }

    bool fails_spuriously() {
        if (current_ == 0 || is_draining()) return false;
        if (spurious_[current_] == options_.spurious_failures) return false;
        const bool fails = choose_value(2) == 1;
        if (fails) ++spurious_[current_];
        return fails;
    }

    void access(const void* p, bool writes) {
        data_record& d = data_.try_emplace(p, data_record{data_.size()}).first->second;
        if (is_traced()) trace() << (writes ? "writes" : "reads") << " data " << d.name << '\n';
        bool ordered = knows(d.writer, d.written);
        for (thread t = 0; writes && t != d.read.size(); ++t) ordered &= knows(t, d.read[t]);
        if (!ordered) fail("data race");
        if (writes) {
            d = {d.name, current_, now(), {}};
        } else {
            d.read[current_] = now();
        }
    }

    void forget(const void* p) { data_.erase(p); }

    void fail(std::string message) {
        if (is_draining()) return;
        if (current_ != 0) message = "fiber " + std::to_string(current_) + ": " + message;
        if (is_tracing_) trace_ << message << '\n';
        failed_ = failure{std::move(message), taken_, {}};
    }

private:
    enum class way { all, uniform, priorities, replay };

    // One schedule --------------------------------------------------------------------------------

    void run() {
        start();
        {
            const scenario s = make_();
            if (s.fibers.size() > max_fibers) throw std::logic_error("too many fibers");
            run_fibers(s);
            if (!is_draining()) run_body(s.check);
        }
        if (is_redundant_) {
            ++result_.redundant;
            return;
        }
        ++result_.schedules;
        longest_ = std::max(longest_, steps_);
        if (!failed_) return;
        if (is_tracing_) failed_->trace = trace_.str();
        result_.failed = std::move(failed_);
        if (is_tracing_) return;
        // Once more, for the trace.
        --result_.schedules;
        const failure first = *std::exchange(result_.failed, std::nullopt);
        replay(first.choices);
        if (result_.failed && result_.failed->message == first.message) return;
        result_.failed = first;
        result_.failed->message += " (and not again: the scenario is not deterministic)";
    }

    void replay(const std::vector<unsigned>& choices) {
        way_ = way::replay;
        replayed_ = choices;
        is_tracing_ = true;
        run();
    }

    void start() {
        atomics_.clear();
        data_.clear();
        clocks_ = {};
        clocks_[0][0] = 1;
        pending_ = {};
        spurious_ = {};
        current_ = 0;
        sleep_ = 0;
        last_ = {};
        depth_ = 0;
        steps_ = 0;
        drained_ = 0;
        preemptions_ = 0;
        is_redundant_ = is_stuck_ = false;
        failed_.reset();
        taken_.clear();
        if (way_ == way::priorities) draw_priorities();
    }

    void run_fibers(const scenario& s) {
        const auto count = static_cast<unsigned>(s.fibers.size());
        stacks_.resize(std::max(stacks_.size(), s.fibers.size() + 1));
        std::array<fiber, max_fibers + 1> fibers;
        alive_ = 0;
        // What comes before the first operation of a fiber is seen by no other.
        is_launching_ = true;
        for (thread t = 1; t <= count; ++t) {
            alive_ |= only(t);
            clocks_[t] = clocks_[0];
            clocks_[t][t] = 1;
            fibers[t] = fiber(std::allocator_arg, stack_allocator{&stacks_[t]},
                              [this, t, &s](fiber&& main) {
                                  enter_stack(nullptr, &main_stack_, &main_stack_size_);
                                  main_ = std::move(main);
                                  run_body(s.fibers[t - 1]);
                                  alive_ &= ~only(t);
                                  leave_stack(nullptr, main_stack_, main_stack_size_);
                                  return std::move(main_);
                              });
            resume(fibers[t], t);
        }
        clocks_[0][0] = 2;
        is_launching_ = false;
        for (next_ = current_ = 0; alive_ != 0 && !is_stuck_;) {
            const thread t = next_ != 0 ? next_ : choose();
            if (is_stuck_) break;
            next_ = 0;
            resume(fibers[t], t);
        }
        current_ = 0;
        for (thread t = 1; t <= count; ++t) {
            join(clocks_[0], clocks_[t]);
            // Ends without its destructor, which would throw through functions that are noexcept.
            alignas(fiber) std::byte grave[sizeof(fiber)];
            if ((alive_ & only(t)) != 0) ::new (grave) fiber(std::move(fibers[t]));
        }
    }

    void resume(fiber& f, thread t) {
        current_ = t;
        const auto handled = handled_exceptions::save();
        void* mine = nullptr;
        leave_stack(&mine, stacks_[t].memory.get(), stack::size);
        f = std::move(f).resume();
        enter_stack(mine, nullptr, nullptr);
        handled.restore();
    }

    void run_body(const std::function<void()>& body) {
        try {
            body();
        } catch (const expectation_failed&) {
        } catch (const std::exception& e) {
            fail(std::string("exception: ") + e.what());
        } catch (...) {
            fail("exception");
        }
    }

    // Choices -------------------------------------------------------------------------------------

    bool is_draining() const { return failed_ || is_redundant_; }

    // The fiber that goes on. Not all that could are candidates: some sleep.
    thread choose() {
        for (small_set s = sleep_; s != 0; s &= s - 1) {
            if (dependent(pending_[lowest(s)], last_)) sleep_ &= ~only(lowest(s));
        }
        if (!is_draining() && ++steps_ > options_.steps) {
            fail("no progress in " + std::to_string(options_.steps) + " steps");
        }
        const small_set candidates = alive_ & ~sleep_;
        if (!is_draining() && candidates == 0) is_redundant_ = true;
        if (is_draining()) {
            is_stuck_ = ++drained_ > 10 * options_.steps;
            return any_of(alive_);
        }
        const bool may_stay = (alive_ & only(current_)) != 0;
        thread t = lowest(alive_);
        if (!std::has_single_bit(alive_)) {
            if (way_ != way::replay && may_stay && preemptions_ == options_.preemptions) {
                t = current_;
            } else {
                t = pick(candidates, may_stay ? current_ : lowest(candidates), true);
            }
            taken_.push_back(t);
        }
        preemptions_ += may_stay && t != current_;
        return t;
    }

    // How many stores before the latest.
    unsigned choose_value(std::size_t count) {
        if (count == 1) return 0;
        const unsigned age = pick(only(static_cast<unsigned>(count)) - 1, 0, false);
        taken_.push_back(age);
        return age;
    }

    unsigned pick(small_set candidates, unsigned first, bool is_fiber) {
        switch (way_) {
            case way::uniform:
                return any_of(candidates);
            case way::priorities:
                return is_fiber ? by_priority(candidates) : any_of(candidates);
            case way::replay:
                if (taken_.size() < replayed_.size()) first = replayed_[taken_.size()];
                break;
            case way::all:
                return in_path(candidates, first, is_fiber);
        }
        if ((candidates & only(first)) == 0) fail("the scenario is not deterministic");
        return (candidates & only(first)) != 0 ? first : lowest(candidates);
    }

    unsigned in_path(small_set candidates, unsigned first, bool is_fiber) {
        if (depth_ == path_.size()) {
            if ((candidates & only(first)) == 0) first = lowest(candidates);
            path_.push_back({candidates, first, 0, sleep_});
        }
        const choice& c = path_[depth_++];
        if (c.candidates != candidates) {
            fail("the scenario is not deterministic");
            return lowest(candidates);
        }
        if (is_fiber && reduces_) sleep_ = c.sleep | c.done;
        return c.picked;
    }

    // Returns: whether there is one more.
    bool next_path() {
        for (; !path_.empty(); path_.pop_back()) {
            choice& c = path_.back();
            c.done |= only(c.picked);
            const small_set left = c.candidates & ~c.done;
            if (left == 0) continue;
            c.picked = lowest(left);
            return true;
        }
        return false;
    }

    unsigned any_of(small_set s) {
        for (auto n = random_() % static_cast<unsigned>(std::popcount(s)); n != 0; --n) s &= s - 1;
        return lowest(s);
    }

    void draw_priorities() {
        for (auto& step : lowered_at_) step = 1 + random_() % std::max<std::size_t>(longest_, 1);
        for (thread t = 0; t != priority_.size(); ++t) priority_[t] = t + 2;
        std::shuffle(priority_.begin(), priority_.end(), random_);
    }

    thread by_priority(small_set candidates) {
        for (unsigned i = 0; i != lowered_at_.size(); ++i) {
            if (steps_ == lowered_at_[i]) priority_[current_] = i;
        }
        thread best = lowest(candidates);
        for (small_set s = candidates; s != 0; s &= s - 1) {
            if (priority_[lowest(s)] > priority_[best]) best = lowest(s);
        }
        return best;
    }

    // Memory --------------------------------------------------------------------------------------

    clocks& clock() { return clocks_[current_]; }
    std::uint32_t now() const { return clocks_[current_][current_]; }
    // Whether what `t` did at `epoch` happens before now.
    bool knows(thread t, std::uint32_t epoch) const { return clocks_[current_][t] >= epoch; }

    atomic_record& record_of(const void* atomic, std::uint64_t value) {
        const auto [found, is_new] = atomics_.try_emplace(atomic);
        if (is_new) {
            found->second.name = atomics_.size() - 1;
            found->second.stores.assign(1, {});
            found->second.stores[0].value = value;
        }
        return found->second;
    }

    void expect_visible(const atomic_record& a) {
        if (!knows(a.maker, a.made)) fail("data race with the construction of an atomic");
    }

    std::size_t oldest_visible(const atomic_record& a, std::memory_order order) const {
        const std::size_t last = a.stores.size() - 1;
        std::size_t i = last;
        for (; i != 0; --i) {
            const store_record& s = a.stores[i];
            if (knows(s.writer, s.epoch)) break;
            if (s.is_seq_cst && order == std::memory_order_seq_cst) break;
            bool is_known = false;
            for (thread t = 0; t != s.first_read.size(); ++t) {
                is_known |= s.first_read[t] != 0 && knows(t, s.first_read[t]);
            }
            if (is_known) break;
        }
        return i != last && a.stores[i].stale_reads[current_] >= options_.stale_reads ? i + 1 : i;
    }

    void did(const void* atomic, bool writes) {
        ++clocks_[current_][current_];
        last_ = {atomic, writes};
    }

    bool is_traced() const { return is_tracing_ && !is_draining(); }

    std::ostream& trace() {
        return current_ == 0 ? trace_ << "main: " : trace_ << "fiber " << current_ << ": ";
    }

    const scenario_factory& make_;
    const exploration_options options_;
    const bool is_weak_;
    const bool reduces_;
    outcome result_;

    way way_ = way::all;
    std::vector<choice> path_;
    std::size_t depth_ = 0;
    std::vector<unsigned> replayed_;
    std::mt19937_64 random_;
    std::array<unsigned, max_fibers + 1> priority_{};
    std::array<std::size_t, 2> lowered_at_{};
    std::size_t longest_ = 0;

    std::vector<stack> stacks_;
    fiber main_;
    const void* main_stack_ = nullptr;
    std::size_t main_stack_size_ = 0;

    std::unordered_map<const void*, atomic_record> atomics_;
    std::unordered_map<const void*, data_record> data_;
    std::array<clocks, max_fibers + 1> clocks_{};
    std::array<operation, max_fibers + 1> pending_{};
    std::array<unsigned, max_fibers + 1> spurious_{};
    operation last_;
    thread current_ = 0;
    thread next_ = 0;
    small_set alive_ = 0;
    small_set sleep_ = 0;
    std::size_t steps_ = 0;
    std::size_t drained_ = 0;
    unsigned preemptions_ = 0;
    bool is_launching_ = false;
    bool is_redundant_ = false;
    bool is_stuck_ = false;
    bool is_tracing_ = false;
    std::optional<failure> failed_;
    std::vector<unsigned> taken_;
    std::ostringstream trace_;
};

}  // namespace

std::string outcome::text() const {
    std::ostringstream all;
    all << schedules << " schedules, " << redundant << " redundant"
        << (exhaustive ? ", exhaustive" : "");
    if (failed) {
        all << "\n" << failed->message << "\nchoices:";
        for (const unsigned c : failed->choices) all << ' ' << c;
        all << '\n' << failed->trace;
    }
    return all.str();
}

outcome explore_all(const scenario_factory& make, const exploration_options& options) {
    return explorer(make, options).all();
}

outcome explore_random(const scenario_factory& make, std::size_t count, std::uint64_t seed,
                       const exploration_options& options) {
    return explorer(make, options).at_random(count, seed);
}

outcome replay(const scenario_factory& make, const std::vector<unsigned>& choices,
               const exploration_options& options) {
    return explorer(make, options).again(choices);
}

void expect(bool condition, const char* message) {
    if (condition) return;
    if (active == nullptr) throw std::logic_error(message);
    active->fail(message);
    throw expectation_failed();
}

void race_checker::read(const void* p) noexcept {
    if (active != nullptr) active->access(p, false);
}

void race_checker::write(const void* p) noexcept {
    if (active != nullptr) active->access(p, true);
}

void race_checker::forget(const void* p) noexcept {
    if (active != nullptr) active->forget(p);
}

void exploration::made(const void* atomic, std::uint64_t value) noexcept {
    if (active != nullptr) active->made(atomic, value);
}

void exploration::point(const void* atomic, bool writes, std::memory_order order,
                        const char* operation) noexcept {
    if (active == nullptr) return;
    active->point({atomic, writes || active->orders_loads(order), operation});
}

std::uint64_t exploration::read(const void* atomic, std::uint64_t latest, std::memory_order order,
                                bool newest) noexcept {
    return active == nullptr ? latest : active->read(atomic, latest, order, newest);
}

void exploration::wrote(const void* atomic, std::uint64_t before, std::uint64_t value,
                        std::memory_order order, bool is_update) noexcept {
    if (active != nullptr) active->wrote(atomic, before, value, order, is_update);
}

bool exploration::fails_spuriously() noexcept {
    return active != nullptr && active->fails_spuriously();
}

}  // namespace fastalloc::testing
