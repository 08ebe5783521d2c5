// Words of a command line by a declared list of options: `--name value`, `--name=value`, flags,
// repeatable ones, positional words.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/base/error.h"

namespace dirsync::cli {

struct OptionSpec {
  std::string_view name;   // "--display-name"
  std::string_view value;  // what help calls its value, "NAME"; empty: a flag
  std::string_view help;
  bool repeats = false;
};

// What was given. Options are known by the names of their specs.
class Arguments {
 public:
  const std::vector<std::string>& words() const { return words_; }
  bool Has(std::string_view option) const { return values_.contains(option); }
  // The only or last value; nullopt: not given.
  std::optional<std::string> Value(std::string_view option) const;
  // All values in order.
  std::vector<std::string> Values(std::string_view option) const;
  // All values, each split at commas, blanks around parts and empty parts dropped.
  std::vector<std::string> List(std::string_view option) const;

  void AddWord(std::string word) { words_.push_back(std::move(word)); }
  void AddValue(std::string_view option, std::string value) {
    values_[std::string(option)].push_back(std::move(value));
  }

 private:
  std::vector<std::string> words_;
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
};

// Cleans "a, b,,c" to its parts.
std::vector<std::string> SplitList(std::string_view text);

// Errors, all kUsage: unknown option (with the nearest ones), value missing or not wanted, an
// option given twice that does not repeat. "--" ends the options.
Result<Arguments> ParseArguments(std::span<const std::string> words,
                                 std::span<const OptionSpec> options);

// "; did you mean a or b?" or nothing.
std::string DidYouMean(std::string_view word, std::span<const std::string> candidates);

// kUsage when both flags of a pair are given.
Result<> CheckContradiction(const Arguments& arguments, std::string_view a, std::string_view b);

}  // namespace dirsync::cli
