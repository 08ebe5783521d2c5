// The file outbox (R13): which sync files an export stream has put out, which of them are unread,
// and how a file and the commit that it belongs to become one act:
//
//   temporary file + fsync -> commit (with a pending row) -> rename + fsync of the folder -> done.
#pragma once

#include <string>
#include <vector>

#include "agent/core/producer_state.h"
#include "agent/service/store.h"
#include "storage/key.h"

namespace dirsync {

// One file of a stream: value of a kFile row.
struct OutboxFile {
  std::string path;
  Sequence last = 0;  // of the batches it carries; what must be acked for it to be read
  bool full = false;
  bool empty = false;    // carries acks and wants only
  bool pending = false;  // committed, but not yet known to be renamed
};

// Rows of the stream, by path; and one of them written.
Result<std::vector<OutboxFile>> ListOutboxFiles(const storage::ReadView& view,
                                                storage::StreamNumber number);
void PutOutboxFile(storage::Transaction& transaction, storage::StreamNumber number,
                   const OutboxFile& file);

// Up to which batch of its epoch files were put out; 0 = none. And that moved on.
Result<Sequence> CarriedSequence(const storage::ReadView& view, const ProducerState& state);
void PutCarried(storage::Transaction& transaction, const ProducerState& state, Sequence last);

// Name of the file while it is being written, beside its place.
std::string PartPath(const std::string& path);

// Where the next file of the stream goes: `path` when all files are read (last <= acked), else
// path.N with the next N; a file that carries acks only is replaced by the next one (R12).
struct NextFile {
  std::string path;
  std::vector<std::string> stale;  // read files besides it: to be removed once it is out
};
NextFile ChooseNextFile(const std::vector<OutboxFile>& files, const std::string& path,
                        Sequence acked, bool full);

// Removes what killed runs wrote of files at `path` (and path.2 …) that no commit knows. Call
// behind PublishFiles, before a run begins a file.
Result<> RemoveParts(Store& store, storage::StreamNumber number, const std::string& path);

// Renames what is pending, removes `stale` files and their rows. Call after the commit, and before
// a run for what a killed one left.
Result<> PublishFiles(Store& store, storage::StreamNumber number,
                      const std::vector<std::string>& stale);

}  // namespace dirsync
