#include "agent/core/container_ranks.h"

#include <set>

#include "agent/core/mirror.h"
#include "agent/core/mirror_place.h"
#include "proto/base/limits.h"

namespace dirsync {

Result<> ContainerRanks::Load(const storage::ReadView& view, storage::StreamNumber number) {
  nodes_.clear();
  MirrorRow row;
  auto cursor = view.Scan(storage::MirrorKey(number, 0, EntryId{}),
                          storage::MirrorKey(number, storage::kRecipientRank, EntryId{}));
  for (; cursor->Valid(); cursor->Next()) {
    DIRSYNC_TRY(place, PlaceOf(cursor->Key()));
    DIRSYNC_CHECK(DecodeMirrorInto(cursor->Value(), row));
    nodes_[place.id] = {place.rank, row.told.parent};
  }
  DIRSYNC_CHECK(cursor->status());
  loaded_ = true;
  return {};
}

std::optional<storage::Rank> ContainerRanks::Find(const EntryId& id) const {
  const auto node = nodes_.find(id);
  if (node == nodes_.end()) return std::nullopt;
  return node->second.rank;
}

std::optional<storage::Rank> ContainerRanks::Below(const EntryId& parent) const {
  if (parent.is_zero()) return storage::Rank{1};
  const std::optional<storage::Rank> rank = Find(parent);
  if (!rank || *rank >= limits::kContainerDepth) return std::nullopt;
  return static_cast<storage::Rank>(*rank + 1);
}

void ContainerRanks::Set(const EntryId& id, storage::Rank rank, const EntryId& parent) {
  nodes_[id] = {rank, parent};
}

std::vector<EntryId> ContainerRanks::Descendants(const EntryId& id) const {
  std::multimap<EntryId, EntryId> children;
  for (const auto& [child, node] : nodes_) children.emplace(node.parent, child);
  std::vector<EntryId> found = {id};
  std::set<EntryId> seen = {id};
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto [first, last] = children.equal_range(EntryId(found[i]));
    for (auto child = first; child != last; ++child)
      if (seen.insert(child->second).second) found.push_back(child->second);
  }
  found.erase(found.begin());
  return found;
}

}  // namespace dirsync
