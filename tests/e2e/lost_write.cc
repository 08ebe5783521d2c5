// lost_write OLD STORE: what an import has been told of each entry goes back to what a copy of the
// store holds, and nothing else does: a disk that lost some writes and kept others. Both stores are
// closed meanwhile.
#include <cstdio>

#include "storage/key.h"
#include "storage/rocksdb_storage.h"

namespace dirsync {
namespace {

Result<int> PutBack(const std::string& old_store, const std::string& store) {
  DIRSYNC_TRY(from, storage::OpenRocksdb({.path = old_store + "/db"}));
  DIRSYNC_TRY(to, storage::OpenRocksdb({.path = store + "/db"}));
  const auto [lower, upper] = storage::TableRange(storage::Table::kMirror);
  storage::WriteBatch batch;
  int changed = 0;
  auto cursor = from->Scan(lower, upper);
  for (; cursor->Valid(); cursor->Next()) {
    DIRSYNC_TRY(now, to->Get(cursor->Key()));
    if (!now || *now == cursor->Value()) continue;
    batch.Put(std::string(cursor->Key()), std::string(cursor->Value()));
    ++changed;
  }
  DIRSYNC_CHECK(cursor->status());
  DIRSYNC_CHECK(to->Commit(std::move(batch)));
  DIRSYNC_CHECK(to->Sync());
  return changed;
}

}  // namespace
}  // namespace dirsync

int main(int count, char** words) {
  if (count != 3) return 2;
  const auto changed = dirsync::PutBack(words[1], words[2]);
  if (!changed) std::fprintf(stderr, "%s\n", changed.error().ToString().c_str());
  if (!changed || *changed == 0) return 1;
  std::printf("%d\n", *changed);
  return 0;
}
