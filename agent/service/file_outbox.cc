#include "agent/service/file_outbox.h"

#include <algorithm>
#include <set>

#include "proto/base/bytes.h"
#include "proto/base/text.h"

namespace dirsync {
namespace {

constexpr std::uint8_t kRowVersion = 1;

std::string Encode(const OutboxFile& file) {
  std::string row;
  RowWriter out(row);
  out.U8(kRowVersion);
  out.Bytes(file.path);
  out.Varint(file.last);
  out.U8(static_cast<std::uint8_t>((file.full ? 1 : 0) | (file.empty ? 2 : 0) |
                                   (file.pending ? 4 : 0)));
  return row;
}

Result<OutboxFile> Decode(std::string_view row) {
  RowReader in(row);
  OutboxFile file;
  std::uint8_t version = in.U8();
  file.path = in.Bytes();
  file.last = in.Varint();
  std::uint8_t flags = in.U8();
  file.full = (flags & 1) != 0;
  file.empty = (flags & 2) != 0;
  file.pending = (flags & 4) != 0;
  if (!in.ok() || !in.at_end() || version != kRowVersion)
    return Fail(ErrorCode::kCorrupt, "reading a file outbox row: malformed");
  return file;
}

// The N of "path.N"; 1 for path itself; 0 for anything else.
std::uint64_t NumberIn(const std::string& file, const std::string& path) {
  if (file == path) return 1;
  if (!file.starts_with(path + ".")) return 0;
  return ParseNumber(std::string_view(file).substr(path.size() + 1)).value_or(0);
}

// Whether files of one would come to stand where those of the other are.
bool SamePlace(const std::string& a, const std::string& b) {
  return !a.empty() && !b.empty() && (NumberIn(a, b) != 0 || NumberIn(b, a) != 0);
}

// Whether `instance` exports to `path`, or has put a file there.
Result<bool> Takes(const storage::ReadView& view, const InstanceSettings& instance,
                   const std::string& path) {
  if (instance.exports && SamePlace(path, instance.export_file)) return true;
  DIRSYNC_TRY(number, FindNumber(view, "export/" + FoldName(instance.name)));
  if (!number) return false;
  DIRSYNC_TRY(files, ListOutboxFiles(view, *number));
  return std::ranges::any_of(files,
                             [&](const OutboxFile& file) { return SamePlace(path, file.path); });
}

std::string CarriedKey(const ProducerState& state) {
  return storage::MetaKey("carried/" + std::to_string(state.number));
}

}  // namespace

Result<Sequence> CarriedSequence(const storage::ReadView& view, const ProducerState& state,
                                 const std::string& path) {
  DIRSYNC_TRY(row, view.Get(CarriedKey(state)));
  Sequence carried = state.sequence;
  if (row) {
    RowReader in(*row);
    const EpochId epoch = in.Id<EpochId>();
    carried = in.Varint();
    if (!in.ok() || !in.at_end())
      return Fail(ErrorCode::kCorrupt, "reading how far files were put out: malformed");
    if (epoch != state.epoch.id) return Sequence{0};
  }
  DIRSYNC_TRY(files, ListOutboxFiles(view, state.number));
  Sequence here = 0;
  for (const OutboxFile& file : files) {
    if (file.empty || (!file.full && NumberIn(file.path, path) == 0)) continue;
    // A store of before that row may have files of an earlier epoch.
    if (row || file.last <= state.sequence) here = std::max(here, file.last);
  }
  return std::min(here, carried);
}

void PutCarried(storage::Transaction& transaction, const ProducerState& state, Sequence last) {
  std::string row;
  RowWriter out(row);
  out.Id(state.epoch.id);
  out.Varint(last);
  transaction.Put(CarriedKey(state), std::move(row));
}

std::string RideKey(storage::StreamNumber number) {
  return storage::MetaKey("ride/" + std::to_string(number));
}

Result<std::optional<std::string>> OwnerOfPlace(const storage::ReadView& view,
                                                const std::string& path, std::string_view except) {
  DIRSYNC_TRY(instances, ListInstances(view));
  for (const InstanceSettings& instance : instances) {
    if (FoldName(instance.name) == FoldName(except)) continue;
    DIRSYNC_TRY(takes, Takes(view, instance, path));
    if (takes) return instance.name;
  }
  return std::nullopt;
}

Result<> CheckExportPlace(const storage::ReadView& view, const InstanceSettings& settings) {
  if (!settings.exports || settings.export_file.empty()) return {};
  DIRSYNC_TRY(owner, OwnerOfPlace(view, settings.export_file, settings.name));
  if (!owner) return {};
  return Fail(ErrorCode::kConfiguration,
              "exporting " + Printable(settings.name) + " to " + Printable(settings.export_file) +
                  ": the files of " + Printable(*owner) + " are there",
              "dirsync instance set " + Printable(settings.name) + " --export-file F");
}

std::string PartPath(const std::string& path) { return path + ".part"; }

Result<std::vector<OutboxFile>> ListOutboxFiles(const storage::ReadView& view,
                                                storage::StreamNumber number) {
  std::vector<OutboxFile> files;
  auto [lower, upper] = storage::StreamRange(storage::Table::kFile, number);
  auto cursor = view.Scan(lower, upper);
  for (; cursor->Valid(); cursor->Next()) {
    DIRSYNC_TRY(file, Decode(cursor->Value()));
    files.push_back(std::move(file));
  }
  DIRSYNC_CHECK(cursor->status());
  return files;
}

void PutOutboxFile(storage::Transaction& transaction, storage::StreamNumber number,
                   const OutboxFile& file) {
  transaction.Put(storage::FileKey(number, file.path), Encode(file));
}

NextFile ChooseNextFile(const std::vector<OutboxFile>& files, const std::string& path,
                        Sequence acked, bool full) {
  NextFile next;
  std::uint64_t highest_with_changes = 0;
  for (const OutboxFile& file : files) {
    std::uint64_t number = NumberIn(file.path, path);
    bool unread = !file.empty && file.last > acked && !full;
    if (unread) highest_with_changes = std::max(highest_with_changes, number);
    if (!unread && number == 0) next.stale.push_back(file.path);
  }
  next.path =
      highest_with_changes == 0 ? path : path + "." + std::to_string(highest_with_changes + 1);
  for (const OutboxFile& file : files) {
    std::uint64_t number = NumberIn(file.path, path);
    if (number > highest_with_changes && file.path != next.path) next.stale.push_back(file.path);
  }
  return next;
}

Result<> RemoveParts(Store& store, storage::StreamNumber number, const std::string& path) {
  FileSystem& files = store.world().files();
  DIRSYNC_TRY(rows, ListOutboxFiles(store.storage(), number));
  std::uint64_t highest = 1;
  std::set<std::string> pending;
  for (const OutboxFile& file : rows) {
    highest = std::max(highest, NumberIn(file.path, path));
    if (file.pending) pending.insert(file.path);
  }
  for (std::uint64_t at = 1; at <= highest + 1; ++at) {
    const std::string file = at == 1 ? path : path + "." + std::to_string(at);
    if (pending.contains(file) || !files.Exists(PartPath(file))) continue;
    store.world().Effect("remove");
    DIRSYNC_CHECK(files.Remove(PartPath(file)));
  }
  return {};
}

Result<bool> PublishFiles(Store& store, storage::StreamNumber number,
                          const std::vector<std::string>& stale) {
  World& world = store.world();
  bool copy_lost = false;
  DIRSYNC_TRY(files, ListOutboxFiles(store.storage(), number));
  storage::Transaction transaction(store.storage());
  for (OutboxFile& file : files) {
    if (!file.pending) continue;
    if (world.files().Exists(PartPath(file.path))) {
      world.Effect("rename");
      DIRSYNC_CHECK(world.files().Rename(PartPath(file.path), file.path));
      world.Effect("renamed");
    } else if (!world.files().Exists(file.path)) {
      // Maybe it was renamed and taken, maybe it never will be out: nothing here can tell.
      copy_lost = copy_lost || file.full;
      if (!file.full) transaction.Delete(storage::FileKey(number, file.path));
      transaction.Delete(RideKey(number));
      continue;
    }
    // The part was durable before the row was: if the file is there instead, it was renamed.
    file.pending = false;
    PutOutboxFile(transaction, number, file);
  }
  for (const std::string& path : stale) {
    world.Effect("remove");
    DIRSYNC_CHECK(world.files().Remove(path));
    transaction.Delete(storage::FileKey(number, path));
  }
  DIRSYNC_CHECK(store.Commit(transaction));
  return copy_lost;
}

}  // namespace dirsync
