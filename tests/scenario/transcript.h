// Text transcripts: commands as they are typed, and what they print.
//
//   ## Narration, for the reader only.
//   $ dirsync list
//   NAME       CLASS
//   …
//   $ dirsync show NOBODY
//   error: …
//   [exit 1]
//
// "> " lines right behind a command go on with it. Trailing blank lines of an output do not count.
// `cd` and `export` (alone on their line) stay in force for the commands below them.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace dirsync::scenario {

struct Step {
  std::string narration;  // lines before the command, as written
  std::string command;    // lines joined by "\n"
  std::string output;     // with "[exit N]" at its end when N is not 0; no trailing blank lines
};

struct Transcript {
  std::vector<Step> steps;
  std::string end;  // narration behind the last output
};

Transcript ParseTranscript(std::string_view text);
std::string FormatTranscript(const Transcript& transcript);

// Replaces what differs from run to run: ids, digests, fingerprints, times, the folder. The same
// thing gets the same name throughout one transcript: <id-1>, <id-2> …
class Neutralizer {
 public:
  explicit Neutralizer(std::string folder) : folder_(std::move(folder)) {}
  std::string Neutral(const std::string& text);

 private:
  std::string NameOf(const std::string& kind, const std::string& text);
  std::string folder_;
  std::map<std::string, std::map<std::string, std::string>> names_;
};

}  // namespace dirsync::scenario
