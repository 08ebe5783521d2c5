#include "agent/service/ride_along.h"

#include <algorithm>
#include <set>

#include "agent/core/instance.h"
#include "agent/core/producer_state.h"
#include "agent/core/reader_state.h"
#include "agent/core/review.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"

namespace dirsync {
namespace {

// The export instance here whose stream this is.
Result<std::optional<InstanceSettings>> FindExport(Store& store, const StreamName& stream) {
  if (stream.organization != store.profile().organization || stream.site != store.profile().site)
    return std::nullopt;
  DIRSYNC_TRY(instances, ListInstances(store.storage()));
  for (InstanceSettings& settings : instances)
    if (settings.exports && FoldName(settings.name) == FoldName(stream.instance))
      return std::move(settings);
  return std::nullopt;
}

// The next epoch, above every one that `position` shows to have been told.
Result<> BeginEpochAbove(Store& store, storage::Transaction& transaction, const Position& position,
                         ProducerState& state) {
  IdSource ids = MakeIds(store.world());
  DIRSYNC_CHECK(BeginEpoch(transaction, state, ids));
  // Only now: START names the epoch before by its own number.
  state.epoch.counter = std::max(state.epoch.counter, position.epoch.counter + 1);
  return {};
}

// Errors of the row itself only; what an ack says wrongly is told, not failed. `begun`: the streams
// that this file has begun an epoch of; nobody can have read anything of it yet.
Result<std::string> TakeOneAck(Store& store, storage::Transaction& transaction,
                               const std::string& reader, const FileAck& ack,
                               std::set<storage::StreamNumber>& begun) {
  DIRSYNC_TRY(settings, FindExport(store, ack.stream));
  if (!settings) return std::string();
  DIRSYNC_TRY(number, NumberOf(transaction, "export/" + FoldName(settings->name)));
  DIRSYNC_TRY(state, LoadProducer(transaction, number));
  if (!state || begun.contains(number)) return std::string();
  std::string name = settings->name;
  // So far above only by a lie: the counter is not let run to its end.
  const std::uint64_t counter = ack.position.epoch.counter;
  const std::uint64_t own = state->epoch.counter;
  if (counter > own && counter - own > limits::kEpochsAhead)
    return reader + " says that it has read epoch " + std::to_string(counter) + " of " + name +
           ", which no store of this site can have told: not taken";
  DIRSYNC_TRY(outcome, TakeAck(transaction, *state, reader, ack.position, settings->readers));
  // A reader that knows more, or otherwise, than this store proves that the store was rolled back.
  bool rolled_back = outcome == AckOutcome::kAhead || outcome == AckOutcome::kFork;
  if (rolled_back) {
    DIRSYNC_CHECK(BeginEpochAbove(store, transaction, ack.position, *state));
    begun.insert(number);
  }
  StoreProducer(transaction, *state);
  std::string at = std::to_string(ack.position.sequence);
  if (rolled_back)
    return reader + " has read a later history of " + name + " than this store knows (up to " + at +
           "): it was rolled back; a new epoch begins, run `dirsync run " + name + " --full`";
  return outcome == AckOutcome::kTaken ? reader + " has read " + name + " up to " + at
                                       : std::string();
}

Result<> TakeOneWant(Store& store, storage::Transaction& transaction, const FileWant& want) {
  DIRSYNC_TRY(settings, FindExport(store, want.stream));
  if (!settings) return {};
  DIRSYNC_TRY(number, NumberOf(transaction, "export/" + FoldName(settings->name)));
  DIRSYNC_TRY(state, LoadProducer(transaction, number));
  if (state) TakeWants(transaction, *state, want.ids);
  return {};
}

}  // namespace

Digest RideAlong::digest() const {
  std::string text;
  for (const FileAck& ack : acks)
    text += ack.stream.ToString() + " " + ack.position.epoch.ToString() + " " +
            std::to_string(ack.position.sequence) + ack.position.digest.hex() + "\n";
  for (const FileWant& want : wants) {
    text += want.stream.ToString();
    for (const EntryId& id : want.ids) text += " " + id.hex();
    text += "\n";
  }
  return DigestOf(text);
}

Result<RideAlong> GatherRideAlong(const storage::ReadView& view) {
  RideAlong ride;
  DIRSYNC_TRY(instances, ListInstances(view));
  for (const InstanceSettings& settings : instances) {
    if (!settings.imports) continue;
    DIRSYNC_TRY(number, FindNumber(view, "import/" + FoldName(settings.name)));
    if (!number) continue;
    DIRSYNC_TRY(state, LoadReader(view, *number));
    if (!state || state->source != SourceKind::kStream || state->cursor.epoch.counter == 0)
      continue;
    ride.acks.push_back({state->stream, state->cursor});
    DIRSYNC_TRY(wanted, WantedIds(view, *number));
    if (!wanted.empty()) ride.wants.push_back({state->stream, std::move(wanted)});
  }
  return ride;
}

Result<std::vector<std::string>> TakeRideAlong(Store& store, storage::Transaction& transaction,
                                               const FileHeader& header) {
  std::vector<std::string> notes;
  std::set<storage::StreamNumber> begun;
  for (const FileAck& ack : header.acks) {
    DIRSYNC_TRY(note, TakeOneAck(store, transaction, header.stream.site, ack, begun));
    if (!note.empty()) notes.push_back(std::move(note));
  }
  for (const FileWant& want : header.wants) DIRSYNC_CHECK(TakeOneWant(store, transaction, want));
  return notes;
}

}  // namespace dirsync
