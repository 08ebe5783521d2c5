#include "cli/command.h"

#include <poll.h>

#include <algorithm>
#include <functional>
#include <set>

#include "agent/core/instance.h"
#include "cli/help.h"
#include "cli/old_run.h"
#include "cli/old_spelling.h"
#include "cli/overview.h"
#include "proto/base/text.h"

namespace dirsync::cli {
namespace {

constexpr OptionSpec kGlobalOptions[] = {
    {"--store", "DIR", "folder of the site's store (or set DIRSYNC_STORE)"},
    {"--json", "", "data as JSON on stdout, messages as JSON lines on stderr"},
    {"--dry-run", "", "show what would be done and change nothing"},
    {"--yes", "", "ask nothing"},
    {"--help", "", "examples and options"},
};

GlobalOptions GlobalsOf(const Arguments& arguments) {
  return {.store = arguments.Value("--store").value_or(""),
          .json = arguments.Has("--json"),
          .dry_run = arguments.Has("--dry-run"),
          .yes = arguments.Has("--yes")};
}

// How many words at the front are global options (with their values).
std::size_t LeadingGlobals(std::span<const std::string> words) {
  std::size_t i = 0;
  while (i < words.size() && words[i].starts_with("--")) {
    if (words[i] == "--store") ++i;
    ++i;
  }
  return std::min(i, words.size());
}

std::vector<std::string> FirstWords() {
  std::set<std::string> words;
  for (const CommandGroup& group : AllCommands())
    for (const CommandSpec& command : group.commands)
      words.emplace(Split(command.path, ' ').front());
  return {words.begin(), words.end()};
}

std::vector<std::string> SecondWords(std::string_view noun) {
  std::vector<std::string> words;
  for (const CommandGroup& group : AllCommands())
    for (const CommandSpec& command : group.commands)
      if (auto parts = Split(command.path, ' '); parts.size() == 2 && parts[0] == noun)
        words.emplace_back(parts[1]);
  return words;
}

Error UnknownSecondWord(const std::string& noun, const std::string* second) {
  const std::vector<std::string> known = SecondWords(noun);
  std::string message = second == nullptr ? noun + ": what to do is missing"
                                          : "unknown command " + noun + " " + Printable(*second) +
                                                DidYouMean(*second, known);
  return {ErrorCode::kUsage, message, noun + " knows: " + Join(known, ", ")};
}

Result<> CheckWords(const CommandSpec& command, const Arguments& arguments) {
  const std::size_t count = arguments.words().size();
  const std::string usage =
      "dirsync " + std::string(command.path) + " " + std::string(command.arguments);
  if (count < command.words_min)
    return Fail(ErrorCode::kUsage,
                std::string(command.path) + ": missing " + std::string(command.arguments),
                "usage: " + usage);
  if (count > command.words_max)
    return Fail(ErrorCode::kUsage,
                std::string(command.path) +
                    ": one word too many: " + Printable(arguments.words()[command.words_max]),
                "usage: " + usage + "; names with blanks are quoted");
  for (const std::string& word : arguments.words())
    if (word.empty()) return Fail(ErrorCode::kUsage, std::string(command.path) + ": an empty name");
  return {};
}

// The parts of a command line that follow from where its command stands.
struct Line {
  std::vector<std::string> globals;  // before the command
  std::vector<std::string> rest;     // from the command on
};

GlobalOptions GuessGlobals(const Line& line) {
  // For errors found before or while parsing: only the form of the message depends on it.
  GlobalOptions options;
  for (const auto* words : {&line.globals, &line.rest})
    options.json = options.json || std::ranges::find(*words, "--json") != words->end();
  return options;
}

int Report(World& world, Console& console, GlobalOptions options, const Error& error) {
  Context(world, console, std::move(options)).PrintError(error);
  return error.exit_status();
}

int Finish(Context& context, const Result<int>& result) {
  // Whatever failed because of it is not the reason.
  if ((!result || !context.out()) && context.interrupted()) {
    const Error error{ErrorCode::kInterrupted, "interrupted",
                      context.only_reads() ? "run it again: nothing was changed" : ""};
    context.PrintError(error);
    return error.exit_status();
  }
  if (!result) {
    context.PrintError(result.error());
    return result.error().exit_status();
  }
  context.out().flush();
  if (!context.out()) {
    context.PrintError({ErrorCode::kIo, "writing the output: it could not be written", ""});
    return InfoOf(ErrorCode::kIo).exit_status;
  }
  return *result;
}

int FinishRun(Context& context, const Result<int>& result) {
  if (result && context.dry_run()) context.Note("dry run: nothing was changed");
  return Finish(context, result);
}

// The whole command line, by the process that has the store open; nullopt: there is none.
std::optional<int> RunElsewhere(Context& context) {
  if (!context.console().forward) return std::nullopt;
  const auto path = context.StorePath();
  if (!path) return std::nullopt;  // the command will say so, if it needs one
  const auto status = context.console().forward(*path);
  if (!status) return Finish(context, std::unexpected(status.error()));
  return *status;
}

// Runs here, or in the process that has the store open. A store that is locked while nobody serves
// it is just being opened or closed: which of them shows in a moment, and nothing was done yet.
int RunSomewhere(Context& context, const std::function<Result<int>()>& run) {
  constexpr int kAttempts = 100;
  constexpr int kPauseMs = 20;
  for (int attempt = 1;; ++attempt) {
    if (const auto status = RunElsewhere(context)) return *status;
    // Its client may have given it up before it was looked at: then it is not begun.
    if (context.interrupted()) return Finish(context, Fail(ErrorCode::kInterrupted, "interrupted"));
    auto result = run();
    const bool locked = !result && result.error().code == ErrorCode::kLocked;
    if (locked && context.console().forward && attempt < kAttempts) {
      poll(nullptr, 0, kPauseMs);
      continue;
    }
    return FinishRun(context, result);
  }
}

int RunNew(World& world, Console& console, const Line& line) {
  const std::string& first = line.rest.front();
  std::size_t used = 1;
  const CommandSpec* command = nullptr;
  if (line.rest.size() > 1) command = FindCommand(first + " " + line.rest[1]);
  if (command != nullptr) {
    used = 2;
  } else {
    command = FindCommand(first);
  }
  if (command == nullptr) {
    if (line.rest.size() > 1 && line.rest[1] == "--help") {
      if (GuessGlobals(line).json) {
        PrintHelpJson(console.out, first);
      } else {
        PrintNounHelp(console.out, first, false);
      }
      return 0;
    }
    const bool has_second = line.rest.size() > 1 && !line.rest[1].starts_with("-");
    return Report(world, console, GuessGlobals(line),
                  UnknownSecondWord(first, has_second ? &line.rest[1] : nullptr));
  }
  std::vector<std::string> words = line.globals;
  words.insert(words.end(), line.rest.begin() + static_cast<std::ptrdiff_t>(used), line.rest.end());
  auto arguments = ParseArguments(words, OptionsOf(*command));
  if (!arguments) {
    Error error = arguments.error();
    if (error.hint.empty())
      error.hint = "`dirsync help " + std::string(command->path) + "` shows its options";
    return Report(world, console, GuessGlobals(line), error);
  }
  GlobalOptions options = GlobalsOf(*arguments);
  options.only_reads = !command->changes;
  Context context(world, console, std::move(options));
  if (arguments->Has("--help")) {
    if (context.json()) {
      PrintHelpJson(console.out, command->path);
    } else {
      PrintCommandHelp(console.out, *command, context.out_colours());
    }
    return 0;
  }
  if (auto right = CheckWords(*command, *arguments); !right)
    return Finish(context, std::unexpected(right.error()));
  const auto run = [&] { return command->run(context, *arguments); };
  return command->own_process ? FinishRun(context, run()) : RunSomewhere(context, run);
}

// The old spelling takes global options anywhere.
int RunOld(World& world, Console& console, const Line& line) {
  std::vector<std::string> globals = line.globals;
  std::vector<std::string> words;
  for (std::size_t i = 0; i < line.rest.size(); ++i) {
    const std::string& word = line.rest[i];
    if (!word.starts_with("--")) {
      words.push_back(word);
      continue;
    }
    globals.push_back(word);
    if (word == "--store" && i + 1 < line.rest.size()) globals.push_back(line.rest[++i]);
  }
  auto arguments = ParseArguments(globals, kGlobalOptions);
  if (!arguments) return Report(world, console, GuessGlobals(line), arguments.error());
  Context context(world, console, GlobalsOf(*arguments));
  return RunSomewhere(context, [&] { return RunOldSpelling(context, words); });
}

bool HasInstance(World& world, Console& console, const GlobalOptions& options,
                 const std::string& name, std::vector<std::string>& names) {
  Context context(world, console, options);
  auto store = context.OpenStore();
  if (!store) return false;
  auto instances = ListInstances((*store)->storage());
  if (!instances) return false;
  bool found = false;
  for (const InstanceSettings& instance : *instances) {
    names.push_back(instance.name);
    found = found || FoldName(instance.name) == FoldName(name);
  }
  return found;
}

int RunUnknown(World& world, Console& console, const Line& line) {
  const std::string& first = line.rest.front();
  auto globals = ParseArguments(line.globals, kGlobalOptions);
  if (globals) {
    Context context(world, console, GlobalsOf(*globals));
    if (const auto status = RunElsewhere(context)) return *status;
  }
  std::vector<std::string> candidates;
  if (globals && HasInstance(world, console, GlobalsOf(*globals), first, candidates))
    return RunOld(world, console, line);
  for (std::string& word : FirstWords()) candidates.push_back(std::move(word));
  return Report(
      world, console, GuessGlobals(line),
      {ErrorCode::kUsage, "unknown command " + Printable(first) + DidYouMean(first, candidates),
       "`dirsync help` lists the commands; a bare word must be one or an instance"});
}

}  // namespace

const std::vector<CommandGroup>& AllCommands() {
  static const std::vector<CommandGroup> groups = {
      StoreCommands(),    EntryCommands(),       GroupCommands(),  ListCommands(),
      InstanceCommands(), RunCommands(),         ReviewCommands(), FileCommands(),
      AgentCommands(),    JoinCommands(),        BrokerCommands(), PolicyCommands(),
      StatusCommands(),   BrokerStatsCommands(), LogCommands(),    ResyncCommands(),
      ConfigCommands(),   HelpCommands()};
  return groups;
}

const CommandSpec* FindCommand(std::string_view path) {
  for (const CommandGroup& group : AllCommands())
    for (const CommandSpec& command : group.commands)
      if (command.path == path) return &command;
  return nullptr;
}

const CommandSpec* CommandOf(std::span<const std::string> words) {
  words = words.subspan(LeadingGlobals(words));
  if (words.empty()) return nullptr;
  const CommandSpec* command = words.size() > 1 ? FindCommand(words[0] + " " + words[1]) : nullptr;
  return command != nullptr ? command : FindCommand(words[0]);
}

bool IsCommandWord(std::string_view word) {
  const std::vector<std::string> words = FirstWords();
  return std::ranges::find(words, word) != words.end();
}

std::vector<OptionSpec> OptionsOf(const CommandSpec& command) {
  std::vector<OptionSpec> options = command.options;
  for (const OptionSpec& option : kGlobalOptions)
    if (command.changes || option.name != "--dry-run") options.push_back(option);
  return options;
}

std::span<const OptionSpec> GlobalOptionSpecs() { return kGlobalOptions; }

int RunCommand(World& world, Console& console, const std::vector<std::string>& words) {
  const std::size_t leading = LeadingGlobals(words);
  Line line{{words.begin(), words.begin() + static_cast<std::ptrdiff_t>(leading)},
            {words.begin() + static_cast<std::ptrdiff_t>(leading), words.end()}};
  if (line.rest.empty()) {
    if (std::ranges::find(line.globals, "--version") != line.globals.end()) {
      line.rest = {"version"};
      std::erase(line.globals, "--version");
      return RunNew(world, console, line);
    }
    auto arguments = ParseArguments(line.globals, kGlobalOptions);
    if (!arguments) return Report(world, console, GuessGlobals(line), arguments.error());
    Context context(world, console, GlobalsOf(*arguments));
    if (arguments->Has("--help")) {
      if (context.json()) {
        PrintHelpJson(console.out, "");
      } else {
        PrintHelp(console.out, context.out_colours());
      }
      return 0;
    }
    return RunSomewhere(context, [&] { return PrintOverview(context); });
  }
  const std::string& first = line.rest.front();
  if (IsCommandWord(first)) return RunNew(world, console, line);
  if (first == "-h") {
    PrintHelp(console.out, false);
    return 0;
  }
  if (std::ranges::any_of(line.rest, LooksOld)) return RunOld(world, console, line);
  return RunUnknown(world, console, line);
}

}  // namespace dirsync::cli
