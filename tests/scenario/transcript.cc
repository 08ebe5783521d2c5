#include "tests/scenario/transcript.h"

#include <regex>
#include <sstream>

namespace dirsync::scenario {
namespace {

void DropBlankEnd(std::string& text) {
  while (text.ends_with('\n')) text.pop_back();
}

}  // namespace

Transcript ParseTranscript(std::string_view text) {
  Transcript transcript;
  std::string narration;
  bool in_command = false;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("$ ")) {
      transcript.steps.push_back({narration, line.substr(2), ""});
      narration.clear();
      in_command = true;
    } else if (in_command && line.starts_with("> ")) {
      transcript.steps.back().command += "\n" + line.substr(2);
    } else if (line.starts_with("##") || transcript.steps.empty() || !narration.empty()) {
      narration += line + "\n";
      in_command = false;
    } else {
      transcript.steps.back().output += line + "\n";
      in_command = false;
    }
  }
  for (Step& step : transcript.steps) DropBlankEnd(step.output);
  transcript.end = narration;
  return transcript;
}

std::string FormatTranscript(const Transcript& transcript) {
  std::string text;
  for (const Step& step : transcript.steps) {
    if (!step.narration.empty() && !text.empty()) text += "\n";
    text += step.narration;
    std::istringstream lines(step.command);
    std::string mark = "$ ";
    for (std::string line; std::getline(lines, line); mark = "> ") text += mark + line + "\n";
    if (!step.output.empty()) text += step.output + "\n";
  }
  if (!transcript.end.empty()) text += "\n" + transcript.end;
  return text;
}

std::string Neutralizer::NameOf(const std::string& kind, const std::string& text) {
  auto& known = names_[kind];
  auto [place, fresh] = known.emplace(text, "");
  if (fresh) place->second = "<" + kind + "-" + std::to_string(known.size()) + ">";
  return place->second;
}

std::string Neutralizer::Neutral(const std::string& text) {
  std::string whole = text;
  for (std::size_t at = whole.find(folder_); at != std::string::npos; at = whole.find(folder_))
    whole.replace(at, folder_.size(), "<folder>");
  static const std::regex kVolatile(
      "([0-9a-f]{4}(-[0-9a-f]{4}){7})"                             // fingerprint
      "|([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)"  // time
      "|([0-9A-Za-z+/]{86}==|[0-9a-f]{128})"                       // signature
      "|([0-9a-f]{64})"                                            // digest, key
      "|([0-9a-f]{32})"                                            // id, sum
      "|\\b([0-9a-f]{16})\\b"                                      // plan
      "|(process [0-9]+)");
  std::string out;
  auto last = whole.cbegin();
  for (std::sregex_iterator i(whole.begin(), whole.end(), kVolatile), end; i != end; ++i) {
    const std::smatch& match = *i;
    out.append(last, match[0].first);
    if (match[1].matched) out += NameOf("fingerprint", match[0]);
    if (match[3].matched) out += "<time>";
    if (match[4].matched) out += "<signature>";
    if (match[5].matched) out += NameOf("digest", match[0]);
    if (match[6].matched) out += NameOf("id", match[0]);
    if (match[7].matched) out += NameOf("plan", match[0]);
    if (match[8].matched) out += "process <number>";
    last = match[0].second;
  }
  return out.append(last, whole.cend());
}

}  // namespace dirsync::scenario
