// One command of a client, being answered: its words, and streams that end in the client's
// terminal. Thread-safety: one thread.
#pragma once

#include <functional>
#include <istream>
#include <memory>
#include <ostream>

#include "proto/daemon/command_frame.h"

namespace dirsync {

class CommandCall {
 public:
  // Takes the connected socket `descriptor` over. `reader` has read its request, and maybe more.
  CommandCall(int descriptor, FrameReader reader, CommandRequest request);
  // A call that was not finished ends with the exit status of an internal error.
  ~CommandCall();
  CommandCall(const CommandCall&) = delete;
  CommandCall& operator=(const CommandCall&) = delete;

  const CommandRequest& request() const { return request_; }
  // A line read here is asked of the client; it ends when the client has no more, is gone, or gives
  // no answer for limits::kQuestionSeconds. A client that does not take what is written for
  // limits::kClientSilenceSeconds counts as gone; what is written for one that is gone is dropped.
  std::istream& in();
  // While an answer is awaited, `turn` is called again and again: it returns within a fraction of a
  // second. Without it the caller's thread waits.
  void WhileAsked(std::function<void()> turn);
  std::ostream& out();
  std::ostream& err();
  // Ctrl-C was pressed there, or the client is gone. Looks without waiting; stays true.
  bool Interrupted();
  // Sends what is buffered and the exit status. Call once, last.
  void Finish(int status);

 private:
  struct State;
  CommandRequest request_;
  std::unique_ptr<State> state_;
};

}  // namespace dirsync
