// "Did you mean …?": names or addresses that are held and near to one that is not.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "proto/base/error.h"
#include "proto/base/ids.h"
#include "storage/storage.h"

namespace dirsync {

// Not thread-safe; `view` must outlive it. Reads at most limits::kStepRows index rows in all, from
// places where the nearest ones are likely to be.
class Suggestion {
 public:
  // `word`: as folded in the keys it is compared with.
  Suggestion(const storage::ReadView& view, std::string word);

  // Names right below `parent`.
  Result<> LookAtNames(const EntryId& parent);
  // Addresses of the type of `folded_address`.
  Result<> LookAtAddresses(std::string_view folded_address);

  // Whether all rows that may be read were read.
  bool exhausted() const { return rows_left_ == 0; }

  // "did you mean A, B or C?" in the spelling of the entries; empty if nothing is near.
  Result<std::string> Hint() const;

 private:
  struct Held {
    EntryId id;
    std::string prefix;  // shown before the text; empty: the name of `id` is shown instead
  };
  Result<> Look(const std::string& key_prefix, std::string_view shown_prefix);

  const storage::ReadView& view_;
  std::string word_;
  std::size_t rows_left_;
  std::map<std::string, Held> candidates_;  // by folded text; the first one found
};

}  // namespace dirsync
