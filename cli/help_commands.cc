// help, version.
#include "cli/command.h"
#include "cli/completion.h"
#include "cli/help.h"
#include "cli/json.h"
#include "cli/version.h"
#include "proto/base/crypto.h"
#include "proto/base/text.h"

namespace dirsync::cli {
namespace {

Result<int> Help(Context& context, const Arguments& arguments) {
  const std::string path = Join(arguments.words(), " ");
  const bool known = path.empty() || FindCommand(path) != nullptr ||
                     (arguments.words().size() == 1 && IsCommandWord(path));
  if (known && context.json()) {
    PrintHelpJson(context.out(), path);
    return 0;
  }
  if (path.empty()) {
    PrintHelp(context.out(), context.out_colours());
    return 0;
  }
  if (const CommandSpec* command = FindCommand(path)) {
    PrintCommandHelp(context.out(), *command, context.out_colours());
    return 0;
  }
  if (known) {
    PrintNounHelp(context.out(), path, context.out_colours());
    return 0;
  }
  std::vector<std::string> paths;
  for (const CommandGroup& group : AllCommands())
    for (const CommandSpec& command : group.commands) paths.emplace_back(command.path);
  return Fail(ErrorCode::kUsage, "no help on " + Printable(path) + DidYouMean(path, paths),
              "`dirsync help` lists the commands");
}

Result<int> Version(Context& context, const Arguments&) {
  // A store may be named or not; if it is, the site's fingerprint is shown too.
  std::string fingerprint;
  std::string site;
  if (context.StorePath()) {
    if (auto store = context.OpenStore()) {
      fingerprint = Fingerprint((*store)->key().public_key());
      site = (*store)->profile().basepoint().ToString();
    }
  }
  if (context.json()) {
    context.out() << JsonObject()
                         .Text("version", kVersion)
                         .Text("site", site)
                         .Text("fingerprint", fingerprint)
                         .Finish()
                  << '\n';
    return 0;
  }
  context.out() << "dirsync " << kVersion << '\n';
  if (!site.empty())
    context.out() << Printable(site) << " signs with the key of fingerprint " << fingerprint
                  << '\n';
  return 0;
}

Result<int> Completion(Context& context, const Arguments& arguments) {
  const auto script = CompletionScript(arguments.words().front());
  if (!script)
    return Fail(ErrorCode::kUsage,
                "completion: shell " + Printable(arguments.words().front()) + " is not known",
                "shells: bash, zsh, fish");
  context.out() << *script;
  return 0;
}

Result<int> Manual(Context& context, const Arguments&) {
  context.out() << ManualPage();
  return 0;
}

}  // namespace

CommandGroup HelpCommands() {
  return {"About",
          {
              {.path = "help",
               .arguments = "[COMMAND]",
               .words_max = 2,
               .help = "all commands, or one with its examples",
               .examples = {"dirsync help", "dirsync help instance set"},
               .run = Help,
               .changes = false,
               .own_process = true},
              {.path = "completion",
               .arguments = "SHELL",
               .words_min = 1,
               .words_max = 1,
               .help = "completion for bash, zsh or fish",
               .examples = {"dirsync completion bash > /etc/bash_completion.d/dirsync"},
               .run = Completion,
               .changes = false,
               .own_process = true},
              {.path = "man",
               .help = "the manual page",
               .examples = {"dirsync man > dirsync.1"},
               .run = Manual,
               .changes = false,
               .own_process = true},
              {.path = "version",
               .help = "version, and the fingerprint of the site's key",
               .examples = {"dirsync version"},
               .run = Version,
               .changes = false},
          }};
}

}  // namespace dirsync::cli
