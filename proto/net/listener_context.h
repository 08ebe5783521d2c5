// What listeners share: ZeroMQ's context, and the handler that decides who may connect. The
// handler runs before any socket is bound and as long as the context lives: without one, ZeroMQ
// lets in whoever knows the server's key.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "proto/base/error.h"
#include "proto/base/ids.h"

namespace dirsync {

// Thread-safe.
class ListenerContext {
 public:
  // Errors: kInternal (ZeroMQ without CURVE, or the handler does not start).
  static Result<std::unique_ptr<ListenerContext>> Make();
  ~ListenerContext();
  // From now on keys of `domain` are asked for here; the handler's thread calls `allow`.
  void Admit(const std::string& domain, std::function<bool(const TransportKey&)> allow);

  // Internal: proto/net/zmq_context.h.
  struct State;
  State& state() { return *state_; }
  explicit ListenerContext(std::unique_ptr<State> state);

 private:
  std::unique_ptr<State> state_;
};

}  // namespace dirsync
