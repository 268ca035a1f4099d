// SPDX-License-Identifier: MIT
#include "fuzz/run_input.hpp"

#include "fuzz/run_session.hpp"

#include <fastalloc/detail/thread_number.hpp>

#include <utility>

namespace fastalloc::fuzz {

namespace {

template <std::size_t N>
bool run_one_of(const std::array<runner, N>& some, std::size_t& index,
                std::span<const std::uint8_t> bytes, tally& counts) {
    if (index >= N) {
        index -= N;
        return false;
    }
    some[index](bytes, counts);
    return true;
}

}  // namespace

void abandon(std::shared_ptr<void> broken) {
    static auto* const kept = new std::vector<std::shared_ptr<void>>;
    kept->push_back(std::move(broken));
}

void run_input(std::span<const std::uint8_t> bytes, tallies& counts) {
    if (bytes.empty()) return;
    // What a thread's number is must not depend on the inputs before.
    (void)detail::thread_number::assign();
    std::size_t index = bytes.front() % resource_count;
    tally& t = counts[index];
    bytes = bytes.subspan(1);
    (void)(run_one_of(fixed_runners, index, bytes, t) ||
           run_one_of(growing_runners, index, bytes, t) ||
           run_one_of(thread_local_runners, index, bytes, t) ||
           run_one_of(shared_runners, index, bytes, t));
}

}  // namespace fastalloc::fuzz
