// SPDX-License-Identifier: MIT
// A child of fork() may use, release and destroy the resources that promise it, wherever in them another
// thread of the parent was cut short.
#include "life_cycle/stopping_upstream.hpp"
#include "support/catch.hpp"
#include "support/in_a_child.hpp"

#include <fastalloc/fastalloc.hpp>

#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <cstring>
#include <exception>
#include <optional>
#include <thread>
#include <vector>

namespace fastalloc::testing {

namespace {

using moment = stopping_upstream::moment;

struct block {
    void* start;
    std::size_t bytes;
};

// Small blocks so many that magazines and slabs grow several times, and large ones.
template <class Resource>
void use(Resource& resource) {
    std::vector<block> all;
    for (const std::size_t bytes : {16u, 64u, 500u}) {
        for (int i = 0; i != 400; ++i) all.push_back({resource.allocate(bytes, 8), bytes});
    }
    for (int i = 0; i != 9; ++i) all.push_back({resource.allocate(20'000, 64), 20'000});
    for (const block& b : all) {
        std::memset(b.start, 1, b.bytes);
        resource.deallocate(b.start, b.bytes, b.bytes == 20'000 ? 64 : 8);
    }
}

[[noreturn]] void fail(const std::string& what) {
    std::fprintf(stderr, "%s\n", what.c_str());
    _exit(1);
}

template <class Resource>
void use_in_child(std::optional<Resource>& resource, const stopping_upstream& upstream) {
    alarm(60);  // rather than wait for ever for a lock
    use(*resource);
    std::thread([&] { use(*resource); }).join();
    resource->release();
    if (!upstream.checked().errors().empty()) fail("release: " + upstream.checked().errors());
    use(*resource);
    std::thread([&] { use(*resource); }).join();
    resource.reset();
    if (!upstream.checked().errors().empty()) fail("destructor: " + upstream.checked().errors());
}

// Returns: false if the thread has no such call.
template <class Resource>
bool survives_fork_at(std::size_t call, moment when) {
    stopping_upstream upstream;
    std::optional<Resource> resource(&upstream);
    resource->deallocate(resource->allocate(64, 8), 64, 8);
    std::thread stopped([&] {
        upstream.stop_me_at(call, when);
        use(*resource);
        use(*resource);
        upstream.no_more_stops();
    });
    const bool has_stopped = upstream.wait_for_stop();
    if (has_stopped) {
        const ending ended = in_a_child([&] { use_in_child(resource, upstream); });
        CAPTURE(call, when == moment::after, ended.output);
        CHECK(ended.exit_status == 0);
        upstream.go_on();
    }
    stopped.join();
    resource.reset();
    CHECK(upstream.checked().errors().empty());
    CHECK(upstream.checked().bytes_out() == 0);
    return has_stopped;
}

template <class Resource>
void check_every_call() {
    std::size_t calls = 0;
    for (const moment when : {moment::before, moment::after}) {
        for (std::size_t n = 0; survives_fork_at<Resource>(n, when); ++n) ++calls;
    }
    CHECK(calls > 100);
}

}  // namespace

TEST_CASE(
    "a child of fork goes on with a lock_free_pool_resource that another was half done with") {
    check_every_call<lock_free_pool_resource>();
}

TEST_CASE("a child of fork goes on with a thread_local_pool_resource another was half done with") {
    check_every_call<thread_local_pool_resource>();
}

}  // namespace fastalloc::testing
