#include "cli/options.h"

#include <algorithm>

#include "proto/base/text.h"

namespace dirsync::cli {
namespace {

Result<const OptionSpec*> FindOption(std::string_view name, std::span<const OptionSpec> options) {
  auto found = std::ranges::find(options, name, &OptionSpec::name);
  if (found != options.end()) return &*found;
  std::vector<std::string> names;
  for (const OptionSpec& option : options) names.emplace_back(option.name);
  return Fail(ErrorCode::kUsage, "unknown option " + Printable(name) + DidYouMean(name, names));
}

Result<> TakeOption(std::string_view word, const std::string* next, bool& used_next,
                    std::span<const OptionSpec> options, Arguments& arguments) {
  const std::size_t equals = word.find('=');
  const std::string_view name = word.substr(0, equals);
  DIRSYNC_TRY(option, FindOption(name, options));
  const bool repeated = arguments.Has(name);
  if (option->value.empty()) {
    if (equals != std::string_view::npos)
      return Fail(ErrorCode::kUsage, "option " + std::string(name) + " takes no value");
    if (!repeated) arguments.AddValue(name, "");
    return {};
  }
  std::string value;
  if (equals != std::string_view::npos) {
    value = word.substr(equals + 1);
  } else if (next == nullptr || next->starts_with("--")) {
    return Fail(ErrorCode::kUsage,
                "option " + std::string(name) + " needs a value: " + std::string(name) + " " +
                    std::string(option->value),
                "a value that begins with -- is written " + std::string(name) + "=--VALUE");
  } else {
    value = *next;
    used_next = true;
  }
  if (repeated && !option->repeats)
    return Fail(ErrorCode::kUsage, "option " + std::string(name) + " is given twice");
  arguments.AddValue(name, std::move(value));
  return {};
}

}  // namespace

std::optional<std::string> Arguments::Value(std::string_view option) const {
  auto found = values_.find(option);
  if (found == values_.end()) return std::nullopt;
  return found->second.back();
}

std::vector<std::string> Arguments::Values(std::string_view option) const {
  auto found = values_.find(option);
  return found == values_.end() ? std::vector<std::string>() : found->second;
}

std::vector<std::string> Arguments::List(std::string_view option) const {
  std::vector<std::string> all;
  for (const std::string& value : Values(option))
    for (std::string& part : SplitList(value)) all.push_back(std::move(part));
  return all;
}

std::vector<std::string> SplitList(std::string_view text) {
  std::vector<std::string> parts;
  for (std::string_view part : Split(text, ','))
    if (part = TrimBlanks(part); !part.empty()) parts.emplace_back(part);
  return parts;
}

Result<Arguments> ParseArguments(std::span<const std::string> words,
                                 std::span<const OptionSpec> options) {
  Arguments arguments;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "--") {
      for (++i; i < words.size(); ++i) arguments.AddWord(words[i]);
      break;
    }
    if (word.starts_with("--")) {
      bool used_next = false;
      const std::string* next = i + 1 < words.size() ? &words[i + 1] : nullptr;
      DIRSYNC_CHECK(TakeOption(word, next, used_next, options, arguments));
      if (used_next) ++i;
    } else if (word.size() > 1 && word[0] == '-') {
      return Fail(ErrorCode::kUsage, "unknown option " + Printable(word),
                  "options are spelled --name; a name that begins with - follows --");
    } else {
      arguments.AddWord(word);
    }
  }
  return arguments;
}

std::string DidYouMean(std::string_view word, std::span<const std::string> candidates) {
  const std::vector<std::string> near = Nearest(word, candidates);
  return near.empty() ? "" : "; did you mean " + Join(near, " or ") + "?";
}

Result<> CheckContradiction(const Arguments& arguments, std::string_view a, std::string_view b) {
  if (arguments.Has(a) && arguments.Has(b))
    return Fail(ErrorCode::kUsage,
                "options " + std::string(a) + " and " + std::string(b) + " contradict each other",
                "give one of them");
  return {};
}

}  // namespace dirsync::cli
