// The broker's door: a ZeroMQ ROUTER behind CURVE and ZAP. Facts behind every setting:
// DECISIONS.md, 42. Nothing outside this folder includes ZeroMQ.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/error.h"
#include "proto/base/limits.h"
#include "proto/model/message.h"
#include "proto/net/listener_context.h"
#include "proto/net/transport_key_pair.h"

namespace dirsync {

struct ListenerSettings {
  std::string address;  // "tcp://127.0.0.1:7600"; port 0 or "*" = a free one
  TransportKeyPair keys;
  std::string zap_domain;  // never empty: "dirsync" or "dirsync-join"
  std::size_t message_bytes_max = 0;
  std::uint32_t handshake_ms = 2000;
};

// One authenticated message.
struct Received {
  std::uint64_t session = 0;  // of one connection of one key, and never used twice
  TransportKey key;
  Message message;
};

// What one turn of a loop takes at most: each message counts, also one that is refused.
struct ReceiveBudget {
  std::size_t messages = 512;
  std::size_t bytes = 64 * limits::kMiB;  // of all frames; the last message may pass it
};

// Thread-safety: one thread, except the `allow` callback, which the ZAP thread calls.
class Listener {
 public:
  // Binds; the context outlives it. `allow` says whether a key may connect at all. Before it
  // returns it has proved to itself that who speaks no CURVE is refused, that, unless `anybody`, a
  // key which nobody knows is, and that one which may come in is not. `random`: 32 bytes for these
  // keys. Errors: kIo (address in use), kConfiguration, kInternal (the self-test failed: do not
  // serve).
  static Result<std::unique_ptr<Listener>> Bind(ListenerContext& context,
                                                const ListenerSettings& settings,
                                                std::function<bool(const TransportKey&)> allow,
                                                std::string_view random, bool anybody = false);
  ~Listener();
  const std::string& address() const;  // with the real port
  // Readable: call Receive until nullopt, and TakeRefusals. They tell of changes only, and Send
  // takes those in too: ask IsWaiting before waiting for them.
  std::vector<int> descriptors() const;
  bool IsWaiting() const;
  // The next message that could be decoded; nullopt: none now, or `budget` is spent: IsWaiting
  // tells. One that cannot be ends its session with BYE, which TakeEnded tells, and is told by
  // TakeRefusals; further ones of that peer are refused without a word.
  std::optional<Received> Receive(ReceiveBudget& budget);
  std::optional<Received> Receive();  // with a budget of its own
  // Sessions that such a message ended since the last call.
  std::vector<std::uint64_t> TakeEnded();
  // kBusy: limits::kMessagesUnderWay or kPeerBytes wait for the peer already, and this one was not
  // taken; kUnreachable: it is gone.
  Result<> Send(std::uint64_t session, const Message& message);
  // How much of limits::kPeerBytes waits for it; 0 for one that is gone. What other connections of
  // its key have left counts where it takes more than they may.
  std::uint64_t UnderWay(std::uint64_t session) const;
  void Close(std::uint64_t session);  // forget it; its later messages are a new session
  // Refused since the last call: handshakes with ZeroMQ's reason, "handshake-auth",
  // "handshake-protocol" …, and messages with a code, "message-TOO_LARGE" …
  std::vector<std::string> TakeRefusals();

 private:
  struct State;
  void EndRefused(std::uint64_t session, const Error& why);
  explicit Listener(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace dirsync
