#include "agent/directory/suggestion.h"

#include <algorithm>
#include <vector>

#include "agent/directory/entry_record.h"
#include "agent/directory/index_rows.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "storage/key.h"

namespace dirsync {
namespace {

constexpr std::size_t kPlaces = 5;

}  // namespace

Suggestion::Suggestion(const storage::ReadView& view, std::string word)
    : view_(view), word_(std::move(word)), rows_left_(limits::kStepRows) {}

Result<> Suggestion::LookAtNames(const EntryId& parent) {
  return Look(storage::NameKey(parent, {}), {});
}

Result<> Suggestion::LookAtAddresses(std::string_view folded_address) {
  const std::string_view type = folded_address.substr(0, folded_address.find(':') + 1);
  word_ = folded_address.substr(type.size());
  return Look(storage::AddressKey(type), type);
}

Result<> Suggestion::Look(const std::string& key_prefix, std::string_view shown_prefix) {
  const auto [lower, upper] = storage::PrefixRange(key_prefix);
  const auto cursor = view_.Scan(lower, upper);
  const std::size_t size = word_.size();
  // A slip in the last letters is found behind the whole beginning, one in the first letters only
  // from the top.
  const std::size_t places[kPlaces] = {size > 1 ? size - 1 : 0, size > 2 ? size - 2 : 0, size / 2,
                                       std::min<std::size_t>(size, 1), 0};
  for (std::size_t place : places) {
    std::size_t rows = std::min(rows_left_, limits::kStepRows / kPlaces);
    cursor->Seek(key_prefix + word_.substr(0, place));
    for (; cursor->Valid() && rows > 0; cursor->Next(), --rows, --rows_left_) {
      DIRSYNC_TRY(id, ParseIdValue("index", cursor->Value()));
      candidates_.try_emplace(std::string(cursor->Key().substr(key_prefix.size())),
                              Held{id, std::string(shown_prefix)});
    }
    DIRSYNC_CHECK(cursor->status());
  }
  return {};
}

Result<std::string> Suggestion::Hint() const {
  std::vector<std::string> texts;
  texts.reserve(candidates_.size());
  for (const auto& [text, held] : candidates_) texts.push_back(text);
  std::vector<std::string> shown;
  for (const std::string& text : Nearest(word_, texts)) {
    const Held& held = candidates_.at(text);
    if (!held.prefix.empty()) {
      shown.push_back(Printable(held.prefix + text));
      continue;
    }
    DIRSYNC_TRY(row, view_.Get(storage::EntryKey(held.id)));
    if (!row) continue;
    DIRSYNC_TRY(entry, DecodeEntry(held.id, *row));
    shown.push_back(Printable(entry.name));
  }
  if (shown.empty()) return std::string();
  std::string last = std::move(shown.back());
  shown.pop_back();
  return "did you mean " + (shown.empty() ? last : Join(shown, ", ") + " or " + last) + "?";
}

}  // namespace dirsync
