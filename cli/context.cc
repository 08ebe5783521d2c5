#include "cli/context.h"

#include <filesystem>

#include "agent/file/whole_file.h"
#include "cli/json.h"
#include "proto/base/json_text.h"
#include "proto/base/text.h"

namespace dirsync::cli {
namespace {

// While one lives, signals are only noted.
class SignalsHeld {
 public:
  explicit SignalsHeld(const Console& console) : hold_(console.hold_signals) {
    if (hold_) hold_(true);
  }
  ~SignalsHeld() {
    if (hold_) hold_(false);
  }
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;

 private:
  const std::function<void(bool)>& hold_;
};

// Takes nothing more once the command was interrupted.
class StoppedOutput : public FileOutput {
 public:
  StoppedOutput(FileOutput& file, const Context& context) : file_(file), context_(context) {}
  Result<> Append(std::string_view bytes) override {
    DIRSYNC_CHECK(Check());
    return file_.Append(bytes);
  }
  Result<> Sync() override { return file_.Sync(); }
  Result<> Check() const {
    if (!context_.interrupted()) return {};
    return Fail(ErrorCode::kInterrupted, "interrupted");
  }

 private:
  FileOutput& file_;
  const Context& context_;
};

}  // namespace

Context::Context(World& world, Console& console, GlobalOptions options)
    : world_(world), console_(console), options_(std::move(options)) {}

Result<std::string> Context::StorePath() const {
  if (console_.open_store != nullptr) return console_.open_store->path();
  const std::string& path = options_.store.empty() ? console_.store : options_.store;
  if (path.empty())
    return Fail(ErrorCode::kUsage, "no store is named",
                "give --store DIR, or set DIRSYNC_STORE to the folder of the site's store");
  return WholePath(path);
}

Result<Store*> Context::OpenStore() {
  if (console_.open_store != nullptr) return console_.open_store;
  if (AtBroker()) {
    DIRSYNC_CHECK(OpenBroker());
    return Fail(ErrorCode::kWrongKind, "open store: this is the store of a broker",
                "name a site's store with --store; of a broker: dirsync status");
  }
  if (!store_) {
    DIRSYNC_TRY(path, StorePath());
    DIRSYNC_TRY(store, Store::Open(world_, path));
    store_ = std::move(store);
  }
  return store_.get();
}

bool Context::AtBroker() const {
  if (console_.open_broker != nullptr) return true;
  if (console_.open_store != nullptr) return false;
  const auto path = StorePath();
  return path && BrokerStore::IsThere(*path);
}

Result<BrokerAdmin*> Context::OpenBroker() {
  if (console_.open_broker != nullptr) return console_.open_broker;
  if (console_.open_store != nullptr)
    return Fail(ErrorCode::kWrongKind, "open broker: this is the store of a site",
                "name the broker's store with --store");
  if (!broker_) {
    DIRSYNC_TRY(path, StorePath());
    auto store = BrokerStore::Open(path);
    // A site that has joined has the same files, but for the one that is missing here.
    if (!store && store.error().code == ErrorCode::kWrongKind && BrokerStore::IsThere(path))
      return Fail(ErrorCode::kConfiguration,
                  "reading the site's key " + Printable(path) + "/keys/site.key: it is missing",
                  "restore it from a backup; without it other sites refuse what this site says");
    if (!store) return std::unexpected(store.error());
    broker_ = AdminOver(std::move(*store));
  }
  return broker_.get();
}

Result<> Context::CheckInterrupted() const {
  if (!interrupted()) return {};
  return Fail(ErrorCode::kInterrupted, "interrupted");
}

Result<> Context::WriteFile(const std::string& path,
                            const std::function<Result<>(FileOutput& file)>& write) {
  const SignalsHeld held(console_);
  return WriteWholeFile(world_.files(), path, [&](FileOutput& file) -> Result<> {
    StoppedOutput stopped(file, *this);
    DIRSYNC_CHECK(write(stopped));
    return stopped.Check();
  });
}

bool Context::can_ask() const {
  return console_.in_terminal && console_.err_terminal && !options_.yes && !options_.json;
}

bool Context::Confirmed(std::string_view question) {
  if (!can_ask()) return true;
  if (console_.go_on_while_asked) console_.go_on_while_asked(true);
  const bool confirmed = Ask(question);
  if (console_.go_on_while_asked) console_.go_on_while_asked(false);
  return confirmed;
}

Error Context::NotConfirmed(std::string_view operation) const {
  return {interrupted() ? ErrorCode::kInterrupted : ErrorCode::kRefused,
          std::string(operation) + ": not confirmed", "nothing was changed"};
}

bool Context::Ask(std::string_view question) {
  for (;;) {
    err() << PrintableLines(question) << " (y/n) " << std::flush;
    std::string line;
    if (!std::getline(console_.in, line)) return false;
    const std::string answer = ToLowerAscii(TrimBlanks(line));
    if (answer == "y" || answer == "yes") return true;
    if (answer == "n" || answer == "no") return false;
  }
}

void Context::Message(std::string_view kind, Colour colour, std::string_view text) {
  if (json()) {
    err() << JsonObject().Text(kind, text).Finish() << '\n';
    return;
  }
  // In one piece: other programs may write to the same terminal.
  err() << Coloured(std::string(kind) + ":", colour, err_colours()) + " " +
               PrintableLines(ShortNames(text)) + "\n";
}

void Context::Note(std::string_view text) { Message("note", Colour::kDim, text); }

void Context::Next(std::string_view command) {
  if (!json()) Message("next", Colour::kGreen, command);
}

void Context::Warn(std::string_view text) { Message("warning", Colour::kYellow, text); }

void Context::PrintError(const Error& error) {
  const ErrorInfo& info = InfoOf(error.code);
  if (json()) {
    err() << JsonObject()
                 .Text("code", info.text)
                 .Text("message", error.message)
                 .Text("hint", error.hint.empty() ? info.next : std::string_view(error.hint))
                 .Finish()
          << '\n';
    return;
  }
  err() << Coloured("error:", Colour::kRed, err_colours()) + " " +
               PrintableLines(ShortNames(error.ToString())) + "\n";
}

std::string Context::ShortNames(std::string_view text) const {
  std::string out(text);
  if (console_.folder.size() < 2) return out;
  const std::string prefix = console_.folder + "/";
  for (std::size_t at = 0; (at = out.find(prefix, at)) != std::string::npos;) {
    // Only where a name begins: "/tmp/a" must not shorten "/x/tmp/a".
    if (at > 0 && out[at - 1] != ' ' && out[at - 1] != '"') {
      ++at;
    } else {
      out.erase(at, prefix.size());
    }
  }
  return out;
}

std::string Context::WholePath(std::string_view path) const {
  if (path.empty() || path.front() == '/' || console_.folder.empty()) return std::string(path);
  return (std::filesystem::path(console_.folder) / path).lexically_normal().string();
}

std::string Context::ShortPath(std::string_view path) const {
  const std::string prefix = console_.folder == "/" ? "/" : console_.folder + "/";
  if (console_.folder.empty() || !path.starts_with(prefix)) return std::string(path);
  return std::string(path.substr(prefix.size()));
}

}  // namespace dirsync::cli
