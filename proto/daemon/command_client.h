// The other end of the command socket: what `dirsync` does when a process has the store open.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <string>

#include "proto/daemon/command_frame.h"

namespace dirsync {

// The client's own streams.
struct ClientStreams {
  int in = 0;
  int out = 1;
  int err = 2;
};

// How long a process may stand still before its client gives up.
inline constexpr std::chrono::seconds kStoppedPatience{5};

// Hands `request` to the process that has the store in `folder` open and plays its answer to the
// streams; questions are answered from `in`. Returns the exit status; nullopt: nobody serves the
// store (no socket, or one left by a process that died), so the caller does the work itself.
// `interrupted` becomes true in a signal handler: the command is asked to stop, and its end is
// awaited; REQUIRES that signal to be blocked by the caller (it is let in while waiting).
// The whole answer is taken as it comes, to memory and beyond a bound to a nameless file, so that
// a pager that waits for its reader never makes the other process wait.
// A process that was stopped (SIGSTOP, a debugger) says nothing: after kStoppedPatience of that,
// and not before, it is given up. One that is at work may take as long as it takes. `holder` is
// the process that has the store open, for as long as it takes no connection; 0: not known.
// Errors: kUnreachable (it stands still), kIo (it died on the way), kNotPermitted (another user's
// store), kInterrupted (before it took the command), kTooLarge (the command line).
Result<std::optional<int>> ForwardCommand(const std::string& folder, const CommandRequest& request,
                                          const ClientStreams& streams,
                                          const std::atomic<bool>& interrupted, pid_t holder);

}  // namespace dirsync
