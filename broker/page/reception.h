// Takes connections until the head of their request is complete, so that a slow or silent client
// costs a descriptor for a few seconds, and never a thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "proto/base/error.h"

namespace dirsync {

struct ReceptionLimits {
  std::size_t connections = 256;       // further ones are closed at once
  std::size_t head_bytes = 16 * 1024;  // a longer head is answered 431
  int head_seconds = 3;                // from the accept; later: 408
};

// One thread of its own. Add() may be called from any thread.
class Reception {
 public:
  // `ready` is called on the reception's thread with a connected socket and what it has sent so
  // far: a whole head. It owns the socket from then on, and calls Left() when it has closed it.
  using Ready = std::function<void(int socket, std::string head)>;

  // Errors: kIo.
  static Result<std::unique_ptr<Reception>> Start(const ReceptionLimits& limits, Ready ready);
  ~Reception();

  // Takes over a socket that was just accepted.
  void Add(int socket);
  // A socket that `ready` was given is closed.
  void Left();
  // Closes what waits; `ready` is not called any more when it returns.
  void Stop();

 private:
  struct State;
  explicit Reception(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace dirsync
