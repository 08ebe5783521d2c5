#include "agent/core/run_builder.h"

#include <algorithm>
#include <utility>

namespace dirsync {
namespace {

// Sections of a run; containers stand at kContainers + depth, their deletes at
// kContainerDeletes + 256 - depth.
constexpr unsigned kContainers = 0;
constexpr unsigned kDeletes = 1000;
constexpr unsigned kRecipients = 1001;
constexpr unsigned kContainerDeletes = 2000;

// Bytes on the heap: short strings have none.
std::size_t HeapOf(const std::string& text) { return text.size() < 16 ? 0 : text.size() + 17; }

std::size_t MemoryOf(const Change& change) {
  std::size_t bytes =
      sizeof change + HeapOf(change.name) + HeapOf(change.dn) + HeapOf(change.target_address);
  for (const AttributeChange& attribute : change.attributes) {
    bytes += sizeof attribute + HeapOf(attribute.name) + 16;
    for (const std::string& value : attribute.values) bytes += sizeof(std::string) + HeapOf(value);
  }
  return bytes;
}

}  // namespace

unsigned RunBuilder::SectionOf(const Change& change, const ToldEffect& effect) {
  const bool container = change.entry_class == EntryClass::kContainer;
  if (change.kind != ChangeKind::kDelete)
    return container ? kContainers + effect.rank : kRecipients;
  if (!container || !effect.before) return kDeletes;
  return kContainerDeletes + storage::kRecipientRank - *effect.before;
}

void RunBuilder::Count(const Change& change, bool retarget) {
  ClassTotals& totals = totals_.by_class[change.entry_class];
  switch (change.kind) {
    case ChangeKind::kAdd:
      ++totals.adds;
      break;
    case ChangeKind::kModify:
      ++totals.modifies;
      break;
    case ChangeKind::kRename:
      ++totals.renames;
      break;
    case ChangeKind::kDelete:
      ++totals.deletes;
      break;
  }
  if (retarget && change.kind != ChangeKind::kDelete) ++totals.retargets;
}

void RunBuilder::Add(Change change, ToldEffect effect, bool retarget) {
  // A delete of what was never told answers a reader's question; no gate need weigh it.
  if (change.kind != ChangeKind::kDelete || effect.before) Count(change, retarget);
  bytes_ += MemoryOf(change) + sizeof effect + HeapOf(effect.row);
  ids_.insert(change.id);
  const unsigned section = SectionOf(change, effect);
  items_.push_back({std::move(change), std::move(effect), section});
}

CapturedRun RunBuilder::Take(const RunId& id) {
  std::vector<std::size_t> order(items_.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(order, {}, [this](std::size_t i) { return items_[i].section; });
  CapturedRun run;
  run.changes.reserve(order.size());
  run.effects.reserve(order.size());
  for (std::size_t i : order) {
    run.changes.push_back(std::move(items_[i].change));
    run.effects.push_back(std::move(items_[i].effect));
  }
  run.totals = std::move(totals_);
  run.totals.run = id;
  *this = {};
  return run;
}

}  // namespace dirsync
