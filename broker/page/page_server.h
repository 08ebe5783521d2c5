// The broker's outlets over HTTP: page, metrics, API, health. Reads what the broker loop publishes
// and changes nothing; only GET and HEAD are answered.
//
//   auto page = PageServer::Start(settings);
//   each second:  (*page)->Publish(std::make_shared<const BrokerStats>(broker.Stats(now)));
//
// Threads of its own. Publish(), SetReadiness() and Stop() may be called from any one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "broker/core/link_state.h"
#include "proto/base/error.h"

namespace dirsync {

struct PageSettings {
  std::string address = "127.0.0.1";  // IPv4 or IPv6; beyond loopback only with a token
  std::uint16_t port = 0;             // 0: any free one
  std::string program;                // "0.2.0": shown in build_info
  // Names under which people reach it, besides the address and localhost: a request for another
  // host is refused, so that no web site can read it through a browser (DNS rebinding).
  std::vector<std::string> host_names;
  // If set: the password that every request but health must carry (HTTP Basic, any user name).
  std::string token;
  LinkThresholds thresholds;
};

// One thing that must hold before the broker serves.
struct ReadinessCheck {
  std::string name;  // "store", "log tail", "authentication", "listener"
  bool passed = false;
};
using PageReadiness = std::vector<ReadinessCheck>;

class PageServer {
 public:
  // Binds and begins to answer. Errors: kConfiguration (not an address; beyond loopback without a
  // token of 16 characters or more), kIo (the port is taken).
  static Result<std::unique_ptr<PageServer>> Start(PageSettings settings);
  ~PageServer();

  // What is answered from now on; never null. Costs the caller a pointer.
  void Publish(std::shared_ptr<const BrokerStats> stats);
  // /readyz is 200 when all have passed, 503 before.
  void SetReadiness(PageReadiness readiness);
  // Closes all connections; idempotent. No answer is under way when it returns.
  void Stop();

  std::uint16_t port() const;

 private:
  struct State;
  explicit PageServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace dirsync
