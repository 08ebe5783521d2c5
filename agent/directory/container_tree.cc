#include "agent/directory/container_tree.h"

#include <algorithm>

#include "agent/directory/entry_record.h"
#include "agent/directory/index_rows.h"
#include "proto/base/limits.h"
#include "storage/key.h"

namespace dirsync {
namespace {

std::unexpected<Error> Ring(const EntryId& id) {
  return Fail(ErrorCode::kCorrupt, "walk containers of " + id.hex() + ": nested without an end",
              "`dirsync doctor` lists what is damaged; restore from a backup, then resync");
}

}  // namespace

Result<const ContainerTree::Node*> ContainerTree::Find(const EntryId& id) {
  if (const auto known = known_.find(id); known != known_.end()) return &known->second;
  DIRSYNC_TRY(row, view_.Get(storage::EntryKey(id)));
  if (!row) return nullptr;
  DIRSYNC_TRY(entry, DecodeEntry(id, *row));
  if (entry.entry_class != EntryClass::kContainer) return nullptr;
  if (known_.size() >= limits::kContainers) known_.clear();
  Node& node = known_[id];
  node = {entry.parent, std::move(entry.name), !entry.is_deleted()};
  return &node;
}

Result<bool> ContainerTree::IsLive(const EntryId& id) {
  if (id.is_zero()) return true;
  DIRSYNC_TRY(node, Find(id));
  return node != nullptr && node->live;
}

Result<std::vector<std::string>> ContainerTree::PathOf(const EntryId& id) {
  std::vector<std::string> names;
  for (EntryId at = id; !at.is_zero();) {
    if (names.size() > limits::kContainerDepth) return Ring(id);
    DIRSYNC_TRY(node, Find(at));
    if (node == nullptr)
      return Fail(ErrorCode::kNotFound, "name container " + at.hex() + ": purged or never seen");
    names.push_back(node->name);
    at = node->parent;
  }
  std::reverse(names.begin(), names.end());
  return names;
}

Result<bool> ContainerTree::IsWithin(const EntryId& id, const EntryId& ancestor) {
  if (ancestor.is_zero()) return true;
  EntryId at = id;
  for (std::size_t level = 0; !at.is_zero(); ++level) {
    if (at == ancestor) return true;
    if (level > limits::kContainerDepth) return Ring(id);
    DIRSYNC_TRY(node, Find(at));
    if (node == nullptr) return false;
    at = node->parent;
  }
  return false;
}

Result<std::size_t> ContainerTree::DepthOf(const EntryId& id) {
  std::size_t depth = 0;
  for (EntryId at = id; !at.is_zero(); ++depth) {
    if (depth > limits::kContainerDepth) return Ring(id);
    DIRSYNC_TRY(node, Find(at));
    if (node == nullptr) break;
    at = node->parent;
  }
  return depth;
}

Result<std::size_t> ContainerTree::HeightOf(const EntryId& id) {
  return HeightBelow(id, limits::kContainerDepth);
}

Result<std::size_t> ContainerTree::HeightBelow(const EntryId& id, std::size_t levels_left) {
  if (levels_left == 0) return Ring(id);
  std::size_t height = 0;
  std::string prefix = storage::ContainerKey(id, EntryId{});
  prefix.resize(prefix.size() - sizeof(EntryId::bytes));
  const auto [lower, upper] = storage::PrefixRange(std::move(prefix));
  const auto cursor = view_.Scan(lower, upper);
  for (; cursor->Valid(); cursor->Next()) {
    DIRSYNC_TRY(below, HeightBelow(IdAtEnd(cursor->Key()), levels_left - 1));
    height = std::max(height, below);
  }
  DIRSYNC_CHECK(cursor->status());
  return height + 1;
}

}  // namespace dirsync
