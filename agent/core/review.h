// What waits for a person: held deletes, suspect runs, quarantined changes (R3, R4).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/core/apply.h"

namespace dirsync {

struct HeldRow {
  storage::StreamNumber number = 0;
  EntryId id;  // the origin's
  EntryId local;
  EntryClass entry_class = EntryClass::kMailbox;
  Version version;     // of the delete
  std::string name;    // DN here when it was held
  std::string reason;  // "run deletes 120 of 600 mailboxes; 60 may pass in 24 hours"
  Instant time{};
};
// A change that was told and does not fit, with the reason.
struct QuarantineRow {
  storage::StreamNumber number = 0;
  EntryId id;
  Version version;
  ErrorCode code = ErrorCode::kBadValue;
  std::string name;    // DN at the source
  std::string reason;  // names what stands in the way
  Change change;       // as told
  bool asked = false;  // WANT is under way
  Instant time{};
};

std::string EncodeHeld(const HeldRow& row);
Result<HeldRow> DecodeHeld(std::string_view value);
std::string EncodeQuarantine(const QuarantineRow& row);
Result<QuarantineRow> DecodeQuarantine(std::string_view value);

// All rows of a stream, or of all streams (number 0), in key order.
Result<std::vector<HeldRow>> ListHeld(const storage::ReadView& view, storage::StreamNumber number);
Result<std::vector<QuarantineRow>> ListQuarantine(const storage::ReadView& view,
                                                  storage::StreamNumber number);

// Lets the held delete pass now. Errors: kStalePlan when the entry moved since (row superseded).
Result<> ApproveHeld(storage::Transaction& transaction, const ApplyInput& input, const HeldRow& row,
                     ReaderState& state);
// The entry stays, shown as kept, until its source changes it.
Result<> RejectHeld(storage::Transaction& transaction, const HeldRow& row, ReaderState& state);
// Lets the suspect run, or full copy, pass (or never pass) when its file or batch comes again. An
// approved copy passes whole, since nobody knows before its end what it does.
Result<> ApproveSuspect(ReaderState& state);
Result<> RejectSuspect(ReaderState& state);

// Asks for the entry whole with the next ack (WANT). It leaves the quarantine when it arrives and
// fits. Result: whether the row still stands there at its version; if not, nothing is asked.
Result<bool> RetryQuarantined(storage::Transaction& transaction, const QuarantineRow& row);
// Forgets the row: the entry stays out until its source changes it. Result as above.
Result<bool> DiscardQuarantined(storage::Transaction& transaction, const QuarantineRow& row);

// Ids to put into the next file's WANT line, at most limits::kWantIds, in key order.
Result<std::vector<EntryId>> WantedIds(const storage::ReadView& view, storage::StreamNumber number);

}  // namespace dirsync
