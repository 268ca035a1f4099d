// SPDX-License-Identifier: MIT
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

[[noreturn]] inline void throw_errno(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

/// Returns: what the call does when no signal interrupts it.
template <class Call>
auto retried(Call call) {
    for (;;) {
        const auto result = call();
        if (result >= 0 || errno != EINTR) return result;
    }
}

/// As `retried`. Throws: `std::system_error` if the call fails.
template <class Call>
auto checked(const char* what, Call call) {
    const auto result = retried(call);
    if (result < 0) throw_errno(what);
    return result;
}

/// A socket of the loopback interface, or none. What the system refuses is a `std::system_error`,
/// and so is waiting for longer than `patience_s`. Signals interrupt nothing.
class tcp_socket {
public:
    static constexpr int patience_s = 20;

    tcp_socket() = default;

    tcp_socket(tcp_socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, none)) {}

    tcp_socket& operator=(tcp_socket&& other) noexcept {
        std::swap(descriptor_, other.descriptor_);
        return *this;
    }

    ~tcp_socket() { close(); }

    /// Returns: a socket to accept from, at a port that was free.
    static tcp_socket listen_on_loopback() {
        tcp_socket made = make();
        const sockaddr_in address = loopback(0);
        checked("bind",
                [&] { return ::bind(made.descriptor_, untyped(&address), sizeof(address)); });
        checked("listen", [&] { return ::listen(made.descriptor_, SOMAXCONN); });
        return made;
    }

    static tcp_socket connect_to_loopback(std::uint16_t port) {
        tcp_socket made = make();
        const sockaddr_in address = loopback(port);
        if (::connect(made.descriptor_, untyped(&address), sizeof(address)) != 0) {
            if (errno != EINTR) throw_errno("connect");
            made.finish_connecting();
        }
        return made;
    }

    explicit operator bool() const noexcept { return descriptor_ != none; }

    void close() noexcept {
        if (descriptor_ != none) ::close(std::exchange(descriptor_, none));
    }

    std::uint16_t port() const {
        sockaddr_in address{};
        socklen_t size = sizeof(address);
        checked("getsockname", [&] {
            return ::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &size);
        });
        return ntohs(address.sin_port);
    }

    /// Returns: the next peer; none if nobody came in time, or whoever did has gone already.
    tcp_socket accept() const {
        const int peer =
            retried([&] { return ::accept4(descriptor_, nullptr, nullptr, SOCK_CLOEXEC); });
        if (peer >= 0) return tcp_socket(peer);
        if (errno == EAGAIN || errno == ECONNABORTED) return {};
        throw_errno("accept");
    }

    /// Effects: `accept` throws from now on, also in a thread that is waiting in it.
    void stop_accepting() const noexcept { ::shutdown(descriptor_, SHUT_RDWR); }

    void send(const std::vector<char>& bytes) const {
        for (std::size_t done = 0; done != bytes.size();) {
            // A peer that has gone is to be an error here, not the end of the process.
            done += static_cast<std::size_t>(checked("send", [&] {
                return ::send(descriptor_, &bytes[done], bytes.size() - done, MSG_NOSIGNAL);
            }));
        }
    }

    /// Returns: false if the peer sent nothing more. Throws: also if it stopped in the middle.
    bool receive(char* bytes, std::size_t size) const {
        for (std::size_t done = 0; done != size;) {
            const auto n =
                checked("recv", [&] { return ::recv(descriptor_, bytes + done, size - done, 0); });
            if (n == 0 && done == 0) return false;
            if (n == 0) throw std::runtime_error("recv: the peer stopped in the middle");
            done += static_cast<std::size_t>(n);
        }
        return true;
    }

private:
    static constexpr int none = -1;

    // By way of the default constructor, so that the destructor runs if one of these throws.
    explicit tcp_socket(int descriptor) : tcp_socket() {
        descriptor_ = descriptor;
        const timeval patience{patience_s, 0};
        set(SOL_SOCKET, SO_RCVTIMEO, patience);
        set(SOL_SOCKET, SO_SNDTIMEO, patience);
        // Or the end of each message waits until the peer has acknowledged what came before.
        set(IPPROTO_TCP, TCP_NODELAY, 1);
    }

    static tcp_socket make() {
        return tcp_socket(checked(
            "socket", [] { return ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP); }));
    }

    static sockaddr_in loopback(std::uint16_t port) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(port);
        return address;
    }

    static const sockaddr* untyped(const sockaddr_in* address) {
        return reinterpret_cast<const sockaddr*>(address);
    }

    // A `connect` that was interrupted goes on by itself, and must not be called again.
    void finish_connecting() const {
        pollfd writable{descriptor_, POLLOUT, 0};
        const int ready =
            checked("connect", [&] { return ::poll(&writable, 1, 1'000 * patience_s); });
        int error = ETIMEDOUT;
        socklen_t size = sizeof(error);
        if (ready != 0) {
            checked("connect",
                    [&] { return ::getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &error, &size); });
        }
        if (error != 0) throw std::system_error(error, std::generic_category(), "connect");
    }

    template <class Value>
    void set(int level, int option, Value value) const {
        checked("setsockopt",
                [&] { return ::setsockopt(descriptor_, level, option, &value, sizeof(value)); });
    }

    int descriptor_ = none;
};
