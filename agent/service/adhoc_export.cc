#include "agent/service/adhoc_export.h"

#include <functional>
#include <map>

#include "agent/core/scope.h"
#include "agent/directory/entry_record.h"
#include "agent/service/file_outbox.h"
#include "agent/service/file_write.h"
#include "storage/key.h"

namespace dirsync {
namespace {

// Hands every live entry that is in scope to `visit`, in EntryId order.
Result<> WalkEntries(Store& store, const Scope& scope,
                     const std::function<Result<>(const Entry&, const Change&)>& visit) {
  Entry entry;
  Change change;
  auto [lower, upper] = storage::TableRange(storage::Table::kEntry);
  auto cursor = store.storage().Scan(lower, upper);
  for (; cursor->Valid(); cursor->Next()) {
    auto id = EntryId::FromBytes(cursor->Key().substr(1));
    if (!id) return Fail(ErrorCode::kCorrupt, "reading entries: malformed key");
    DIRSYNC_CHECK(DecodeEntryInto(*id, cursor->Value(), entry));
    DIRSYNC_TRY(told, scope.TellInto(entry, change));
    if (told) DIRSYNC_CHECK(visit(entry, change));
  }
  return cursor->status();
}

// A stream's own file is never written over: it may be unread. Imports of F take F.adhoc too.
Result<std::string> PlaceOf(Store& store, const RunRequest& request) {
  std::string path = request.settings.export_file;
  for (;;) {
    DIRSYNC_TRY(owner, OwnerOfPlace(store.storage(), path, ""));
    if (!owner) return path;
    path += ".adhoc";
  }
}

}  // namespace

Result<> WalkScope(Store& store, const Scope& scope,
                   const std::function<Result<>(const Change&)>& visit) {
  std::map<std::pair<storage::Rank, EntryId>, Change> containers;
  DIRSYNC_CHECK(
      WalkEntries(store, scope, [&](const Entry& entry, const Change& change) -> Result<> {
        if (entry.entry_class != EntryClass::kContainer) return {};
        DIRSYNC_TRY(rank, scope.RankOf(entry));
        containers.emplace(std::pair(rank, entry.id), change);
        return {};
      }));
  for (const auto& [key, change] : containers) DIRSYNC_CHECK(visit(change));
  return WalkEntries(store, scope, [&](const Entry& entry, const Change& change) -> Result<> {
    return entry.entry_class == EntryClass::kContainer ? Result<>() : visit(change);
  });
}

Result<RunReport> ExportAdhoc(Store& store, const RunRequest& request) {
  RunReport report;
  report.instance = request.settings.name;
  report.time = store.world().Now();
  report.full = true;
  report.adhoc = true;
  DIRSYNC_TRY(path, PlaceOf(store, request));
  report.file = path;
  report.files = {report.file};
  storage::Transaction transaction(store.storage());
  EntryStore entries(transaction, report.time);
  DIRSYNC_TRY(scope, Scope::Make(entries, store.profile(), request.settings));
  FileHeader header;
  header.kind = FileKind::kAdhoc;
  header.stream = {store.profile().organization, store.profile().site, request.settings.name};
  header.time = report.time;
  header.terms = scope.terms();
  std::unique_ptr<FileWrite> file;
  if (!request.dry_run) {
    DIRSYNC_TRY(begun, FileWrite::Begin(store, report.file, header));
    file = std::move(begun);
  }
  DIRSYNC_CHECK(WalkScope(store, scope, [&](const Change& change) -> Result<> {
    ++report.counts.added;
    if (request.plan) request.plan({"add", change.dn, ""});
    return file ? file->writer().Write(change) : Result<>();
  }));
  if (!file) return report;
  DIRSYNC_CHECK(file->Close({}, report.counts.added));
  DIRSYNC_CHECK(store.world().files().Rename(PartPath(report.file), report.file));
  return report;
}

}  // namespace dirsync
