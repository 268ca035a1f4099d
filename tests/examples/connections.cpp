// SPDX-License-Identifier: MIT
//
// An echo server on the loopback interface, with clients to keep it busy. Its connections are made
// in one thread and dropped in others, and each takes over the buffer of one before it.
// `connections --help` says how to use it.

#include "options.hpp"
#include "tcp_socket.hpp"

#include <fastalloc/fastalloc.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <exception>
#include <future>
#include <mutex>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

constexpr const char* usage = R"(Usage: connections [option]...

Runs an echo server with a few worker threads on 127.0.0.1, and clients that talk to it.

  --clients N        run N clients at a time (default: 4)
  --connections N    each client connects N times (default: 500)
  --messages N       and sends N messages of random size each time (default: 10)

Exit status: 0 if every message came back and every object went home, 1 if not, 2 if the command
line is wrong.
)";

// ---- what both sides say ---------------------------------------------------------------------

// A message is its size, in four bytes, then as many bytes. An empty one asks the server to close:
// whoever closes first has to remember the connection for a minute, and clients have few ports.

using message_size = std::uint32_t;
constexpr message_size largest_message = 16 * 1024;

/// Effects: `message` is the next one, with its size in front. Returns: false if there is none.
bool receive_message(const tcp_socket& from, std::vector<char>& message) {
    message.resize(sizeof(message_size));
    if (!from.receive(message.data(), message.size())) return false;
    message_size size = 0;
    std::memcpy(&size, message.data(), sizeof(size));
    size = ntohl(size);
    if (size > largest_message) throw std::runtime_error("a message is too large");
    if (size == 0) return false;
    message.resize(sizeof(size) + size);
    if (!from.receive(message.data() + sizeof(size), size)) {
        throw std::runtime_error("a message has no body");
    }
    return true;
}

/// Effects: `message` is `size` bytes from `body`, with their size in front.
void write_message(std::vector<char>& message, const char* body, message_size size) {
    const message_size on_the_wire = htonl(size);
    message.resize(sizeof(size) + size);
    std::memcpy(message.data(), &on_the_wire, sizeof(size));
    if (size != 0) std::memcpy(message.data() + sizeof(size), body, size);
}

// ---- the server --------------------------------------------------------------------------------

struct connection_counts {
    std::atomic<std::size_t> constructed{0};
    std::atomic<std::size_t> in_use{0};
    std::atomic<std::size_t> peak{0};
    std::atomic<std::size_t> served{0};
    std::atomic<std::size_t> bytes{0};
    std::atomic<std::size_t> failed{0};
};

class connection {
public:
    explicit connection(connection_counts& counts) : counts_(counts) { ++counts_.constructed; }

    // The pool calls these two.

    void on_acquire() {
        const std::size_t now = ++counts_.in_use;
        std::size_t peak = counts_.peak;
        while (peak < now && !counts_.peak.compare_exchange_weak(peak, now)) {
        }
    }

    void on_release() { --counts_.in_use; }

    void open(tcp_socket peer) { peer_ = std::move(peer); }

    void serve() {
        while (receive_message(peer_, buffer_)) {
            peer_.send(buffer_);
            counts_.bytes += buffer_.size() - sizeof(message_size);
        }
    }

    /// Effects: ready for the next peer. The buffer keeps its memory.
    void reset() {
        peer_.close();
        buffer_.clear();
    }

private:
    connection_counts& counts_;
    tcp_socket peer_;
    std::vector<char> buffer_;
};

using connection_handle = fastalloc::owned_handle<connection>;

/// Takes connections from the thread that accepts them to one that serves them.
class connection_queue {
public:
    void push(connection_handle c) {
        {
            const std::lock_guard lock(mutex_);
            waiting_.push_back(std::move(c));
        }
        changed_.notify_one();
    }

    /// Effects: no more will come.
    void close() {
        {
            const std::lock_guard lock(mutex_);
            closed_ = true;
        }
        changed_.notify_all();
    }

    /// Returns: the next one, as soon as there is one; empty if none will come.
    connection_handle pop() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return closed_ || !waiting_.empty(); });
        if (waiting_.empty()) return {};
        connection_handle next = std::move(waiting_.front());
        waiting_.pop_front();
        return next;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<connection_handle> waiting_;
    bool closed_ = false;
};

class echo_server {
public:
    static constexpr std::size_t worker_count = 4;

    echo_server() {
        for (std::thread& worker : workers_) worker = std::thread([this] { work(); });
        acceptor_ = std::thread([this] { accept_all(); });
    }

    ~echo_server() { stop(); }

    std::uint16_t port() const { return listener_.port(); }

