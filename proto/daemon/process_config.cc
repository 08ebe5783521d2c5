#include "proto/daemon/process_config.h"

#include <toml++/toml.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <optional>
#include <utility>

#include "proto/base/text.h"

namespace dirsync {
namespace {

using Value =
    std::variant<std::string, std::vector<std::string>, dirsync::Duration, std::uint64_t, bool>;

std::string Place(const std::string& name, const toml::source_region& at) {
  return Printable(name) + ":" + std::to_string(at.begin.line) + ":" +
         std::to_string(at.begin.column);
}

std::string_view WantedText(OptionKind kind) {
  switch (kind) {
    case OptionKind::kText:
      return "a text";
    case OptionKind::kTexts:
      return "texts: [\"a\", \"b\"]";
    case OptionKind::kDuration:
      return "a duration, such as \"30s\"";
    case OptionKind::kNumber:
      return "a whole number that is not negative";
    case OptionKind::kSwitch:
      return "true or false";
    case OptionKind::kBytes:
      return "a size, such as \"64MiB\"";
  }
  return "";
}

std::optional<std::vector<std::string>> TextsOf(const toml::node& node) {
  if (const auto one = node.value<std::string>()) return std::vector<std::string>{*one};
  const toml::array* array = node.as_array();
  if (array == nullptr) return std::nullopt;
  std::vector<std::string> texts;
  for (const toml::node& item : *array) {
    const auto text = item.value_exact<std::string>();
    if (!text) return std::nullopt;
    texts.push_back(*text);
  }
  return texts;
}

std::optional<Value> ValueOf(const toml::node& node, OptionKind kind) {
  switch (kind) {
    case OptionKind::kText:
      if (const auto text = node.value_exact<std::string>()) return *text;
      break;
    case OptionKind::kTexts:
      if (auto texts = TextsOf(node)) return std::move(*texts);
      break;
    case OptionKind::kDuration:
      if (node.value_exact<std::int64_t>() == 0) return Duration(0);
      if (const auto text = node.value_exact<std::string>())
        if (const auto duration = ParseDuration(*text)) return *duration;
      break;
    case OptionKind::kNumber:
      if (const auto number = node.value_exact<std::int64_t>(); number && *number >= 0)
        return static_cast<std::uint64_t>(*number);
      break;
    case OptionKind::kSwitch:
      if (const auto on = node.value_exact<bool>()) return *on;
      break;
    case OptionKind::kBytes:
      if (const auto number = node.value_exact<std::int64_t>(); number && *number >= 0)
        return static_cast<std::uint64_t>(*number);
      if (const auto text = node.value_exact<std::string>())
        if (const auto bytes = ParseBytes(*text)) return *bytes;
      break;
  }
  return std::nullopt;
}

// Fallbacks are written as in a file, but texts without quotes.
Value FallbackOf(const ProcessOption& option) {
  switch (option.kind) {
    case OptionKind::kText:
      return std::string(option.fallback);
    case OptionKind::kTexts: {
      std::vector<std::string> texts;
      for (std::string_view text : Split(option.fallback, ','))
        if (!text.empty()) texts.emplace_back(text);
      return texts;
    }
    case OptionKind::kDuration:
      return ParseDuration(option.fallback).value_or(Duration(0));
    case OptionKind::kNumber:
      return ParseNumber(option.fallback).value_or(0);
    case OptionKind::kSwitch:
      return option.fallback == "true";
    case OptionKind::kBytes:
      return ParseBytes(option.fallback).value_or(0);
  }
  return {};
}

}  // namespace

// Walks the tables of one file.
class ConfigReader {
 public:
  ConfigReader(const std::string& name, std::span<const ProcessOption> options,
               ProcessConfig& config)
      : name_(name), options_(options), config_(config) {}

  Result<> Read(const toml::table& table, const std::string& prefix) {
    for (const auto& [key, node] : table) {
      const std::string option = prefix + std::string(key.str());
      const auto row = std::ranges::find(options_, option, &ProcessOption::name);
      if (row == options_.end() && node.is_table() && IsTable(option)) {
        DIRSYNC_CHECK(Read(*node.as_table(), option + "."));
        continue;
      }
      if (row == options_.end())
        return Fail(ErrorCode::kConfiguration,
                    Place(name_, key.source()) + ": unknown option " + Printable(option) +
                        Suggestion(option),
                    "known are: " + Join(Names(), ", "));
      auto value = ValueOf(node, row->kind);
      if (!value)
        return Fail(ErrorCode::kConfiguration, Place(name_, node.source()) + ": " + option +
                                                   " must be " +
                                                   std::string(WantedText(row->kind)));
      config_.given_[option] = std::move(*value);
    }
    return {};
  }

 private:
  bool IsTable(const std::string& name) const {
    return std::ranges::any_of(
        options_, [&](const ProcessOption& option) { return option.name.starts_with(name + "."); });
  }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const ProcessOption& option : options_) names.emplace_back(option.name);
    return names;
  }
  std::string Suggestion(const std::string& option) const {
    const std::vector<std::string> near = Nearest(option, Names());
    return near.empty() ? "" : "; did you mean " + Join(near, " or ") + "?";
  }

  const std::string& name_;
  std::span<const ProcessOption> options_;
  ProcessConfig& config_;
};

