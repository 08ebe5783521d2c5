// The broker's door: a ZeroMQ ROUTER behind CURVE and ZAP. Facts behind every setting:
// Z1-Z14 in DECISIONS.md. Nothing outside this folder includes ZeroMQ.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proto/base/error.h"
#include "proto/model/message.h"
#include "proto/net/transport_key_pair.h"

namespace dirsync {

struct ListenerSettings {
  std::string address;  // "tcp://127.0.0.1:7600"; port 0 or "*" = a free one
  TransportKeyPair keys;
  std::string zap_domain;  // never empty: "dirsync" or "dirsync-join"
  std::size_t message_bytes_max = 0;
  std::uint32_t handshake_ms = 2000;
  std::uint32_t heartbeat_ms = 5000;
};

// One authenticated message.
struct Received {
  std::uint64_t session = 0;  // of the routing id, and never used twice
  TransportKey key;
  Message message;
};

class ListenerContext;  // owns the ZeroMQ context and the ZAP handler's thread; outlives listeners

// Thread-safety: one thread, except the `allow` callback, which the ZAP thread calls.
class Listener {
 public:
  // Binds. `allow` says whether a key may connect at all. Before it returns it has proved to itself
  // that a random key is refused and that one without CURVE is (T32). Errors: kIo (address in use),
  // kConfiguration, kInternal (the self-test failed: do not serve).
  static Result<std::unique_ptr<Listener>> Bind(ListenerContext& context,
                                                const ListenerSettings& settings,
                                                std::function<bool(const TransportKey&)> allow);
  ~Listener();
  const std::string& address() const;  // with the real port
  int descriptor() const;              // readable: call Receive (edge-triggered: until nullopt)
  // The next message that could be decoded; nullopt: none now. Those that cannot be are counted,
  // by code, and answered with BYE.
  std::optional<Received> Receive();
  // kBusy: the peer does not take it now (its high-water mark); kUnreachable: it is gone.
  Result<> Send(std::uint64_t session, const Message& message);
  void Close(std::uint64_t session);  // forget it; its later messages are a new session
  // Handshakes refused since the last call, with ZeroMQ's reason: "no-user", "protocol", "auth" …
  std::vector<std::string> TakeRefusals();

 private:
  struct State;
  explicit Listener(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace dirsync
