#include "cli/completion.h"

#include <algorithm>
#include <map>
#include <vector>

#include "cli/command.h"
#include "proto/base/text.h"
#include "proto/base/utf8.h"

namespace dirsync::cli {
namespace {

// First words in the order of the table, each with its second words; none: a command of one word.
struct Noun {
  std::string word;
  std::vector<const CommandSpec*> verbs;  // commands of two words
  const CommandSpec* alone = nullptr;     // the command of one word
};

std::vector<Noun> Nouns() {
  std::vector<Noun> nouns;
  std::map<std::string, std::size_t, std::less<>> known;
  for (const CommandGroup& group : AllCommands())
    for (const CommandSpec& command : group.commands) {
      const auto words = Split(command.path, ' ');
      const auto [found, added] = known.try_emplace(std::string(words[0]), nouns.size());
      if (added) nouns.push_back({std::string(words[0]), {}, nullptr});
      Noun& noun = nouns[found->second];
      if (words.size() > 1) {
        noun.verbs.push_back(&command);
      } else {
        noun.alone = &command;
      }
    }
  return nouns;
}

std::string_view VerbOf(const CommandSpec& command) { return Split(command.path, ' ').back(); }

std::string OptionNames(const CommandSpec& command) {
  std::string names;
  for (const OptionSpec& option : OptionsOf(command))
    names.append(names.empty() ? "" : " ").append(option.name);
  return names;
}

// Between single quotes of any of the three shells.
std::string Quotable(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '\'') {
      out += "’";
    } else {
      out += c;
    }
  }
  return out;
}

template <class F>
void ForEachCommand(F&& use) {
  for (const CommandGroup& group : AllCommands())
    for (const CommandSpec& command : group.commands) use(command);
}

std::string Bash() {
  std::string out =
      "# Completion of dirsync for bash; written by: dirsync completion bash\n"
      "_dirsync() {\n"
      "  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}\n"
      "  local words=() i choices\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    case ${COMP_WORDS[i]} in\n"
      "      --store) ((i++)) ;;\n"
      "      -*) ;;\n"
      "      *) words+=(\"${COMP_WORDS[i]}\") ;;\n"
      "    esac\n"
      "  done\n"
      "  COMPREPLY=()\n"
      "  if [[ $previous == --store ]]; then\n"
      "    mapfile -t COMPREPLY < <(compgen -d -- \"$current\")\n"
      "    return\n"
      "  fi\n"
      "  case \"${words[*]:0:2}\" in\n"
      "    '') choices='";
  for (const Noun& noun : Nouns()) out += noun.word + " ";
  for (const OptionSpec& option : GlobalOptionSpecs()) out.append(option.name).append(" ");
  out += "' ;;\n";
  for (const Noun& noun : Nouns()) {
    if (noun.verbs.empty()) continue;
    out += "    " + noun.word + ") choices='";
    for (const CommandSpec* verb : noun.verbs) out.append(VerbOf(*verb)).append(" ");
    out += "' ;;\n";
  }
  ForEachCommand([&](const CommandSpec& command) {
    const bool two = command.path.find(' ') != std::string_view::npos;
    const std::string path(command.path);
    out += two ? "    '" + path + "'" : "    " + path + " | '" + path + " '*";
    out += ") choices='" + OptionNames(command) + "' ;;\n";
  });
  return out +
         "    *) choices='' ;;\n"
         "  esac\n"
         "  mapfile -t COMPREPLY < <(compgen -W \"$choices\" -- \"$current\")\n"
         "  [[ ${#COMPREPLY[@]} -gt 0 ]] || mapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
         "}\n"
         "complete -o filenames -F _dirsync dirsync\n";
}

// "name:help" with the colons that _describe would split at escaped.
std::string ZshItem(std::string_view name, std::string_view help) {
  std::string item = "'" + std::string(name) + ":";
  for (char c : Quotable(help)) item += c == ':' ? "\\:" : std::string(1, c);
  return item + "' ";
}

std::string Zsh() {
  std::string out =
      "#compdef dirsync\n"
      "# Completion of dirsync for zsh; written by: dirsync completion zsh\n"
      "local -a found plain\n"
      "local word\n"
      "for word in ${words[2,CURRENT-1]}; do\n"
      "  [[ $word == -* ]] || plain+=($word)\n"
      "done\n"
      "case \"${plain[1,2]}\" in\n"
      "  '') found=(";
  for (const Noun& noun : Nouns())
    out += ZshItem(noun.word, noun.alone != nullptr ? noun.alone->help : "commands on it");
  out += ") ;;\n";
  for (const Noun& noun : Nouns()) {
    if (noun.verbs.empty()) continue;
    out += "  " + noun.word + ") found=(";
    for (const CommandSpec* verb : noun.verbs) out += ZshItem(VerbOf(*verb), verb->help);
    out += ") ;;\n";
  }
  ForEachCommand([&](const CommandSpec& command) {
    const bool two = command.path.find(' ') != std::string_view::npos;
    const std::string path(command.path);
    out += two ? "  '" + path + "'" : "  " + path + "|'" + path + " '*";
    out += ") found=(";
    for (const OptionSpec& option : OptionsOf(command)) out += ZshItem(option.name, option.help);
    out += ") ;;\n";
  });
  return out + "esac\n_describe dirsync found\n_files\n";
}

