// Ranks of the containers of one stream's mirror: rows are keyed by rank, changes name only ids.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "proto/base/error.h"
#include "storage/key.h"
#include "storage/storage.h"

namespace dirsync {

// Read once, then kept in step by its owner: at most limits::kContainers. Not thread-safe.
class ContainerRanks {
 public:
  Result<> Load(const storage::ReadView& view, storage::StreamNumber number);
  bool loaded() const { return loaded_; }

  // nullopt: no container that was told.
  std::optional<storage::Rank> Find(const EntryId& id) const;
  // Rank of a container below `parent` (zero: the top). nullopt: no such parent.
  std::optional<storage::Rank> Below(const EntryId& parent) const;
  void Set(const EntryId& id, storage::Rank rank, const EntryId& parent);
  void Erase(const EntryId& id) { nodes_.erase(id); }
  // All containers below `id`, each behind its parent.
  std::vector<EntryId> Descendants(const EntryId& id) const;

 private:
  struct Node {
    storage::Rank rank = 0;
    EntryId parent;
  };
  bool loaded_ = false;
  std::map<EntryId, Node> nodes_;
};

}  // namespace dirsync
