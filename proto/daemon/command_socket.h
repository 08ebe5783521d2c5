// The command socket of an open store: STORE/control.sock. `dirsync` finds it and hands its whole
// command line to the process that has the store open, which answers as the command would itself.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proto/daemon/command_call.h"

namespace dirsync {

// Name of the socket in the store's folder.
inline constexpr std::string_view kCommandSocketName = "control.sock";

// Thread-safety: one thread. Nothing here waits for a client.
class CommandSocket {
 public:
  // REQUIRES the store's lock to be held: a socket file that is there was left by a process that
  // died, and is replaced. Mode 0600. Errors: kIo, kDiskFull.
  static Result<std::unique_ptr<CommandSocket>> Listen(const std::string& folder);
  ~CommandSocket();  // removes the file
  CommandSocket(const CommandSocket&) = delete;
  CommandSocket& operator=(const CommandSocket&) = delete;

  // Readable: call Take() until nullptr. Changes with every Take().
  std::vector<int> descriptors() const;
  // Milliseconds until Take() should be called again even if nothing is readable; -1: never.
  int timeout_ms() const;
  // The next whole request; nullptr: none now. Clients of another user (but root) are turned away,
  // and so are those that send no request of ours within limits::kClientSilenceSeconds.
  std::unique_ptr<CommandCall> Take();

 private:
  struct State;
  explicit CommandSocket(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace dirsync
