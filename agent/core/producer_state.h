// What a producer remembers of its stream (row of table kStream), and its outbox and acks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/error.h"
#include "proto/base/id_source.h"
#include "proto/model/batch.h"
#include "storage/key.h"
#include "storage/transaction.h"

namespace dirsync {

// What a compare does next.
enum class CompareStage : std::uint8_t {
  kContainers = 1,  // all containers of the scope, in one step
  kRecipients = 2,  // entries and told rows side by side, by id
  kRest = 3,        // changes since its start; then containers that left the scope are told deleted
};
// A compare of everything with everything, under way: survives restarts.
struct CompareJob {
  Usn usn_at_start = 0;     // becomes the mark when all recipients are compared
  bool first_scan = false;  // told rows are written without batches: no reader has seen any
  CompareStage stage = CompareStage::kContainers;
  EntryId after;  // kRecipients: last one dealt with; zero = none yet
  auto operator<=>(const CompareJob&) const = default;
};

struct ProducerState {
  storage::StreamNumber number = 0;
  StreamName name;
  Epoch epoch;
  Sequence sequence = 0;    // of the last batch; 0 = START not yet written
  Digest digest;            // of that batch
  Position previous_epoch;  // for START
  StreamTerms terms;        // as told: hash key, address type, attributes
  Digest scope;             // Scope::digest() that the told rows obey (or will, after `compare`);
                            // zero = never scanned
  Usn mark = 0;             // every change up to here is captured
  RowSum sum;               // of all told rows (R24)
  std::uint64_t rows = 0;
  Sequence trimmed = 0;  // outbox holds trimmed+1 .. sequence of this epoch
  std::uint64_t outbox_bytes = 0;
  bool seen = false;  // something of this epoch was put where a reader may find it
  std::optional<CompareJob> compare;
  auto operator<=>(const ProducerState&) const = default;

  Position position() const { return {epoch, sequence, digest}; }
};

std::string EncodeProducer(const ProducerState& state);
Result<ProducerState> DecodeProducer(std::string_view row);

// State of the export of `instance`; nullopt before its first run.
Result<std::optional<ProducerState>> LoadProducer(const storage::ReadView& view,
                                                  storage::StreamNumber number);
void StoreProducer(storage::Transaction& transaction, const ProducerState& state);

// A stream at its beginning: epoch 1 (or `counter`), fresh hash key.
ProducerState NewProducer(storage::StreamNumber number, StreamName name, std::uint64_t counter,
                          IdSource& ids);
// The next life: counter + 1, sequence 0, START will name where the last one ended. Told rows and
// hash key stay; the outbox and the digests are dropped. After a restore, or when a reader proves
// that this store was rolled back (R17, R18). An epoch without START leaves no trace but its
// number.
Result<> BeginEpoch(storage::Transaction& transaction, ProducerState& state, IdSource& ids);

// Outbox: stored bytes of the batch `state.sequence`, kept until acked, and its digest, kept for
// limits::kDigestsKept sequences so that acks can be checked.
void AppendOutbox(storage::Transaction& transaction, ProducerState& state, std::string_view stored);
Result<std::optional<std::string>> ReadOutbox(const storage::ReadView& view,
                                              storage::StreamNumber number, Sequence sequence);

// What a reader's cursor meant to its producer.
enum class AckOutcome : std::uint8_t {
  kTaken,       // moved the reader's row
  kOld,         // not above what we had: nothing changed
  kOtherEpoch,  // of an earlier life: nothing changed
  kAhead,       // above our last sequence, or of a later life: this store was rolled back
  kFork,        // a sequence we have under another digest, or our epoch's number under another id
};
// Whether somebody's position can be one of this stream; kTaken: yes.
Result<AckOutcome> JudgePosition(const storage::ReadView& view, const ProducerState& state,
                                 const Position& position);
// Drops the batches up to `upto` from the outbox, at most 64 * limits::kStepRows of them a call;
// later calls go on. REQUIRES upto <= state.sequence.
Result<> TrimOutbox(storage::Transaction& transaction, ProducerState& state, Sequence upto);
// A reader's cursor as it came with a file, `dirsync ack` or the broker. Trims the outbox to what
// all required readers have: `required` sites, or, if empty, anyone (R12). Sites are compared
// folded.
Result<AckOutcome> TakeAck(storage::Transaction& transaction, ProducerState& state,
                           std::string_view reader_site, const Position& position,
                           const std::vector<std::string>& required);
struct ReaderAck {
  std::string site;
  Position position;
};
Result<std::vector<ReaderAck>> ListAcks(const storage::ReadView& view,
                                        storage::StreamNumber number);
// Highest sequence that all required readers (none required: any reader) have acked in this epoch;
// 0 = none.
Result<Sequence> AckedSequence(const storage::ReadView& view, const ProducerState& state,
                               const std::vector<std::string>& required);

// Ids that readers asked for whole (R3); the next run carries and forgets them. Those beyond
// limits::kWantIds are left out: whoever needs more takes ranges.
void TakeWants(storage::Transaction& transaction, const ProducerState& state,
               const std::vector<EntryId>& ids);

}  // namespace dirsync
