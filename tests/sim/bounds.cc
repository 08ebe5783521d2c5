#include "tests/sim/bounds.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <set>

#include "agent/core/mirror.h"
#include "agent/core/producer_state.h"
#include "agent/core/wanted.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "storage/key.h"

namespace dirsync::sim {
namespace {

using storage::StreamNumber;
using storage::Table;

constexpr std::size_t kRunsKept = 1000;
constexpr std::size_t kBudgetClasses = 8;  // deletes of each class, and retargets
constexpr std::size_t kBudgetHours = 26;   // 24, and the two it begins and ends in

using Visit = std::function<void(std::string_view key, std::string_view row)>;

void EachRow(Site& site, Table table, const Visit& visit) {
  const auto range = storage::TableRange(table);
  auto cursor = site.storage->Scan(range.first, range.second);
  for (; cursor->Valid(); cursor->Next()) visit(cursor->Key(), cursor->Value());
}

EntryId IdAtEnd(std::string_view key) { return *EntryId::FromBytes(key.substr(key.size() - 16)); }

std::size_t CountRows(Site& site, Table table) {
  std::size_t rows = 0;
  EachRow(site, table, [&](std::string_view, std::string_view) { ++rows; });
  return rows;
}

std::map<StreamNumber, std::size_t> CountByStream(Site& site, Table table) {
  std::map<StreamNumber, std::size_t> rows;
  EachRow(site, table,
          [&](std::string_view key, std::string_view) { ++rows[storage::StreamOfKey(key)]; });
  return rows;
}

class Bounds {
 public:
  explicit Bounds(Site& site) : site_(site) {}
  std::vector<std::string> Check() {
    CheckOutboxes();
    CheckWanted();
    CheckHeld();
    for (const auto& [number, rows] : CountByStream(site_, Table::kDigest))
      AtMost(rows, limits::kDigestsKept, "digests of stream " + std::to_string(number));
    for (const auto& [number, rows] : CountByStream(site_, Table::kBudget))
      AtMost(rows, kBudgetClasses * kBudgetHours, "budget rows of " + std::to_string(number));
    AtMost(CountRows(site_, Table::kRun), kRunsKept, "runs");
    AtMost(CountRows(site_, Table::kUsn), CountRows(site_, Table::kEntry), "USN rows");
    return std::move(broken_);
  }

 private:
  void AtMost(std::uint64_t is, std::uint64_t bound, const std::string& what) {
    if (is > bound)
      broken_.push_back(what + ": " + std::to_string(is) + ", bound " + std::to_string(bound));
  }

  // The outbox is what its producer says, and nothing that all its readers have acked.
  void CheckOutboxes() {
    std::map<StreamNumber, std::pair<std::uint64_t, std::set<Sequence>>> outboxes;
    EachRow(site_, Table::kOutbox, [&](std::string_view key, std::string_view row) {
      auto& [bytes, sequences] = outboxes[storage::StreamOfKey(key)];
      bytes += row.size();
      std::uint64_t sequence = 0;
      for (const char byte : key.substr(key.size() - 8))
        sequence = sequence << 8 | static_cast<unsigned char>(byte);
      sequences.insert(sequence);
      AtMost(row.size(), limits::kBatchBytes, "a batch");
    });
    EachRow(site_, Table::kStream, [&](std::string_view, std::string_view row) {
      const auto state = DecodeProducer(row);
      if (!state) return broken_.push_back("unreadable producer");
      const auto& [bytes, sequences] = outboxes[state->number];
      AtMost(bytes, limits::kOutboxBytes, "outbox");
      if (bytes != state->outbox_bytes)
        broken_.push_back("outbox holds " + std::to_string(bytes) + " bytes, not " +
                          std::to_string(state->outbox_bytes));
      AtMost(sequences.size(), state->sequence - state->trimmed, "batches in the outbox");
      AtMost(LowestAck(*state), state->trimmed, "acked batches still kept");
      outboxes.erase(state->number);
    });
    for (const auto& [number, outbox] : outboxes)
      if (!outbox.second.empty())
        broken_.push_back("an outbox without producer: " + std::to_string(number));
  }

  // What every reader of the instance has acked in this epoch.
  Sequence LowestAck(const ProducerState& state) {
    const auto settings = LoadInstance(*site_.storage, state.name.instance);
    const auto acks = ListAcks(*site_.storage, state.number);
    if (!settings || !acks || settings->readers.empty()) return 0;
    Sequence lowest = state.sequence;
    for (const std::string& reader : settings->readers) {
      Sequence acked = 0;
      for (const ReaderAck& ack : *acks)
        if (ToLowerAscii(ack.site) == ToLowerAscii(reader) && ack.position.epoch == state.epoch)
          acked = ack.position.sequence;
      lowest = std::min(lowest, acked);
    }
    return lowest;
  }

  // No want outlives its answer.
  void CheckWanted() {
    EachRow(site_, Table::kWanted, [&](std::string_view key, std::string_view row) {
      if (row.empty()) return;  // a producer's: whom somebody asked for
      const auto wanted = DecodeWanted(row);
      if (!wanted) return broken_.push_back("unreadable wanted row");
      const auto mirror = MirrorAt(storage::StreamOfKey(key), IdAtEnd(key));
      if (mirror && mirror->status == MirrorStatus::kApplied && mirror->version > *wanted)
        broken_.push_back("a want that was answered: " + IdAtEnd(key).hex());
    });
  }

  // A held row and its mirror row go together.
  void CheckHeld() {
    std::size_t held = 0;
    EachRow(site_, Table::kMirror, [&](std::string_view, std::string_view row) {
      const auto mirror = DecodeMirror(row);
      held += mirror && mirror->status == MirrorStatus::kHeld ? 1 : 0;
    });
    AtMost(CountRows(site_, Table::kHeld), held, "held rows");
  }

  std::optional<MirrorRow> MirrorAt(StreamNumber number, const EntryId& id) {
    for (const storage::Rank rank : {storage::kRecipientRank, storage::Rank{0}}) {
      const auto row = site_.storage->Get(storage::MirrorKey(number, rank, id));
      if (!row || !*row) continue;
      if (auto mirror = DecodeMirror(**row)) return std::move(*mirror);
    }
    return std::nullopt;
  }

  Site& site_;
  std::vector<std::string> broken_;
};

}  // namespace

std::vector<std::string> BrokenBounds(Site& site) { return Bounds(site).Check(); }

std::vector<std::string> OldTombstones(Site& site) {
  const auto oldest = site.world->Now() - std::chrono::seconds(limits::kTombstoneSeconds);
  const std::string first_kept = storage::TombstoneKey(ToMillis(oldest), EntryId{});
  std::vector<std::string> old;
  EachRow(site, Table::kTombstone, [&](std::string_view key, std::string_view) {
    if (key < first_kept) old.push_back("a tombstone beyond its time: " + IdAtEnd(key).hex());
  });
  return old;
}

}  // namespace dirsync::sim
