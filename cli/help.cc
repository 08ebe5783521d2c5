#include "cli/help.h"

#include <algorithm>

#include "proto/base/json_text.h"
#include "proto/base/text.h"

namespace dirsync::cli {
namespace {

constexpr std::size_t kHelpColumn = 30;

void PrintRow(std::ostream& out, std::string left, std::string_view right) {
  left = "  " + left;
  if (WidthOf(left) + 2 > kHelpColumn) {
    out << left << '\n' << std::string(kHelpColumn, ' ') << right << '\n';
    return;
  }
  left.append(kHelpColumn - WidthOf(left), ' ');
  out << left << right << '\n';
}

std::string Usage(const CommandSpec& command) {
  std::string usage(command.path);
  if (!command.arguments.empty()) usage.append(" ").append(command.arguments);
  return usage;
}

void PrintOption(std::ostream& out, const OptionSpec& option) {
  std::string left(option.name);
  if (!option.value.empty()) left.append(" ").append(option.value);
  if (option.repeats) left += " …";
  PrintRow(out, left, option.help);
}

std::string OptionJson(const OptionSpec& option) {
  return JsonObject()
      .Text("name", option.name)
      .Text("value", option.value)
      .Bool("repeats", option.repeats)
      .Text("help", option.help)
      .Finish();
}

std::string CommandJson(std::string_view group, const CommandSpec& command) {
  std::vector<std::string> options;
  for (const OptionSpec& option : OptionsOf(command)) options.push_back(OptionJson(option));
  const std::vector<std::string> examples(command.examples.begin(), command.examples.end());
  return JsonObject()
      .Text("command", command.path)
      .Text("arguments", command.arguments)
      .Text("group", group)
      .Text("help", command.help)
      .Bool("changes", command.changes)
      .Texts("examples", examples)
      .Raw("options", "[" + Join(options, ",") + "]")
      .Finish();
}

}  // namespace

void PrintHelpJson(std::ostream& out, std::string_view word) {
  const std::string noun = std::string(word) + " ";
  std::vector<std::string> rows;
  for (const CommandGroup& group : AllCommands())
    for (const CommandSpec& command : group.commands)
      if (word.empty() || command.path == word || command.path.starts_with(noun))
        rows.push_back(CommandJson(group.title, command));
  out << JsonArray(rows) << '\n';
}

void PrintHelp(std::ostream& out, bool colours) {
  out << "dirsync keeps the address books of the sites of an organisation in step.\n\n"
      << Coloured("Examples", Colour::kBold, colours) << '\n'
      << "  dirsync init --store /srv/site1 --organization Testorg --site Site1 --server Server1\n"
      << "  export DIRSYNC_STORE=/srv/site1\n"
      << "  dirsync mailbox add Mailbox11 --display-name \"Mailbox Eleven\"\n"
      << "  dirsync instance set INSTANCE1 --export --export-file SYNC1\n"
      << "  dirsync run INSTANCE1\n"
      << "  dirsync /EXPFULL INSTANCE1             (the spelling of the 1990s works too)\n";
  for (const CommandGroup& group : AllCommands()) {
    out << '\n' << Coloured(group.title, Colour::kBold, colours) << '\n';
    for (const CommandSpec& command : group.commands) PrintRow(out, Usage(command), command.help);
  }
  out << '\n' << Coloured("Options of all commands", Colour::kBold, colours) << '\n';
  for (const OptionSpec& option : GlobalOptionSpecs()) PrintOption(out, option);
  out << "\n`dirsync` alone shows where things stand. `dirsync help COMMAND` shows examples and "
         "options.\n";
}

void PrintCommandHelp(std::ostream& out, const CommandSpec& command, bool colours) {
  out << Coloured("Examples", Colour::kBold, colours) << '\n';
  for (std::string_view example : command.examples) out << "  " << example << '\n';
  out << '\n' << Coloured("Usage", Colour::kBold, colours) << "\n  dirsync " << Usage(command);
  if (!command.options.empty()) out << " [OPTIONS]";
  out << "\n\n" << command.help << '\n';
  if (!command.options.empty()) {
    out << '\n' << Coloured("Options", Colour::kBold, colours) << '\n';
    for (const OptionSpec& option : command.options) PrintOption(out, option);
  }
  out << '\n' << Coloured("Options of all commands", Colour::kBold, colours) << '\n';
  for (const OptionSpec& option : GlobalOptionSpecs())
    if (command.changes || option.name != "--dry-run") PrintOption(out, option);
}

void PrintNounHelp(std::ostream& out, std::string_view noun, bool colours) {
  const std::string prefix = std::string(noun) + " ";
  for (const CommandGroup& group : AllCommands())
    for (const CommandSpec& command : group.commands)
      if (command.path.starts_with(prefix)) PrintRow(out, Usage(command), command.help);
  out << "\n" << Coloured("Examples", Colour::kBold, colours) << '\n';
  for (const CommandGroup& group : AllCommands())
    for (const CommandSpec& command : group.commands)
      if (command.path.starts_with(prefix) && !command.examples.empty())
        out << "  " << command.examples.front() << '\n';
}

}  // namespace dirsync::cli