ProcessConfig ProcessConfig::Of(std::span<const ProcessOption> options) {
  ProcessConfig config;
  for (const ProcessOption& option : options)
    config.fallbacks_[std::string(option.name)] = FallbackOf(option);
  return config;
}

Result<ProcessConfig> ProcessConfig::Parse(std::string_view text, const std::string& name,
                                           std::span<const ProcessOption> options) {
  ProcessConfig config = Of(options);
  // The library as Debian builds it throws; nothing of that leaves here.
  try {
    const toml::table table = toml::parse(text);
    DIRSYNC_CHECK(ConfigReader(name, options, config).Read(table, ""));
  } catch (const toml::parse_error& error) {
    return Fail(ErrorCode::kConfiguration,
                Place(name, error.source()) + ": " + Printable(error.description()));
  }
  return config;
}

Result<ProcessConfig> ProcessConfig::Load(const std::string& file,
                                          std::span<const ProcessOption> options) {
  std::ifstream in(file, std::ios::binary);
  if (!in)
    return Fail(ErrorCode::kNotFound,
                "reading configuration " + Printable(file) + ": it cannot be opened",
                "check the path and who may read it; `dirsync config show broker` (or agent) "
                "prints one that changes nothing");
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  if (in.bad()) return Fail(ErrorCode::kIo, "reading configuration " + Printable(file));
  return Parse(text, file, options);
}

template <class T>
T ProcessConfig::As(std::string_view name) const {
  for (const auto* values : {&given_, &fallbacks_})
    if (const auto row = values->find(name); row != values->end())
      if (const T* value = std::get_if<T>(&row->second)) return *value;
  return T{};
}

std::string ProcessConfig::Text(std::string_view name) const { return As<std::string>(name); }
std::vector<std::string> ProcessConfig::Texts(std::string_view name) const {
  return As<std::vector<std::string>>(name);
}
Duration ProcessConfig::Duration(std::string_view name) const {
  return As<dirsync::Duration>(name);
}
std::uint64_t ProcessConfig::Number(std::string_view name) const { return As<std::uint64_t>(name); }
bool ProcessConfig::Switch(std::string_view name) const { return As<bool>(name); }

std::optional<Duration> ParseDuration(std::string_view text) {
  constexpr std::pair<std::string_view, std::int64_t> kUnits[] = {
      {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
  if (text == "0") return Duration(0);
  constexpr std::uint64_t kMost = 10'000;  // days, with whatever unit: nothing overflows
  for (const auto& [unit, ms] : kUnits) {
    if (!text.ends_with(unit)) continue;
    const auto number = ParseNumber(text.substr(0, text.size() - unit.size()));
    if (number && *number <= kMost * 86'400'000 / static_cast<std::uint64_t>(ms))
      return Duration(static_cast<std::int64_t>(*number) * ms);
  }
  return std::nullopt;
}

std::optional<std::uint64_t> ParseBytes(std::string_view text) {
  constexpr std::pair<std::string_view, unsigned> kUnits[] = {
      {"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}};
  for (const auto& [unit, shift] : kUnits) {
    if (!text.ends_with(unit)) continue;
    const auto number = ParseNumber(text.substr(0, text.size() - unit.size()));
    if (!number || *number > (std::uint64_t{1} << 62 >> shift)) return std::nullopt;
    return *number << shift;
  }
  return ParseNumber(text);
}

namespace {

// As it would be written in a file.
std::string Written(const ProcessOption& option) {
  std::string fallback(option.fallback);
  switch (option.kind) {
    case OptionKind::kNumber:
    case OptionKind::kSwitch:
      return fallback;
    case OptionKind::kTexts: {
      std::vector<std::string> texts;
      for (const std::string_view text : Split(option.fallback, ','))
        if (!text.empty()) texts.push_back("\"" + std::string(text) + "\"");
      return "[" + Join(texts, ", ") + "]";
    }
    case OptionKind::kDuration:
    case OptionKind::kBytes:
      return fallback == "0" ? fallback : "\"" + fallback + "\"";
    case OptionKind::kText:
      break;
  }
  return "\"" + fallback + "\"";
}

}  // namespace

std::string ConfigText(std::string_view title, std::span<const ProcessOption> options) {
  std::string text = "# " + std::string(title) + "\n";
  std::string table;
  // Options of no table come first: in TOML they would otherwise belong to the one above them.
  for (const bool in_table : {false, true}) {
    for (const ProcessOption& option : options) {
      const std::size_t dot = option.name.find('.');
      if ((dot != std::string_view::npos) != in_table) continue;
      const std::string of(in_table ? option.name.substr(0, dot) : "");
      if (of != table) text += "\n[" + of + "]\n";
      table = of;
      text += "\n# " + std::string(option.help) + "\n";
      if (!option.when.empty()) text += "# Change it " + std::string(option.when) + "\n";
      text += "#" + std::string(in_table ? option.name.substr(dot + 1) : option.name) + " = " +
              Written(option) + "\n";
    }
  }
  return text;
}

}  // namespace dirsync
