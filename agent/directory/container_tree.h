// The containers of a directory as a tree. Reads each container once and remembers it: paths and
// parents of a million entries cost a look-up in memory.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "proto/base/error.h"
#include "proto/base/ids.h"
#include "storage/storage.h"

namespace dirsync {

// Not thread-safe. Zero stands for the site itself, above all containers. Holds at most
// limits::kContainers containers in memory.
class ContainerTree {
 public:
  // `view` must outlive it; containers that change in it must be forgotten here.
  explicit ContainerTree(const storage::ReadView& view) : view_(view) {}

  // Whether `id` is a live container, or zero.
  Result<bool> IsLive(const EntryId& id);
  // Names from the top down to `id`, through deleted containers too; zero: none. Errors: kNotFound:
  // a container above was purged.
  Result<std::vector<std::string>> PathOf(const EntryId& id);
  // Whether `id` is `ancestor` or below it; zero ancestor: always; unknown `id`: never.
  Result<bool> IsWithin(const EntryId& id, const EntryId& ancestor);
  // Containers from the top down to `id`, itself included; zero: 0.
  Result<std::size_t> DepthOf(const EntryId& id);
  // Live containers of the longest way down from `id`, itself included.
  Result<std::size_t> HeightOf(const EntryId& id);

  void Forget(const EntryId& id) { known_.erase(id); }

 private:
  struct Node {
    EntryId parent;
    std::string name;
    bool live = false;
  };
  // nullptr: no such container. Valid until the next call.
  Result<const Node*> Find(const EntryId& id);
  Result<std::size_t> HeightBelow(const EntryId& id, std::size_t levels_left);

  const storage::ReadView& view_;
  std::map<EntryId, Node> known_;
};

}  // namespace dirsync
