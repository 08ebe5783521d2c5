// A broker's process, and clients that speak for sites.
#pragma once

#include <gmock/gmock.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proto/net/connection.h"
#include "tests/e2e/process.h"
#include "tests/unit/signed_stream.h"

namespace dirsync::e2e {

inline constexpr std::chrono::milliseconds kPatience{60'000};

// Runs `dirsync broker run`. Its log and what it says go to files beside the store.
class RunningBroker {
 public:
  // `descriptors`: soft bound of them; 0 = as it is. `kill_at`: "NAME:COUNT", or empty. `more`:
  // further arguments; `environment`: "NAME=VALUE", besides our own.
  explicit RunningBroker(std::string folder, std::string kill_at = "", unsigned descriptors = 0,
                         std::vector<std::string> more = {},
                         std::vector<std::string> environment = {});
  ~RunningBroker();  // kills it
  RunningBroker(const RunningBroker&) = delete;
  RunningBroker& operator=(const RunningBroker&) = delete;

  bool ready() const { return !address_.empty(); }
  const std::string& address() const { return address_; }  // it listens there
  const std::string& door() const { return door_; }
  int pid() const { return pid_; }
  void Signal(int signal) const;
  bool IsRunning();
  // Exit status, or 128 + the signal; polls with a deadline.
  int Wait();
  std::string Log() const;  // so far
  std::uint64_t ResidentBytes() const;

 private:
  std::string folder_;
  std::string address_;
  std::string door_;
  int pid_ = -1;
  std::optional<int> status_;  // once it has ended
};

// One site's connection, greeted.
class SiteClient {
 public:
  SiteClient(const RunningBroker& broker, const TransportKey& broker_key, const std::string& site)
      : SiteClient(broker.address(), broker_key, site) {}
  SiteClient(const std::string& address, const TransportKey& broker_key, const std::string& site);
  // Says HELLO and waits for WELCOME.
  std::optional<Welcome> Greet(const Nonce& nonce = {},
                               std::chrono::milliseconds patience = kPatience);
  // false: it could not be sent in time.
  bool Send(const Message& message, std::chrono::milliseconds patience = kPatience);
  // The next message of a kind; others are dropped. nullopt: none in time.
  template <class M>
  std::optional<M> Await(std::chrono::milliseconds deadline = kPatience) {
    while (auto message = Next(deadline))
      if (auto* wanted = std::get_if<M>(&*message)) return std::move(*wanted);
    return std::nullopt;
  }
  // nullopt: none in time.
  std::optional<Message> Next(std::chrono::milliseconds deadline = kPatience);
  static TransportKeyPair KeysOf(const std::string& site);

 private:
  std::string site_;
  std::unique_ptr<Connection> connection_;
};

// The organisation, its broker's store, and commands on it.
class BrokerWorld : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;
  // Fails the test unless it ends with 0; returns what it printed.
  std::string Command(std::vector<std::string> words, int status = 0);
  void AddSite(const std::string& site);
  SiteClient Connect(const RunningBroker& broker, const std::string& site) {
    return SiteClient(broker, broker_key_, site);
  }
  std::string top_;
  std::string store_;
  TransportKey broker_key_;
};

}  // namespace dirsync::e2e
