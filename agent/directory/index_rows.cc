#include "agent/directory/index_rows.h"

#include <algorithm>

#include "proto/base/text.h"
#include "proto/model/address.h"
#include "proto/model/attribute_table.h"
#include "storage/key.h"

namespace dirsync {
namespace {

Result<> AppendKeys(const Entry& entry, std::string_view attribute,
                    std::vector<std::string>& keys) {
  const Attribute* held = entry.attributes.Find(attribute);
  if (held == nullptr) return {};
  for (const std::string& value : held->values) {
    DIRSYNC_TRY(address, ParseAddress(value));
    keys.push_back(storage::AddressKey(address.Folded()));
  }
  return {};
}

}  // namespace

Result<std::vector<std::string>> AddressKeysOf(const Entry& entry) {
  std::vector<std::string> keys;
  DIRSYNC_CHECK(AppendKeys(entry, attribute::kProxyAddresses, keys));
  if (entry.entry_class == EntryClass::kCustomRecipient)
    DIRSYNC_CHECK(AppendKeys(entry, attribute::kTargetAddress, keys));
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  return keys;
}

std::string NameKeyOf(const Entry& entry) {
  return storage::NameKey(entry.parent, FoldName(entry.name));
}

std::string IdValue(const EntryId& id) { return std::string(id.view()); }

Result<EntryId> ParseIdValue(std::string_view what, std::string_view value) {
  if (auto id = EntryId::FromBytes(value)) return *id;
  return Fail(ErrorCode::kCorrupt, "read " + std::string(what) + " row: its value is no entry id",
              "`dirsync doctor` lists what is damaged; restore from a backup, then resync");
}

EntryId IdAtEnd(std::string_view key) {
  constexpr std::size_t kIdBytes = sizeof(EntryId::bytes);
  return *EntryId::FromBytes(key.substr(key.size() - kIdBytes));
}

}  // namespace dirsync
