// The file outbox (R13): which sync files an export stream has put out, which of them are unread,
// and how a file and the commit that it belongs to become one act:
//
//   temporary file + fsync -> commit (with a pending row) -> rename + fsync of the folder -> done.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/core/instance.h"
#include "agent/core/producer_state.h"
#include "agent/service/store.h"
#include "storage/key.h"

namespace dirsync {

// One file of a stream: value of a kFile row.
struct OutboxFile {
  std::string path;
  // What must be acked for it to be read: the last of the batches it carries; of a full copy made
  // when somebody had acked its position already, the batch behind it.
  Sequence last = 0;
  bool full = false;
  bool empty = false;    // carries acks and wants only
  bool pending = false;  // committed, but not yet known to be renamed
};

// Rows of the stream, by path; and one of them written.
Result<std::vector<OutboxFile>> ListOutboxFiles(const storage::ReadView& view,
                                                storage::StreamNumber number);
void PutOutboxFile(storage::Transaction& transaction, storage::StreamNumber number,
                   const OutboxFile& file);

// Up to which batch of its epoch files were put out at `path` (and path.2 …), or full copies
// anywhere; 0 = none. So each place that files go to has all that is not acked. And that moved on.
Result<Sequence> CarriedSequence(const storage::ReadView& view, const ProducerState& state,
                                 const std::string& path);
void PutCarried(storage::Transaction& transaction, const ProducerState& state, Sequence last);

// Key of the digest of the acks and wants that went out last.
std::string RideKey(storage::StreamNumber number);

// The instance that `path` is taken by: it exports there, or a file of its stream is known to be
// there; nullopt = nobody but maybe `except`. Two streams in one place would write over what is
// unread of each other.
Result<std::optional<std::string>> OwnerOfPlace(const storage::ReadView& view,
                                                const std::string& path, std::string_view except);
// kConfiguration if the export file of `settings` is taken by another instance.
Result<> CheckExportPlace(const storage::ReadView& view, const InstanceSettings& settings);

// Name of the file while it is being written, beside its place.
std::string PartPath(const std::string& path);

// Where the next file of the stream goes: `path` when all files are read (last <= acked), else
// path.N with the next N; a file that carries acks only is replaced by the next one (R12). What is
// unread at another place stays there, unless the next one is a full copy.
struct NextFile {
  std::string path;
  std::vector<std::string> stale;  // besides it: to be removed once it is out
};
NextFile ChooseNextFile(const std::vector<OutboxFile>& files, const std::string& path,
                        Sequence acked, bool full);

// Removes what killed runs wrote of files at `path` (and path.2 …) that no commit knows. Call
// behind PublishFiles, before a run begins a file.
Result<> RemoveParts(Store& store, storage::StreamNumber number, const std::string& path);

// Renames what is pending, removes `stale` files and their rows. Call after the commit, and before
// a run for what a killed one left. A pending file that is nowhere to be found (its folder is away,
// or somebody took it) is forgotten, so that its batches are carried once more: a repeat is passed
// over. Whether a full copy is among them, which stays pending until the next one: write that.
Result<bool> PublishFiles(Store& store, storage::StreamNumber number,
                          const std::vector<std::string>& stale);

}  // namespace dirsync
