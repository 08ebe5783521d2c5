#include "proto/model/filter_term.h"

#include <algorithm>

#include "proto/base/text.h"

namespace dirsync {

bool FilterTerm::Matches(const Entry& entry) const {
  const auto matches = [&entry](const FilterTerm& term) { return term.Matches(entry); };
  switch (operation) {
    case FilterOperation::kAnd:
      return std::all_of(terms.begin(), terms.end(), matches);
    case FilterOperation::kOr:
      return std::any_of(terms.begin(), terms.end(), matches);
    case FilterOperation::kNot:
      return !terms.front().Matches(entry);
    default:
      return MatchesSubject(entry);
  }
}

bool FilterTerm::MatchesSubject(const Entry& entry) const {
  switch (subject) {
    case FilterSubject::kCommonName:
      return MatchesValue(entry.name);
    case FilterSubject::kClass:
      if (operation == FilterOperation::kEqual) return entry.entry_class == entry_class;
      return MatchesValue(ClassName(entry.entry_class));
    case FilterSubject::kUsnCreated:
      return MatchesValue(std::to_string(entry.usn_created));
    case FilterSubject::kUsnChanged:
      return MatchesValue(std::to_string(entry.usn_changed));
    case FilterSubject::kAttribute:
      break;
  }
  const Attribute* found = entry.attributes.Find(attribute);
  if (found == nullptr) return false;
  return std::any_of(found->values.begin(), found->values.end(),
                     [this](const std::string& raw) { return MatchesValue(raw); });
}

bool FilterTerm::MatchesValue(std::string_view raw) const {
  if (operation == FilterOperation::kPresent) return true;
  std::string folded;
  if (!binary) folded = FoldName(raw);
  const std::string_view text = binary ? raw : std::string_view(folded);
  switch (operation) {
    case FilterOperation::kEqual:
      return text == value;
    case FilterOperation::kSubstring:
      return MatchesSubstring(text);
    default:
      return MatchesOrder(text);
  }
}

bool FilterTerm::MatchesOrder(std::string_view text) const {
  const bool at_least = operation == FilterOperation::kAtLeast;
  const std::optional<std::uint64_t> held = number ? ParseNumber(text) : std::nullopt;
  if (held) return at_least ? *held >= *number : *held <= *number;
  return at_least ? text >= value : text <= value;
}

bool FilterTerm::MatchesSubstring(std::string_view text) const {
  if (text.size() < initial.size() + last.size()) return false;
  if (!text.starts_with(initial) || !text.ends_with(last)) return false;
  text.remove_prefix(initial.size());
  text.remove_suffix(last.size());
  for (const std::string& part : middle) {
    const std::size_t at = text.find(part);
    if (at == std::string_view::npos) return false;
    text.remove_prefix(at + part.size());
  }
  return true;
}

}  // namespace dirsync
