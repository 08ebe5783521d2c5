// An agent's connection to its broker: a ZeroMQ DEALER with CURVE, remade by ZeroMQ when it breaks,
// or when the other machine has not answered for limits::kDeadPeerSeconds. One that stands and
// carries nothing any more is for the owner to find, by pings, and to open anew.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "proto/base/error.h"
#include "proto/model/message.h"
#include "proto/net/transport_key_pair.h"

namespace dirsync {

struct ConnectionSettings {
  std::string address;  // "tcp://broker.example:7600"
  TransportKey broker_key;
  TransportKeyPair keys;
  std::size_t message_bytes_max = 0;
};

enum class ConnectionState : std::uint8_t { kConnecting, kConnected, kRefused };

// Thread-safety: one thread.
class Connection {
 public:
  static Result<std::unique_ptr<Connection>> Open(const ConnectionSettings& settings);
  ~Connection();
  // Readable: call Receive, TakeState, until nullopt. They tell of changes only, and Send takes
  // those in too: ask IsWaiting before waiting for them.
  int descriptor() const;
  int monitor_descriptor() const;
  bool IsWaiting() const;
  std::optional<Result<Message>> Receive();
  // kBusy: not connected, or limits::kMessagesUnderWay wait already. Nothing is queued for a
  // connection that does not stand: the log is the buffer.
  Result<> Send(const Message& message);
  // As Send, the last message: the destructor gives it half a second to leave.
  Result<> SendLast(const Message& message);
  // What changed since the last call; nullopt: nothing. kRefused with ZeroMQ's reason in `why`.
  std::optional<ConnectionState> TakeState(std::string& why);

 private:
  struct State;
  explicit Connection(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace dirsync
