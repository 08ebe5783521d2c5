// Runs transcripts and compares: run_scenario [--rewrite] [--with-agent] DIRSYNC TRANSCRIPT…
// Each transcript has a new folder of its own; DIRSYNC's folder is first on the PATH. With agents,
// one has each store open from its making on, and the same must be printed.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "tests/scenario/agents.h"
#include "tests/scenario/transcript.h"

namespace {

using namespace dirsync::scenario;
namespace fs = std::filesystem;

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string Quoted(const std::string& text) {
  std::string out = "'";
  for (char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

// Output of both streams and, if it is not 0, the exit status.
std::string Execute(const std::string& script) {
  const std::string command = "bash -c " + Quoted(script) + " </dev/null 2>&1";
  std::FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return "[cannot run bash]";
  std::string out;
  char buffer[4096];
  for (std::size_t got = 0; (got = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;)
    out.append(buffer, got);
  const int status = pclose(pipe);
  while (out.ends_with('\n')) out.pop_back();
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  if (code != 0) out += (out.empty() ? "[exit " : "\n[exit ") + std::to_string(code) + "]";
  return out;
}

bool IsPrelude(const std::string& command) {
  return command.find('\n') == std::string::npos && command.find(';') == std::string::npos &&
         (command.starts_with("cd ") || command.starts_with("export "));
}

// In a narration: what follows is about stores that no process has open.
constexpr std::string_view kNoAgents = "(no agents from here)";

struct Choice {
  bool rewrite = false;
  bool with_agent = false;
  std::string dirsync;
};

// Returns the number of steps that differ.
int RunTranscript(const std::string& path, const Choice& choice) {
  Transcript transcript = ParseTranscript(ReadFile(path));
  // Not where TMPDIR says: a table is as wide as the path in it.
  std::string pattern = "/tmp/dirsync-scenario-XXXXXX";
  if (transcript.steps.empty() || mkdtemp(pattern.data()) == nullptr) {
    std::cout << path << ": no steps, or no temporary folder\n";
    return 1;
  }
  Neutralizer neutralizer(pattern);
  std::string prelude = "cd " + Quoted(pattern) + "\n";
  int differences = 0;
  std::string logs = (fs::temp_directory_path() / "dirsync-agents-XXXXXX").string();
  if (mkdtemp(logs.data()) == nullptr) return 1;
  Agents agents(choice.dirsync, logs);
  bool with_agent = choice.with_agent;
  for (Step& step : transcript.steps) {
    if (step.narration.find(kNoAgents) != std::string::npos) {
      with_agent = false;
      differences += agents.Stop() ? 0 : 1;
    }
    if (IsPrelude(step.command)) prelude += step.command + "\n";
    const std::string output =
        neutralizer.Neutral(Execute(IsPrelude(step.command) ? prelude : prelude + step.command));
    if (with_agent && !agents.Follow(pattern)) {
      std::cout << path << ":\n$ " << step.command << "\nafter it, an agent does not serve\n";
      ++differences;
    }
    if (output == step.output) continue;
    ++differences;
    if (!choice.rewrite)
      std::cout << path << ":\n$ " << step.command << "\n--- expected\n"
                << step.output << "\n--- printed\n"
                << output << "\n---\n";
    step.output = output;
  }
  if (!agents.Stop()) {
    std::cout << path << ": an agent did not leave cleanly\n";
    ++differences;
  }
  std::error_code ignored;
  fs::permissions(pattern, fs::perms::owner_all, ignored);
  fs::remove_all(pattern, ignored);
  fs::remove_all(logs, ignored);
  if (choice.rewrite) std::ofstream(path, std::ios::binary) << FormatTranscript(transcript);
  return differences;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  Choice choice;
  choice.rewrite = std::erase(words, "--rewrite") > 0;
  choice.with_agent = std::erase(words, "--with-agent") > 0;
  if (words.size() < 2) {
    std::cerr << "usage: run_scenario [--rewrite] [--with-agent] DIRSYNC TRANSCRIPT…\n";
    return 2;
  }
  choice.dirsync = fs::absolute(words.front()).string();
  const std::string path = fs::path(choice.dirsync).parent_path().string() + ":" +
                           (std::getenv("PATH") == nullptr ? "" : std::getenv("PATH"));
  setenv("PATH", path.c_str(), 1);
  setenv("LC_ALL", "C.UTF-8", 1);
  setenv("TZ", "UTC", 1);
  for (const char* name : {"DIRSYNC_STORE", "DIRSYNC_KILL_AT", "NO_COLOR"}) unsetenv(name);
  int differences = 0;
  for (std::size_t i = 1; i < words.size(); ++i)
    differences += RunTranscript(fs::absolute(words[i]).string(), choice);
  if (differences > 0 && !choice.rewrite) std::cout << differences << " steps differ\n";
  return differences > 0 && !choice.rewrite ? 1 : 0;
}
