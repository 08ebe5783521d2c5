// Whole directories in and out: load, dump, backup, restore.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/service/run.h"

namespace dirsync {

struct LoadReport {
  std::uint64_t added = 0, unchanged = 0;
  std::uint64_t skipped = 0;  // records, and members of groups
  // Ignored attributes with counts; what was skipped, with its line (the first 100).
  std::vector<std::string> notes;
  bool resumed = false;  // went on where a killed load of this file stopped
};
// LDIF content records as local entries below the site: parents must exist or come first;
// objectClass decides the class (inetOrgPerson, person, user -> mailbox; contact -> custom
// recipient; groupOfNames, group -> group; organizationalUnit, container -> container). An entry
// that is there already with the same values is unchanged; with others: kExists, unless
// `replace`. A member that is not known is skipped, and its group has the others. Commits every
// limits::kBulkRows entries; killed, it goes on there. `dry_run`: from the beginning, in memory,
// nothing is written; kTooLarge beyond limits::kDryRunBytes.
Result<LoadReport> LoadLdif(Store& store, const std::string& file, bool replace,
                            const std::function<void(const Progress&)>& progress,
                            bool dry_run = false);
// All live local entries (and with `imported` the others) with EntryIds, parents first; returns
// their number.
Result<std::uint64_t> DumpLdif(Store& store, const ByteSink& sink, bool imported);

// A consistent copy of the whole store, keys included (mode 0600), in the new folder `folder`,
// which only its owner may enter at any time. Durable when it returns; under its name a power cut
// never leaves a part of it, nor of what is restored.
Result<> BackupStore(Store& store, const std::string& folder);
// The same of any store that is open: of its storage and of the keys/ in its folder `path`.
Result<> BackupFolder(storage::Storage& storage, const std::string& path,
                      const std::string& folder);
// A new store at `path` from a backup, which only its owner may enter at any time: every export
// stream begins a new epoch (R17, R18).
Result<std::unique_ptr<Store>> RestoreStore(World& world, const std::string& folder,
                                            const std::string& path);
// The copy alone, as a broker is put back: it goes on where it stood, and its sites fill the gap.
Result<> RestoreFolder(const std::string& folder, const std::string& path);

}  // namespace dirsync
