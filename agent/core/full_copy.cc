#include "agent/core/full_copy.h"

#include <utility>

#include "agent/core/told.h"
#include "agent/directory/entry_record.h"
#include "agent/directory/index_rows.h"
#include "proto/base/text.h"

namespace dirsync {
namespace {

// Imported entries lie between: some are stepped over, more are sought past.
constexpr int kStepsBeforeSeek = 8;
constexpr std::size_t kRankFromEnd = EntryId{}.bytes.size() + 1;

std::string Behind(std::string key) {
  key.push_back('\0');
  return key;
}

}  // namespace

struct FullCopy::State {
  State(const storage::ReadView& the_view, const Scope& the_scope, const ProducerState& the_stream)
      : view(the_view), scope(the_scope), stream(the_stream) {
    const auto [first, end] = storage::StreamRange(storage::Table::kTold, stream.number);
    told = view.Scan(first, end);
    const auto [first_entry, entries_end] = storage::TableRange(storage::Table::kEntry);
    entries = view.Scan(first_entry, entries_end);
  }

  std::unexpected<Error> Refuse(std::string_view what, std::string_view cause) const {
    return Fail(
        ErrorCode::kRefused,
        "copy " + Printable(stream.name.instance) + ": " + std::string(what) + std::string(cause),
        "capture first: `dirsync run " + Printable(stream.name.instance) + "`");
  }

  Result<> CheckStream() const {
    if (stream.compare) return Refuse("", "a compare is under way");
    if (stream.scope != scope.digest()) return Refuse("", "its scope has changed");
    return {};
  }

  // The entry of `id` into `entry`; false: none.
  Result<bool> ReadContainer(const EntryId& id) {
    DIRSYNC_TRY(row, view.Get(storage::EntryKey(id)));
    if (!row) return false;
    DIRSYNC_CHECK(DecodeEntryInto(id, *row, entry));
    return true;
  }

  // The same for ids that ascend from call to call.
  Result<bool> ReadRecipient(const EntryId& id) {
    for (int step = 0; entries->Valid() && IdAtEnd(entries->Key()) < id; ++step) {
      if (step < kStepsBeforeSeek) {
        entries->Next();
      } else {
        entries->Seek(storage::EntryKey(id));
      }
    }
    if (!entries->Valid()) {
      DIRSYNC_CHECK(entries->status());
      return false;
    }
    if (IdAtEnd(entries->Key()) != id) return false;
    DIRSYNC_CHECK(DecodeEntryInto(id, entries->Value(), entry));
    return true;
  }

  // Whether `change` says what was told. What has not changed since the mark was compared when the
  // mark passed it.
  Result<bool> IsTold(const Change& change) {
    if (entry.usn_changed <= stream.mark) return true;
    DIRSYNC_CHECK(DecodeToldInto(told->Value(), told_row));
    return IsStateOf(stream.terms.hash_key, change, told_row.state);
  }

  Result<bool> Next(Change& change) {
    if (!checked) DIRSYNC_CHECK(CheckStream());
    checked = true;
    if (!told->Valid()) {
      DIRSYNC_CHECK(told->status());
      return false;
    }
    const std::string_view key = told->Key();
    const auto rank = static_cast<storage::Rank>(key[key.size() - kRankFromEnd]);
    const EntryId id = IdAtEnd(key);
    const bool recipient = rank == storage::kRecipientRank;
    DIRSYNC_TRY(found, recipient ? ReadRecipient(id) : ReadContainer(id));
    if (!found) return Refuse("entry " + id.hex(), " is gone since the last capture");
    DIRSYNC_TRY(in_scope, scope.TellInto(entry, change));
    if (!in_scope) return Refuse(Printable(entry.name), " left the scope since the last capture");
    DIRSYNC_TRY(same, IsTold(change));
    if (!same) return Refuse(Printable(entry.name), " changed since the last capture");
    told->Next();
    last_rank = rank;
    return true;
  }

  const storage::ReadView& view;
  const Scope& scope;
  const ProducerState& stream;
  std::unique_ptr<storage::Cursor> told;
  std::unique_ptr<storage::Cursor> entries;
  bool checked = false;
  storage::Rank last_rank = 0;
  Entry entry;
  ToldRow told_row;
};

FullCopy::FullCopy(const storage::ReadView& view, const EntryStore&, const Scope& scope,
                   const ProducerState& state)
    : state_(std::make_unique<State>(view, scope, state)) {}

FullCopy::~FullCopy() = default;

Result<bool> FullCopy::Next(Change& change) { return state_->Next(change); }

storage::Rank FullCopy::rank() const { return state_->last_rank; }

void FullCopy::SeekAfter(storage::Rank rank, const EntryId& id) {
  state_->told->Seek(Behind(storage::ToldKey(state_->stream.number, rank, id)));
  if (rank == storage::kRecipientRank) {
    state_->entries->Seek(storage::EntryKey(id));
  } else {
    state_->entries->Seek(storage::EntryKey(EntryId{}));
  }
}

}  // namespace dirsync
