// Deleting an instance with its state, and what becomes of the entries it brought.
#include <algorithm>

#include "agent/core/gate.h"
#include "agent/core/mirror.h"
#include "agent/core/reader_state.h"
#include "agent/service/run.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "storage/key.h"

namespace dirsync {
namespace {

using storage::StreamNumber;
using storage::Table;

// Series of numbers, each followed by the folded name.
constexpr const char* kImport = "import/";
constexpr const char* kExport = "export/";

struct Owned {
  std::string mirror_key;
  EntryId local;
  EntryClass entry_class;
};

class InstanceDelete {
 public:
  InstanceDelete(Store& store, const InstanceSettings& settings, std::string contacts, bool dry_run)
      : store_(store), settings_(settings), contacts_(std::move(contacts)), dry_run_(dry_run) {}

  Result<ApplyCounts> All() {
    DIRSYNC_TRY(reader, NumberOf(kImport));
    DIRSYNC_TRY(owned, MayRelease(reader));
    if (!dry_run_) DIRSYNC_CHECK(Stop());
    if (reader) DIRSYNC_CHECK(ReleaseAll(*reader, owned));
    if (dry_run_) return counts_;
    DIRSYNC_TRY(producer, NumberOf(kExport));
    for (const auto& number : {reader, producer})
      if (number) DIRSYNC_CHECK(DropRows(*number));
    DIRSYNC_CHECK(store_.Write([&](storage::Transaction& transaction) -> Result<> {
      transaction.Delete(storage::InstanceKey(FoldName(settings_.name)));
      for (const char* series : {kImport, kExport})
        transaction.Delete(storage::NumberKey(series + FoldName(settings_.name)));
      return {};
    }));
    return counts_;
  }

  Result<ApplyCounts> Import() {
    DIRSYNC_TRY(reader, NumberOf(kImport));
    DIRSYNC_TRY(owned, MayRelease(reader));
    if (reader) {
      DIRSYNC_CHECK(ReleaseAll(*reader, owned));
      DIRSYNC_CHECK(DropRows(*reader));
    }
    DIRSYNC_CHECK(store_.Write([&](storage::Transaction& transaction) -> Result<> {
      DIRSYNC_TRY(settings, LoadInstance(transaction, settings_.name));
      settings.imports = false;
      settings.import_file.clear();
      StoreInstance(transaction, settings);
      transaction.Delete(storage::NumberKey(kImport + FoldName(settings_.name)));
      return {};
    }));
    return counts_;
  }

 private:
  std::string name() const { return Printable(settings_.name); }

  Result<std::optional<StreamNumber>> NumberOf(const char* series) const {
    return FindNumber(store_.storage(), series + FoldName(settings_.name));
  }

  // From here on nobody runs it, so that one that is left half deleted does nothing: deleting it
  // again goes on.
  Result<> Stop() {
    return store_.Write([&](storage::Transaction& transaction) -> Result<> {
      DIRSYNC_TRY(settings, LoadInstance(transaction, settings_.name));
      settings.imports = settings.exports = false;
      StoreInstance(transaction, settings);
      return {};
    });
  }

  // What it owns, if that may go.
  Result<std::vector<Owned>> MayRelease(const std::optional<StreamNumber>& reader) const {
    if (!contacts_.empty() && contacts_ != "keep" && contacts_ != "delete")
      return Fail(ErrorCode::kInvalid, "deleting " + name() + ": --contacts is keep or delete");
    if (!reader) return std::vector<Owned>();
    DIRSYNC_TRY(owned, ListOwned(*reader));
    if (owned.empty()) return std::move(owned);
    if (contacts_.empty())
      return Fail(
          ErrorCode::kNotEmpty,
          "deleting " + name() + ": it owns " + std::to_string(owned.size()) + " entries here",
          "say what becomes of them: --contacts keep or --contacts delete");
    if (contacts_ == "delete") DIRSYNC_CHECK(AskGate(*reader, owned));
    return std::move(owned);
  }

  Result<> ReleaseAll(StreamNumber number, const std::vector<Owned>& owned) {
    for (std::size_t from = 0; from < owned.size(); from += limits::kStepRows) {
      auto release = [&](storage::Transaction& transaction) {
        return ReleaseSome(transaction, number, owned, from);
      };
      DIRSYNC_CHECK(dry_run_ ? store_.Read(release) : store_.Write(release));
    }
    return {};
  }

