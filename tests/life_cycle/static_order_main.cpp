// SPDX-License-Identifier: MIT
// Static objects of three translation units, whose order nobody knows, use the process-wide pool and
// resources that are never destroyed, from before main to after it; so do thread_local objects.
#include "life_cycle/static_order.hpp"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <thread>

namespace static_order {

namespace {

template <class Resource>
Resource& immortal() {
    static Resource* const made = new Resource;
    return *made;
}

constexpr std::size_t sizes[] = {24, 400, 50'000};

const early_and_late of_main("main");

}  // namespace

void expect(bool condition, std::string_view message) {
    if (condition) return;
    std::fprintf(stderr, "%.*s\n", static_cast<int>(message.size()), message.data());
    _exit(1);
}

fastalloc::synchronized_pool_resource& synchronized() {
    return immortal<fastalloc::synchronized_pool_resource>();
}

fastalloc::lock_free_pool_resource& lock_free() {
    return immortal<fastalloc::lock_free_pool_resource>();
}

fastalloc::thread_local_pool_resource& of_threads() {
    return immortal<fastalloc::thread_local_pool_resource>();
}

texts& handed_on() {
    static texts* const made = new texts;
    return *made;
}

early_and_late::early_and_late(std::string_view name) : name_(name) {
    for (int i = 0; i != 300; ++i) texts_.emplace(i, text(100, 'x'));
    blocks_[0] = synchronized().allocate(sizes[0], 8);
    blocks_[1] = lock_free().allocate(sizes[1], 8);
    blocks_[2] = of_threads().allocate(sizes[2], 8);
}

early_and_late::~early_and_late() {
    expect(texts_.size() == 300 && texts_.at(299) == text(100, 'x'), name_);
    synchronized().deallocate(blocks_[0], sizes[0], 8);
    lock_free().deallocate(blocks_[1], sizes[1], 8);
    of_threads().deallocate(blocks_[2], sizes[2], 8);
    for (const std::size_t bytes : sizes) {
        of_threads().deallocate(of_threads().allocate(bytes, 64), bytes, 64);
        synchronized().deallocate(synchronized().allocate(bytes, 64), bytes, 64);
    }
    texts_.erase(texts_.begin(), texts_.find(150));
    texts_.emplace(1'000, text(5'000, 'y'));
    expect(texts_.size() == 151, name_);
}

}  // namespace static_order

int main() {
    using namespace static_order;
    handed_on().emplace(0, text(200, 'm'));
    thread_local const early_and_late of_this_thread("of the first thread");
    expect(of_this_thread.name() == "of the first thread", "name");
    std::thread([] {
        thread_local const early_and_late of_another("of another thread");
        expect(!of_another.name().empty(), "name");
    }).join();
    std::puts("main is over");
}
