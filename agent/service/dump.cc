#include "agent/service/bulk.h"
#include "agent/service/ldif_entry.h"
#include "proto/base/limits.h"

namespace dirsync {
namespace {

// Handed over at once: some hundred entries, so that whoever takes them can stop the dump.
constexpr std::size_t kBlockBytes = 64 * limits::kKiB;

}  // namespace

Result<std::uint64_t> DumpLdif(Store& store, const ByteSink& sink, bool imported) {
  storage::Transaction transaction(store.storage());
  IdSource ids = MakeIds(store.world());
  Directory directory(transaction, store.profile(), ids, store.world().Now());
  DIRSYNC_CHECK(sink("version: 1\n\n"));
  std::uint64_t count = 0;
  std::string buffer;
  Result<> failed;
  Dn base = store.profile().basepoint();
  auto visit = [&](const Entry& entry) {
    if (entry.is_imported() && !imported) return true;
    auto dn = directory.entries().DnOf(base, entry);
    if (!dn) {
      failed = std::unexpected(dn.error());
      return false;
    }
    AppendLdifEntry(buffer, entry, *dn);
    ++count;
    if (buffer.size() < kBlockBytes) return true;
    failed = sink(buffer);
    buffer.clear();
    return failed.has_value();
  };
  DIRSYNC_CHECK(directory.List(EntryId{}, true, visit));
  DIRSYNC_CHECK(failed);
  DIRSYNC_CHECK(sink(buffer));
  return count;
}

}  // namespace dirsync
