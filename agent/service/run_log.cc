// The record of past runs (table kRun), newest kept.
#include <algorithm>

#include "agent/service/run.h"
#include "agent/service/tombstones.h"
#include "proto/base/bytes.h"
#include "storage/key.h"

namespace dirsync {
namespace {

constexpr std::uint8_t kRowVersion = 1;
constexpr std::uint64_t kRunsKept = 1000;

std::string Encode(const RunReport& report) {
  std::string row;
  RowWriter out(row);
  out.U8(kRowVersion);
  out.Bytes(report.instance);
  out.U8(static_cast<std::uint8_t>(report.direction));
  out.Varint(static_cast<std::uint64_t>(ToMillis(report.time)));
  const ApplyCounts& c = report.counts;
  for (std::uint64_t n : {c.added, c.modified, c.renamed, c.deleted, c.unchanged, c.held,
                          c.quarantined, c.wanted, c.adopted, c.superseded, report.bad_records})
    out.Varint(n);
  out.Bytes(report.stream);
  out.Varint(report.epoch.counter);
  out.Id(report.epoch.id);
  out.Varint(report.sequence);
  out.Bytes(report.file);
  out.U8(static_cast<std::uint8_t>((report.full ? 1 : 0) | (report.adhoc ? 2 : 0) |
                                   (report.sums_equal ? 4 : 0) | (report.problem ? 8 : 0)));
  if (report.problem) {
    out.Varint(static_cast<std::uint64_t>(report.problem->code));
    out.Bytes(report.problem->message);
  }
  return row;
}

Result<RunReport> Decode(std::string_view row) {
  RowReader in(row);
  RunReport report;
  std::uint8_t version = in.U8();
  report.instance = in.Bytes();
  report.direction = static_cast<Direction>(in.U8());
  report.time = FromMillis(static_cast<std::int64_t>(in.Varint()));
  ApplyCounts& c = report.counts;
  for (std::uint64_t* n :
       {&c.added, &c.modified, &c.renamed, &c.deleted, &c.unchanged, &c.held, &c.quarantined,
        &c.wanted, &c.adopted, &c.superseded, &report.bad_records})
    *n = in.Varint();
  report.stream = in.Bytes();
  report.epoch.counter = in.Varint();
  report.epoch.id = in.Id<EpochId>();
  report.sequence = in.Varint();
  report.file = in.Bytes();
  std::uint8_t flags = in.U8();
  report.full = (flags & 1) != 0;
  report.adhoc = (flags & 2) != 0;
  report.sums_equal = (flags & 4) != 0;
  if ((flags & 8) != 0) {
    auto code = static_cast<ErrorCode>(in.Varint());
    report.problem = Error{code, std::string(in.Bytes()), {}};
  }
  if (!in.ok() || version != kRowVersion)
    return Fail(ErrorCode::kCorrupt, "reading a run record: malformed");
  return report;
}

Result<std::uint64_t> LastNumber(const storage::ReadView& view) {
  DIRSYNC_TRY(row, view.Get(storage::MetaKey("runs")));
  if (!row) return 0;
  return RowReader(*row).Varint();
}

}  // namespace

Result<> RecordRun(Store& store, const RunReport& report) {
  return store.Write([&](storage::Transaction& transaction) -> Result<> {
    DIRSYNC_TRY(last, LastNumber(transaction));
    std::uint64_t number = last + 1;
    std::string counter;
    RowWriter(counter).Varint(number);
    transaction.Put(storage::MetaKey("runs"), std::move(counter));
    transaction.Put(storage::RunKey(number), Encode(report));
    if (number > kRunsKept) transaction.Delete(storage::RunKey(number - kRunsKept));
    DIRSYNC_CHECK(PurgeTombstones(transaction, store.world().Now()));
    return {};
  });
}

Result<std::vector<RunReport>> ListRuns(Store& store, std::size_t count) {
  std::vector<RunReport> runs;
  DIRSYNC_TRY(last, LastNumber(store.storage()));
  for (std::uint64_t number = last; number > 0 && runs.size() < count; --number) {
    DIRSYNC_TRY(row, store.storage().Get(storage::RunKey(number)));
    if (!row) break;
    DIRSYNC_TRY(report, Decode(*row));
    runs.push_back(std::move(report));
  }
  return runs;
}

}  // namespace dirsync