  // Recipients first, then containers from the deepest: mirror rows stand in the other order.
  Result<std::vector<Owned>> ListOwned(StreamNumber number) const {
    std::vector<Owned> owned;
    auto [lower, upper] = storage::StreamRange(Table::kMirror, number);
    auto cursor = store_.storage().Scan(lower, upper);
    for (; cursor->Valid(); cursor->Next()) {
      DIRSYNC_TRY(row, DecodeMirror(cursor->Value()));
      if (row.local.is_zero()) continue;
      owned.push_back({std::string(cursor->Key()), row.local, row.told.entry_class});
    }
    DIRSYNC_CHECK(cursor->status());
    std::reverse(owned.begin(), owned.end());
    return owned;
  }

  Result<> AskGate(StreamNumber number, const std::vector<Owned>& owned) const {
    DIRSYNC_TRY(state, LoadReader(store_.storage(), number));
    if (!state) return {};
    std::map<EntryClass, std::uint64_t> deletes;
    for (const Owned& entry : owned) ++deletes[entry.entry_class];
    for (const auto& [entry_class, count] : deletes) {
      DIRSYNC_TRY(left, DeletesLeft(store_.storage(), settings_, *state, entry_class,
                                    store_.world().Now()));
      if (count <= left) continue;
      return Fail(ErrorCode::kRefused,
                  "deleting " + name() + ": " + std::to_string(count) + " entries would go, and " +
                      std::to_string(left) + " may pass in 24 hours",
                  "dirsync instance set " + name() + " --max-deletes 100%, then again");
    }
    return {};
  }

  Result<> ReleaseSome(storage::Transaction& transaction, StreamNumber number,
                       const std::vector<Owned>& owned, std::size_t from) {
    EntryStore entries(transaction, store_.world().Now());
    std::size_t to = std::min(owned.size(), from + limits::kStepRows);
    for (std::size_t i = from; i < to; ++i) {
      DIRSYNC_CHECK(Release(transaction, entries, number, owned[i].local));
      transaction.Delete(owned[i].mirror_key);
    }
    return {};
  }

  Result<> Release(storage::Transaction& transaction, EntryStore& entries, StreamNumber number,
                   const EntryId& local) {
    transaction.Delete(storage::OwnerKey(local, number));
    auto [lower, upper] = storage::PrefixRange(storage::OwnerKey(local, 0).substr(0, 17));
    if (transaction.Scan(lower, upper)->Valid()) return {};  // another stream brought it too
    DIRSYNC_TRY(entry, entries.Get(local));
    if (!entry || entry->is_deleted()) return {};
    if (entry->origin)
      transaction.Delete(storage::AliasKey(LocalIdOf(entry->origin->site, entry->origin->id)));
    // A container that something of this site's is in stays, as this site's.
    DIRSYNC_TRY(used, entries.HasChildren(local));
    if (contacts_ == "delete" && !used) {
      ++counts_.deleted;
      return entries.Bury(local);
    }
    ++counts_.unchanged;
    entry->origin.reset();
    return entries.Update(*entry);
  }

  Result<> DropRows(StreamNumber number) {
    for (Table table :
         {Table::kStream, Table::kTold, Table::kOutbox, Table::kReader, Table::kMirror,
          Table::kDigest, Table::kWanted, Table::kHeld, Table::kQuarantine, Table::kForeign,
          Table::kAck, Table::kFile, Table::kBudget}) {
      for (bool more = true; more;) {
        DIRSYNC_TRY(dropped, store_.Write([&](storage::Transaction& transaction) {
          return DropSome(transaction, table, number);
        }));
        more = dropped == limits::kStepRows;
      }
    }
    return {};
  }

  Result<std::size_t> DropSome(storage::Transaction& transaction, Table table,
                               StreamNumber number) const {
    auto [lower, upper] = storage::StreamRange(table, number);
    auto cursor = store_.storage().Scan(lower, upper);
    std::size_t dropped = 0;
    for (; cursor->Valid() && dropped < limits::kStepRows; cursor->Next(), ++dropped)
      transaction.Delete(std::string(cursor->Key()));
    DIRSYNC_CHECK(cursor->status());
    return dropped;
  }

  Store& store_;
  const InstanceSettings& settings_;
  std::string contacts_;
  bool dry_run_;
  ApplyCounts counts_;
};

}  // namespace

Result<ApplyCounts> DeleteInstance(Store& store, const std::string& name,
                                   const std::string& contacts, bool dry_run) {
  DIRSYNC_TRY(settings, LoadInstance(store.storage(), name));
  return InstanceDelete(store, settings, contacts, dry_run).All();
}

Result<ApplyCounts> EndImport(Store& store, const std::string& name, const std::string& contacts) {
  DIRSYNC_TRY(settings, LoadInstance(store.storage(), name));
  if (!settings.exports) return DeleteInstance(store, name, contacts, false);
  return InstanceDelete(store, settings, contacts, false).Import();
}

}  // namespace dirsync
