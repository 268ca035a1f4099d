// SPDX-License-Identifier: MIT
//
// A scene graph: parents own their children, children and observers know others without keeping
// them alive, and a death takes everything below with it. `scene_graph --help` says how to use it.

#include "options.hpp"

#include <fastalloc/fastalloc.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <random>
#include <stdexcept>
#include <unordered_set>
#include <utility>
#include <vector>

namespace {

constexpr const char* usage = R"(Usage: scene_graph [option]...

Grows a tree of entities, kills some of them each frame, with all that is below, and checks that
those who observe them learn of it.

  --entities N    fill the tree up to N entities at the start of each frame (default: 100000)
  --frames N      run for N frames (default: 100)

Exit status: 0 if all is as it must be, 1 if not, 2 if the command line is wrong.
)";

struct broken_invariant : std::logic_error {
    using std::logic_error::logic_error;
};

void require(bool condition, const char* what) {
    if (!condition) throw broken_invariant(what);
}

using entity_id = std::uint64_t;

struct tally {
    std::size_t made = 0;
    std::size_t died = 0;
    std::size_t died_without_parent = 0;
};

/// A part of the scene. It goes when its parent lets go of it, unless somebody else has a share.
class entity {
public:
    entity(tally& counts, const fastalloc::shared_handle<entity>& above)
        : id(++counts.made),
          depth(above == nullptr ? 0 : above->depth + 1),
          parent(above),
          counts_(counts) {}

    entity(const entity&) = delete;
    entity& operator=(const entity&) = delete;

    // A parent that is being destroyed is dead for its children, though its memory is still there.
    ~entity() {
        ++counts_.died;
        if (parent.expired()) ++counts_.died_without_parent;
    }

    const entity_id id;
    const std::size_t depth;
    const fastalloc::weak_handle<entity> parent;  // a share would be a cycle, and nobody would die
    std::vector<fastalloc::shared_handle<entity>> children;

private:
    tally& counts_;
};

/// Looks at an entity each frame; to lock the target keeps it there for as long as that takes.
struct camera {
    fastalloc::weak_handle<entity> target;
    entity_id id;
};

/// Goes over the wire, or to disk, which a handle cannot: a key is a number.
struct missile {
    std::uint64_t target;
    entity_id id;
};

struct summary {
    tally counts{};
    std::size_t cameras_that_lost = 0;
    std::size_t missiles_that_lost = 0;
    std::size_t kills = 0;
    std::size_t largest_cascade = 0;
    std::size_t deepest = 0;
    std::size_t capacity = 0;
};

class scene {
public:
    explicit scene(std::size_t entities) : entities_(entities) {
        root_ = make(nullptr);
        fill();
        for (std::size_t i = 0; i != entities / 4 + 1; ++i) cameras_.push_back(aimed_camera());
        for (std::size_t i = 0; i != entities / 4 + 1; ++i) missiles_.push_back(aimed_missile());
    }

    void run_frame() {
        fill();
        const std::size_t kills = entities_ / 100 + 1;
        for (std::size_t i = 0; i != kills; ++i) {
            if (auto victim = any_entity(); victim != root_) kill(std::move(victim));
        }
        observe();
    }

    /// Effects: everything goes. Returns: what happened in the scene's life.
    summary end() {
        const std::size_t without_parent = seen_.counts.died_without_parent;
        const std::size_t left = alive_.size();
        alive_.clear();
        root_.reset();
        require(seen_.counts.died_without_parent == without_parent + left,
                "all that die with the root must find no parent");
        require(seen_.counts.died == seen_.counts.made, "everything that was made must die");
        for (const camera& c : cameras_) check(c);
        for (const missile& m : missiles_) check(m);
        require(pool_.in_use() == 0, "every object must be home");
        seen_.capacity = pool_.capacity();
        return seen_;
    }

private:
    using handle = fastalloc::shared_handle<entity>;

    // Destructors of a subtree are nested as deeply as it is.
    static constexpr std::size_t depth_limit = 64;

    handle make(const handle& parent) {
        handle made = pool_.make_shared(seen_.counts, parent);
        if (parent != nullptr) parent->children.push_back(made);
        alive_.insert(made->id);
        census_.push_back(made);
        seen_.deepest = std::max(seen_.deepest, made->depth);
        return made;
    }

    void fill() {
        while (alive_.size() < entities_) {
            handle parent = any_entity();
            if (parent->depth == depth_limit) parent = parent->parent.lock();
            make(parent);
        }
        require(pool_.in_use() == alive_.size(), "a slot must be in use for each entity alive");
    }