    /// Effects: serves all that connected, then ends.
    void stop() {
        stopping_ = true;
        listener_.stop_accepting();
        if (acceptor_.joinable()) acceptor_.join();
        queue_.close();
        for (std::thread& worker : workers_) {
            if (worker.joinable()) worker.join();
        }
    }

    const connection_counts& counts() const { return counts_; }
    std::size_t in_use() const { return pool_.in_use(); }

private:
    void accept_all() {
        try {
            while (!stopping_) {
                tcp_socket peer = listener_.accept();
                if (!peer) continue;
                connection_handle c = pool_.make();
                c->open(std::move(peer));
                queue_.push(std::move(c));
            }
        } catch (const std::exception& e) {
            if (!stopping_) report(e);
        }
    }

    void work() {
        while (const connection_handle c = queue_.pop()) {
            try {
                c->serve();
                ++counts_.served;
            } catch (const std::exception& e) {
                report(e);
            }
        }
    }

    void report(const std::exception& e) {
        ++counts_.failed;
        std::fprintf(stderr, "connections: the server: %s\n", e.what());
    }

    connection_counts counts_;
    fastalloc::synchronized_pool<connection> pool_{
        fastalloc::pool_config::builder().capacity(16).build(),
        fastalloc::initialization<connection>::recycling([this] { return connection(counts_); },
                                                         [](connection& c) { c.reset(); })};
    connection_queue queue_;  // holds handles, so it goes before the pool
    tcp_socket listener_ = tcp_socket::listen_on_loopback();
    std::atomic<bool> stopping_{false};
    std::array<std::thread, worker_count> workers_;
    std::thread acceptor_;
};

// ---- the clients -------------------------------------------------------------------------------

struct settings {
    std::size_t clients = 4;
    std::size_t connections = 500;
    std::size_t messages = 10;
};

/// Returns: how many bytes came back. Throws: if others came back than were sent.
std::size_t run_client(const settings& asked, std::uint16_t port, std::uint32_t seed) {
    std::mt19937 random(seed);
    std::vector<char> noise(2 * largest_message);
    std::ranges::generate(noise, [&] { return static_cast<char>(random()); });
    std::vector<char> sent;
    std::vector<char> echo;
    std::size_t bytes = 0;
    for (std::size_t i = 0; i != asked.connections; ++i) {
        const tcp_socket server = tcp_socket::connect_to_loopback(port);
        for (std::size_t j = 0; j != asked.messages; ++j) {
            const char* const body = &noise[random() % largest_message];
            write_message(sent, body, 1 + static_cast<message_size>(random()) % largest_message);
            server.send(sent);
            if (!receive_message(server, echo) || echo != sent) {
                throw std::runtime_error("a message did not come back as it was");
            }
            bytes += sent.size() - sizeof(message_size);
        }
        write_message(sent, nullptr, 0);
        server.send(sent);
        if (receive_message(server, echo)) throw std::runtime_error("more came than was sent");
    }
    return bytes;
}

bool run(const settings& asked) {
    echo_server server;
    std::vector<std::future<std::size_t>> clients;
    for (std::size_t i = 0; i != asked.clients; ++i) {
        clients.push_back(std::async(std::launch::async, run_client, asked, server.port(),
                                     static_cast<std::uint32_t>(i)));
    }
    std::size_t bytes = 0;
    for (auto& client : clients) bytes += client.get();
    server.stop();

    const connection_counts& counts = server.counts();
    std::printf("connections served   %12zu\n", counts.served.load());
    std::printf("bytes echoed         %12zu\n", counts.bytes.load());
    std::printf("objects constructed  %12zu\n", counts.constructed.load());
    std::printf("peak in use          %12zu\n", counts.peak.load());
    std::printf("in use at the end    %12zu\n", server.in_use());
    // A client that sees its connection closed may be back before the worker has put the object
    // away, so each of them may have one in hand.
    const std::size_t most_objects = asked.clients + echo_server::worker_count;
    return counts.served == asked.clients * asked.connections && counts.failed == 0 &&
           counts.bytes == bytes && counts.constructed <= most_objects && counts.in_use == 0 &&
           server.in_use() == 0;
}

}  // namespace

int main(int argc, char** argv) {
    settings asked;
    const auto status = parse_options(argc, argv, usage,
                                      {{"--clients", 256, asked.clients},
                                       {"--connections", 1'000'000, asked.connections},
                                       {"--messages", 1'000'000, asked.messages}});
    if (status) return *status;
    try {
        const bool all_is_well = run(asked);
        std::puts(all_is_well ? "Every message came back, and every object went home."
                              : "SOMETHING IS WRONG WITH THESE NUMBERS.");
        return all_is_well ? 0 : 1;
    } catch (const std::exception& e) {
        std::fprintf(stderr, "connections: the run failed: %s\n", e.what());
        return 1;
    }
}
