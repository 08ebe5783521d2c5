// The told table: what this stream has told of each entry (R27).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "proto/base/error.h"
#include "proto/base/time.h"
#include "proto/model/change.h"
#include "storage/key.h"
#include "storage/storage.h"

namespace dirsync {

struct ToldRow {
  Version version;  // of the batch that told it last
  Instant time{};
  ToldState state;
  // For deletes of what is no longer there: the RDN value and, of entries at the top of the scope
  // (state.parent zero), the container they stood in; else container equals state.parent.
  std::string name;
  EntryId container;
  auto operator<=>(const ToldRow&) const = default;
};

// Bytes: storage/FORMAT.md, Values. Decoding errors: kCorrupt.
std::string EncodeTold(const ToldRow& row);
Result<ToldRow> DecodeTold(std::string_view value);
// Into `row`, reusing its memory.
Result<> DecodeToldInto(std::string_view value, ToldRow& row);
// Puts version and time into an encoded row: they are known only when its batch is numbered.
// REQUIRES `value` made by EncodeTold.
void StampTold(const Version& version, Instant time, std::string& value);

// State that a whole change (kAdd) tells.
ToldState StateOf(const HashKey& key, const Change& whole);
// Into `state`, reusing its memory.
void StateInto(const HashKey& key, const Change& whole, ToldState& state);
// Whether StateOf(key, whole) == state, without building it.
bool IsStateOf(const HashKey& key, const Change& whole, const ToldState& state);
// What must be told so that a reader of `before` holds `after`; nullopt: nothing differs.
// `whole` is the kAdd of `after`, from which values are taken. Another class is told whole (kAdd).
std::optional<Change> Difference(const ToldState& before, const ToldState& after,
                                 const Change& whole);
// The state after a kModify, kRename or kAdd was told to one who holds `before`.
// A kModify or kRename without target address leaves it. kAdd and kRemove of single values need the
// full list and are refused, as are deletes and unknown kinds: kInvalid.
Result<ToldState> StateAfter(const HashKey& key, const ToldState& before, const Change& change);

}  // namespace dirsync
