#include "proto/model/entry.h"

#include <algorithm>

#include "proto/base/text.h"

namespace dirsync {
namespace {

struct ClassSpelling {
  std::string_view text;
  EntryClass entry_class;
};
// Canonical spellings first, those of the original tool behind them.
constexpr ClassSpelling kSpellings[] = {
    {"container", EntryClass::kContainer},
    {"mailbox", EntryClass::kMailbox},
    {"custom-recipient", EntryClass::kCustomRecipient},
    {"distribution-list", EntryClass::kDistributionList},
    {"remote", EntryClass::kCustomRecipient},
    {"remote-address", EntryClass::kCustomRecipient},
    {"dl", EntryClass::kDistributionList},
};

bool NameLess(const Attribute& attribute, std::string_view name) { return attribute.name < name; }

}  // namespace

std::string_view ClassName(EntryClass entry_class) {
  for (const ClassSpelling& spelling : kSpellings)
    if (spelling.entry_class == entry_class) return spelling.text;
  return "unknown";
}

std::optional<EntryClass> ParseClass(std::string_view text) {
  for (const ClassSpelling& spelling : kSpellings)
    if (EqualsIgnoreCase(spelling.text, text)) return spelling.entry_class;
  return std::nullopt;
}

const Attribute* Attributes::Find(std::string_view name) const {
  const auto at = std::lower_bound(list_.begin(), list_.end(), name, NameLess);
  return at != list_.end() && at->name == name ? &*at : nullptr;
}

std::string_view Attributes::First(std::string_view name) const {
  const Attribute* attribute = Find(name);
  if (attribute == nullptr || attribute->values.empty()) return {};
  return attribute->values.front();
}

void Attributes::Set(std::string_view name, std::vector<std::string> values) {
  if (values.empty()) {
    Erase(name);
    return;
  }
  const auto at = std::lower_bound(list_.begin(), list_.end(), name, NameLess);
  if (at != list_.end() && at->name == name) {
    at->values = std::move(values);
  } else {
    list_.insert(at, Attribute{std::string(name), std::move(values)});
  }
}

void Attributes::Erase(std::string_view name) {
  const auto at = std::lower_bound(list_.begin(), list_.end(), name, NameLess);
  if (at != list_.end() && at->name == name) list_.erase(at);
}

std::string Reference::ToString() const { return site + "/" + id.hex(); }

std::optional<Reference> Reference::Parse(std::string_view text) {
  // From the end: a site's name may hold a '/'.
  const std::size_t slash = text.rfind('/');
  if (slash == std::string_view::npos || slash == 0) return std::nullopt;
  const std::optional<EntryId> id = EntryId::FromHex(text.substr(slash + 1));
  if (!id) return std::nullopt;
  return Reference{std::string(text.substr(0, slash)), *id};
}

}  // namespace dirsync
