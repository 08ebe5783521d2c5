// A listener, and clients of every kind.
#pragma once

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <functional>
#include <mutex>
#include <random>
#include <set>

#include "proto/base/limits.h"
#include "proto/net/connection.h"
#include "proto/net/listener.h"

namespace dirsync {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

inline constexpr milliseconds kDeadline{60'000};

inline std::string Secret(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string secret(32, '\0');
  for (char& c : secret) c = static_cast<char>(random());
  return secret;
}

inline TransportKeyPair Keys(std::uint64_t seed) { return *TransportKeysFrom(Secret(seed)); }

// Calls `done` until it says so; waits on descriptors meanwhile, a little.
template <class Done>
bool Until(const std::vector<int>& descriptors, Done&& done, milliseconds deadline = kDeadline) {
  const auto end = steady_clock::now() + deadline;
  while (!done()) {
    if (steady_clock::now() >= end) return false;
    std::vector<pollfd> items;
    for (const int descriptor : descriptors) items.push_back({descriptor, POLLIN, 0});
    poll(items.data(), items.size(), 10);
  }
  return true;
}

class NetWorld : public ::testing::Test {
 protected:
  void SetUp() override { Listen({}); }

  // `change` may change the settings before they are used.
  void Listen(const std::function<void(ListenerSettings&)>& change) {
    listener_.reset();
    auto made = ListenerContext::Make();
    ASSERT_TRUE(made.has_value()) << made.error().ToString();
    context_ = std::move(*made);
    ListenerSettings settings;
    settings.address = "tcp://127.0.0.1:*";
    settings.keys = Keys(1);
    settings.zap_domain = "dirsync";
    settings.message_bytes_max = limits::kMessageBytes;
    settings.handshake_ms = 1000;
    if (change) change(settings);
    auto bound = Listener::Bind(
        *context_, settings, [this](const TransportKey& key) { return IsAllowed(key); },
        Secret(99));
    ASSERT_TRUE(bound.has_value()) << bound.error().ToString();
    listener_ = std::move(*bound);
  }

  // Asked by the thread that answers ZeroMQ.
  bool IsAllowed(const TransportKey& key) {
    const std::lock_guard lock(mutex_);
    return allowed_.contains(key);
  }
  void Revoke(const TransportKey& key) {
    const std::lock_guard lock(mutex_);
    allowed_.erase(key);
  }

  std::unique_ptr<Connection> Connect(const TransportKeyPair& keys) {
    return ConnectTo(listener_->address(), keys);
  }
  static std::unique_ptr<Connection> ConnectTo(const std::string& address,
                                               const TransportKeyPair& keys) {
    ConnectionSettings settings;
    settings.address = address;
    settings.broker_key = Keys(1).public_key;
    settings.keys = keys;
    settings.message_bytes_max = limits::kMessageBytes;
    return *Connection::Open(settings);
  }

  static bool WaitFor(Connection& connection, ConnectionState wanted) {
    std::string why;
    return Until({connection.monitor_descriptor()}, [&] {
      while (auto state = connection.TakeState(why))
        if (*state == wanted) return true;
      return false;
    });
  }

  std::optional<Received> Receive() {
    std::optional<Received> received;
    Until(listener_->descriptors(), [&] { return (received = listener_->Receive()).has_value(); });
    return received;
  }

  // What was refused, once there is something; not who was too slow for a busy machine.
  std::vector<std::string> Refusals() {
    std::vector<std::string> refusals;
    Until(listener_->descriptors(), [&] {
      EXPECT_FALSE(listener_->Receive().has_value());
      for (std::string& reason : listener_->TakeRefusals())
        if (reason != "handshake-no-detail") refusals.push_back(std::move(reason));
      return !refusals.empty();
    });
    return refusals;
  }

  std::mutex mutex_;  // of `allowed_`
  std::set<TransportKey> allowed_{Keys(2).public_key, Keys(3).public_key};
  std::unique_ptr<ListenerContext> context_;
  std::unique_ptr<Listener> listener_;
};

inline std::uint64_t ResidentBytes() {
  std::ifstream status("/proc/self/statm");
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  status >> total >> resident;
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

// A socket that speaks no ZeroMQ; -1: no descriptor left.
inline int RawConnect(const std::string& address) {
  const int port = std::stoi(address.substr(address.rfind(':') + 1));
  const int descriptor = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(descriptor, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) return -1;
  return descriptor;
}

}  // namespace dirsync