std::string Fish() {
  std::string out =
      "# Completion of dirsync for fish; written by: dirsync completion fish\n"
      "function __dirsync_at\n"
      "  set -l plain (string match -v -- '-*' (commandline -opc)[2..-1])\n"
      "  test \"$plain[1..2]\" = \"$argv\"; or test \"$plain[1]\" = \"$argv\"\n"
      "end\n"
      "function __dirsync_new\n"
      "  test (count (string match -v -- '-*' (commandline -opc)[2..-1])) -eq 0\n"
      "end\n"
      "function __dirsync_only\n"
      "  set -l plain (string match -v -- '-*' (commandline -opc)[2..-1])\n"
      "  test \"$plain\" = \"$argv\"\n"
      "end\n";
  for (const Noun& noun : Nouns()) {
    out += "complete -c dirsync -n __dirsync_new -f -a " + noun.word;
    if (noun.alone != nullptr) out += " -d '" + Quotable(noun.alone->help) + "'";
    out += "\n";
    for (const CommandSpec* verb : noun.verbs)
      out += "complete -c dirsync -n '__dirsync_only " + noun.word + "' -f -a " +
             std::string(VerbOf(*verb)) + " -d '" + Quotable(verb->help) + "'\n";
  }
  ForEachCommand([&](const CommandSpec& command) {
    for (const OptionSpec& option : OptionsOf(command))
      out += "complete -c dirsync -n '__dirsync_at " + std::string(command.path) + "' -l " +
             std::string(option.name.substr(2)) + (option.value.empty() ? "" : " -r") + " -d '" +
             Quotable(option.help) + "'\n";
  });
  return out;
}

// ---- manual ----

// "\[u2026]": troff without preconv reads ASCII only.
std::string TroffCharacter(const Utf8Character& character) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string digits;
  for (std::uint32_t rest = character.point; rest > 0 || digits.size() < 4; rest >>= 4)
    digits.insert(digits.begin(), kDigits[rest & 15]);
  return "\\[u" + digits + "]";
}

std::string Troff(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const Utf8Character character = FirstCharacter(text);
    const std::size_t size = std::max<std::size_t>(character.size, 1);
    if (text.front() == '\\') {
      out += "\\e";
    } else if (text.front() == '-') {
      out += "\\-";
    } else if (size > 1) {
      out += TroffCharacter(character);
    } else {
      out += text.front();
    }
    text.remove_prefix(size);
  }
  if (out.starts_with('.') || out.starts_with('\'')) out.insert(0, "\\&");
  return out;
}

void AddOption(std::string& out, const OptionSpec& option) {
  out.append(".TP\n.B ").append(Troff(option.name));
  if (!option.value.empty()) out.append(" \\fI").append(Troff(option.value)).append("\\fR");
  if (option.repeats) out.append(Troff(" …"));
  out.append("\n").append(Troff(option.help)).append("\n");
}

void AddCommand(std::string& out, const CommandSpec& command) {
  out.append(".SS dirsync ").append(Troff(command.path));
  if (!command.arguments.empty()) out.append(" ").append(Troff(command.arguments));
  out.append("\n").append(Troff(command.help)).append(".\n");
  for (const OptionSpec& option : command.options) AddOption(out, option);
  if (command.examples.empty()) return;
  out += ".PP\n.nf\n";
  for (std::string_view example : command.examples)
    out.append("    ").append(Troff(example)).append("\n");
  out += ".fi\n";
}

}  // namespace

std::optional<std::string> CompletionScript(std::string_view shell) {
  if (shell == "bash") return Bash();
  if (shell == "zsh") return Zsh();
  if (shell == "fish") return Fish();
  return std::nullopt;
}

std::string ManualPage() {
  std::string out =
      ".\\\" Written by: dirsync man\n"
      ".TH DIRSYNC 1 \"\" dirsync \"User commands\"\n"
      ".SH NAME\n"
      "dirsync \\- keep the address books of the sites of an organisation in step\n"
      ".SH SYNOPSIS\n"
      ".B dirsync\n"
      "[\\fICOMMAND\\fR [\\fIOPTIONS\\fR]]\n"
      ".SH DESCRIPTION\n"
      "Every site of an organisation has a directory with its people.\n"
      ".B dirsync\n"
      "shows the people of every site in the address book of every other site, and keeps them in\n"
      "step. Without a command it shows where things stand and what comes next. The spelling of\n"
      "the 1990s is understood too: dirsync /EXPFULL INSTANCE1.\n"
      ".SH OPTIONS OF ALL COMMANDS\n";
  for (const OptionSpec& option : GlobalOptionSpecs()) AddOption(out, option);
  for (const CommandGroup& group : AllCommands()) {
    out.append(".SH ").append(ToUpperAscii(Troff(group.title))).append("\n");
    for (const CommandSpec& command : group.commands) AddCommand(out, command);
  }
  return out +
         ".SH EXIT STATUS\n"
         "0 done; 1 another failure; 2 usage; 3 configuration; 4 unreachable; 5 temporary;\n"
         "6 not permitted; 7 done in part; 8 refused by a safety guard; 11 locked; 12 key or\n"
         "signature refused; 130 interrupted. A script treats any other as a failure.\n"
         ".B dirsync check\n"
         "alone answers 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.\n"
         ".SH ENVIRONMENT\n"
         ".TP\n.B DIRSYNC_STORE\n"
         "folder of the store, where \\-\\-store is not given\n"
         ".TP\n.B NO_COLOR\n"
         "no colours, if set\n";
}

}  // namespace dirsync::cli