    /// Returns: one of those alive. Each try that finds a dead one strikes it off, so the root,
    /// which is in there too, is found at last.
    handle any_entity() {
        for (;;) {
            fastalloc::weak_handle<entity>& drawn = census_[random_() % census_.size()];
            if (handle found = drawn.lock()) return found;
            drawn = census_.back();
            census_.pop_back();
        }
    }

    void kill(handle victim) {
        const std::vector<entity_id> doomed = ids_from(*victim);
        const handle parent = victim->parent.lock();
        require(parent != nullptr, "a parent must be alive while its child is in the tree");
        const tally before = seen_.counts;
        std::erase(parent->children, victim);

        const fastalloc::weak_handle<entity> observer = victim;
        require(seen_.counts.died == before.died && observer.lock() == victim,
                "an entity must live on while somebody has a share");
        victim.reset();
        require(observer.expired() && observer.lock() == nullptr,
                "an entity must be gone with its last share");

        for (const entity_id id : doomed) alive_.erase(id);
        require(seen_.counts.died == before.died + doomed.size(),
                "all of a subtree must die with it, and nothing else");
        require(seen_.counts.died_without_parent == before.died_without_parent + doomed.size() - 1,
                "only the first of a cascade must find its parent alive");
        ++seen_.kills;
        seen_.largest_cascade = std::max(seen_.largest_cascade, doomed.size());
    }

    static std::vector<entity_id> ids_from(const entity& top) {
        std::vector<entity_id> ids;
        std::vector<const entity*> open{&top};
        while (!open.empty()) {
            const entity* const next = open.back();
            open.pop_back();
            ids.push_back(next->id);
            for (const handle& child : next->children) open.push_back(child.get());
        }
        return ids;
    }

    camera aimed_camera() {
        const handle target = any_entity();
        return {target, target->id};
    }

    missile aimed_missile() {
        const handle target = any_entity();
        return {pool_.key_of(target).value(), target->id};
    }

    void observe() {
        for (camera& c : cameras_) {
            if (check(c)) continue;
            ++seen_.cameras_that_lost;
            c = aimed_camera();
        }
        for (missile& m : missiles_) {
            if (check(m)) continue;
            ++seen_.missiles_that_lost;
            m = aimed_missile();
        }
    }

    // Both return whether the target is alive, and ask the ids, which know nothing of handles, if
    // that is true.

    bool check(const camera& c) const {
        const bool expired = c.target.expired();
        const handle target = c.target.lock();
        require((target != nullptr) == alive_.contains(c.id) && expired == (target == nullptr),
                "a camera must lock its target exactly while it is alive");
        require(target == nullptr || target->id == c.id, "a camera must not see another entity");
        return target != nullptr;
    }

    bool check(const missile& m) const {
        const entity* const target = pool_.find(fastalloc::object_key::from_value(m.target));
        require((target != nullptr) == alive_.contains(m.id),
                "a missile must find its target exactly while it is alive");
        require(target == nullptr || target->id == m.id, "a missile must not find another entity");
        return target != nullptr;
    }

    const std::size_t entities_;
    std::mt19937_64 random_{1};
    std::unordered_set<entity_id> alive_;
    summary seen_;  // entities count in it, so it outlives them
    fastalloc::growing_pool<entity> pool_{fastalloc::pool_config::builder().capacity(256).build()};
    handle root_;
    std::vector<fastalloc::weak_handle<entity>> census_;  // to draw from; also of the dead
    std::vector<camera> cameras_;
    std::vector<missile> missiles_;
};

}  // namespace

int main(int argc, char** argv) {
    std::size_t entities = 100'000;
    std::size_t frames = 100;
    const auto status = parse_options(
        argc, argv, usage, {{"--entities", 10'000'000, entities}, {"--frames", 1'000'000, frames}});
    if (status) return *status;
    try {
        scene all(entities);
        for (std::size_t i = 0; i != frames; ++i) all.run_frame();
        const summary seen = all.end();
        std::printf("entities made              %10zu\n", seen.counts.made);
        std::printf("entities died              %10zu\n", seen.counts.died);
        std::printf("slots they shared          %10zu\n", seen.capacity);
        std::printf("deepest entity             %10zu\n", seen.deepest);
        std::printf("entities killed            %10zu\n", seen.kills);
        std::printf("largest cascade            %10zu\n", seen.largest_cascade);
        std::printf("cameras that lost theirs   %10zu\n", seen.cameras_that_lost);
        std::printf("missiles that lost theirs  %10zu\n", seen.missiles_that_lost);
        std::puts("Everyone was seen while alive, and nobody after that; all objects went home.");
        return 0;
    } catch (const std::exception& e) {
        std::fprintf(stderr, "scene_graph: the run failed: %s\n", e.what());
        return 1;
    }
}
