// What every command has at hand: its console, the global options, the store.
#pragma once

#include <functional>
#include <istream>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>

#include "agent/loop/agent_control.h"
#include "agent/service/store.h"
#include "broker/loop/broker_admin.h"
#include "cli/output.h"

namespace dirsync::cli {

struct Serving;  // cli/serving.h

// Where a command runs. Data goes to `out`, messages to `err`.
struct Console {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  bool in_terminal = false;
  bool out_terminal = false;
  bool err_terminal = false;
  bool no_color = false;  // NO_COLOR is set
  std::size_t width = 0;  // columns of the terminal; 0 = no limit
  std::string store;      // DIRSYNC_STORE; empty: not set
  std::string folder;     // current folder; relative file names start here

  // In the process that has a store open: that store, which every command uses.
  Store* open_store = nullptr;
  // And what else it serves; null: nothing.
  const Serving* serving = nullptr;
  // Likewise in the process that runs a broker.
  BrokerAdmin* open_broker = nullptr;
  // In an agent: its session with the broker.
  AgentControl* agent = nullptr;
  // Has the agent go on, or not, while a question waits for its answer. Empty: it cannot.
  std::function<void(bool on)> go_on_while_asked = {};
  // Whether Ctrl-C was pressed, or nobody is there any more. Empty: the process ends then.
  std::function<bool()> interrupted = {};
  // true: from here on Ctrl-C and SIGTERM do not end the process, and `interrupted` says that one
  // came; false: they end it again. Empty: they never do.
  std::function<void(bool)> hold_signals = {};
  // Has the command run by the process that has the store in `folder` open, and returns its exit
  // status; nullopt: no such process. Empty: commands run here.
  std::function<Result<std::optional<int>>(const std::string& folder)> forward = {};
};

struct GlobalOptions {
  std::string store;  // --store
  bool json = false;
  bool dry_run = false;
  bool yes = false;
  bool only_reads = false;  // of the command: there is nothing to go on with
};

class Context {
 public:
  Context(World& world, Console& console, GlobalOptions options);

  World& world() { return world_; }
  Console& console() { return console_; }
  std::ostream& out() { return console_.out; }
  std::ostream& err() { return console_.err; }
  bool json() const { return options_.json; }
  bool dry_run() const { return options_.dry_run; }
  bool out_colours() const { return console_.out_terminal && !console_.no_color; }
  bool err_colours() const { return console_.err_terminal && !console_.no_color; }
  // Columns for tables on stdout; 0 = no limit.
  std::size_t width() const { return console_.out_terminal ? console_.width : 0; }

  // Folder of the store: --store, else DIRSYNC_STORE. Errors: kUsage when neither is given.
  Result<std::string> StorePath() const;
  // Opened at first use, closed with this object; or the one that this process has open. Errors:
  // StorePath's, Store::Open's; kWrongKind at a broker's store.
  Result<Store*> OpenStore();
  void CloseStore() { store_.reset(); }
  // Whether the store is that of a broker: this process's, or by what lies in the folder.
  bool AtBroker() const;
  // The broker whose store --store names: this process's, or over its store. Errors: StorePath's,
  // BrokerStore::Open's; kConfiguration when it is a site's store that lacks the site's key.
  Result<BrokerAdmin*> OpenBroker();

  // Runs `write(transaction)` on the store; commits unless this is a dry run.
  template <class F>
  auto Change(Store& store, F&& write) {
    return dry_run() ? store.Read(std::forward<F>(write)) : store.Write(std::forward<F>(write));
  }

  // The command that runs changes nothing.
  bool only_reads() const { return options_.only_reads; }
  bool interrupted() const { return console_.interrupted && console_.interrupted(); }
  // For what reads for long, every now and then. Error: kInterrupted.
  Result<> CheckInterrupted() const;

  // WriteWholeFile, which Ctrl-C and SIGTERM stop between two pieces, as an error does. Errors:
  // its, and kInterrupted.
  Result<> WriteFile(const std::string& path,
                     const std::function<Result<>(FileOutput& file)>& write);

  // Whether a question can be answered: terminal on both sides, no --yes, no --json.
  bool can_ask() const;
  // True at once when nothing can be asked. An agent goes on meanwhile: what was read of the store
  // before may be old.
  bool Confirmed(std::string_view question);
  // That the answer was no, or that Ctrl-C was: of `operation`, which has changed nothing.
  Error NotConfirmed(std::string_view operation) const;
  // Reads a yes or no, while an agent waits. REQUIRES can_ask().
  bool Ask(std::string_view question);

  // One line on stderr; with --json an object: {"note":…}, {"warning":…}.
  void Note(std::string_view text);     // "note: …"
  void Next(std::string_view command);  // "next: …"; not with --json
  void Warn(std::string_view text);     // "warning: …"
  void PrintError(const Error& error);  // or its JSON object

  // "FOLDER/SYNC1" <-> "SYNC1": names below the current folder are shown short and kept whole.
  std::string WholePath(std::string_view path) const;
  std::string ShortPath(std::string_view path) const;

 private:
  // Names below the current folder are shown short wherever they stand in a message.
  std::string ShortNames(std::string_view text) const;
  void Message(std::string_view kind, Colour colour, std::string_view text);

  World& world_;
  Console& console_;
  GlobalOptions options_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<BrokerAdmin> broker_;
};

}  // namespace dirsync::cli
