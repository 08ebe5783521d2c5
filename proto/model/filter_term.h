// One node of a filter's tree: a junction of others, or a test of one attribute.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/model/entry.h"

namespace dirsync {

enum class FilterOperation : std::uint8_t {
  kAnd,  // of `terms`; true if none
  kOr,   // of `terms`; false if none
  kNot,  // of the one in `terms`
  kPresent,
  kEqual,      // also ~=
  kAtLeast,    // >=
  kAtMost,     // <=
  kSubstring,  // `initial`, then `middle` in order, then `last`
};

// Where the values come from.
enum class FilterSubject : std::uint8_t {
  kAttribute,
  kCommonName,
  kClass,
  kUsnCreated,
  kUsnChanged
};

// A value. Matches is const and thread-safe; its depth of calls is the depth of the tree.
struct FilterTerm {
  FilterOperation operation = FilterOperation::kAnd;
  FilterSubject subject = FilterSubject::kAttribute;
  std::vector<FilterTerm> terms;

  std::string attribute;  // canonical name
  bool binary = false;    // compared byte by byte; else all texts below are folded
  std::string value;
  std::optional<std::uint64_t> number;    // of `value`, if it is one
  std::optional<EntryClass> entry_class;  // of `value`, if the subject is kClass
  std::string initial;
  std::vector<std::string> middle;
  std::string last;

  // By the rules of Filter::Matches.
  bool Matches(const Entry& entry) const;

 private:
  bool MatchesSubject(const Entry& entry) const;
  bool MatchesValue(std::string_view raw) const;
  bool MatchesOrder(std::string_view text) const;
  bool MatchesSubstring(std::string_view text) const;
};

}  // namespace dirsync
