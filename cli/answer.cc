#include "cli/answer.h"

#include "cli/command.h"

namespace dirsync::cli {

void AnswerCall(Store& store, CommandCall& call, const std::function<bool()>& stop) {
  const auto interrupted = [&] { return call.Interrupted() || stop(); };
  const CommandRequest& request = call.request();
  Console console{.in = call.in(),
                  .out = call.out(),
                  .err = call.err(),
                  .in_terminal = request.in_terminal,
                  .out_terminal = request.out_terminal,
                  .err_terminal = request.err_terminal,
                  .no_color = request.no_color,
                  .width = request.width,
                  .store = request.store,
                  .folder = request.folder,
                  .open_store = &store,
                  .interrupted = interrupted};
  store.set_interrupted(interrupted);
  const int status = RunCommand(store.world(), console, request.words);
  store.set_interrupted({});
  call.Finish(status);
}

}  // namespace dirsync::cli
