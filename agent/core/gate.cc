#include "agent/core/gate.h"

#include <algorithm>

#include "proto/base/bytes.h"
#include "proto/base/limits.h"

namespace dirsync {
namespace {

constexpr std::int64_t kHourSeconds = 3600;

std::uint64_t HourOf(std::int64_t seconds) {
  return seconds > 0 ? static_cast<std::uint64_t>(seconds / kHourSeconds) : 0;
}

std::int64_t Seconds(Instant now) { return ToMillis(now) / 1000; }

// First hour whose deletes still count: those it shares with the window count whole.
std::uint64_t FirstHour(Instant now) { return HourOf(Seconds(now) - limits::kGateWindowSeconds); }

std::string HourKey(const ReaderState& state, EntryClass entry_class, std::uint64_t hour) {
  return storage::BudgetKey(state.number, static_cast<std::uint8_t>(entry_class), hour);
}

Result<std::uint64_t> DecodeCount(std::string_view value) {
  RowReader reader(value);
  const std::uint64_t count = reader.Varint();
  if (!reader.ok() || !reader.at_end())
    return Fail(ErrorCode::kCorrupt, "read budget row: cut short or too long");
  return count;
}

// Deletes of the window. Hours of a clock that has since gone back count too.
Result<std::uint64_t> DeletesOfWindow(const storage::ReadView& view, const ReaderState& state,
                                      EntryClass entry_class, Instant now) {
  std::string lower = HourKey(state, entry_class, FirstHour(now));
  std::string upper = storage::PrefixRange(lower.substr(0, lower.size() - 8)).second;
  std::uint64_t total = 0;
  auto cursor = view.Scan(lower, upper);
  for (; cursor->Valid(); cursor->Next()) {
    DIRSYNC_TRY(count, DecodeCount(cursor->Value()));
    total += count;
  }
  DIRSYNC_CHECK(cursor->status());
  return total;
}

std::uint64_t BudgetOf(const InstanceSettings& settings, std::uint64_t rows) {
  if (!settings.max_deletes)
    return std::max(limits::kDeletesAlways, rows * limits::kDeletesPercent / 100);
  if (!settings.max_deletes->percent) return settings.max_deletes->count;
  return rows * std::min<std::uint64_t>(settings.max_deletes->count, 100) / 100;
}

std::uint64_t RowsOf(const ReaderState& state, EntryClass entry_class) {
  const auto rows = state.rows.find(entry_class);
  return rows == state.rows.end() ? 0 : rows->second;
}

// Of `state.run` at most: what the gate lets pass unseen, and what a person has seen.
std::uint64_t RetargetsAllowed(const InstanceSettings& settings, const ReaderState& state,
                               const RunId& run, EntryClass entry_class) {
  const std::uint64_t budget = BudgetOf(settings, RowsOf(state, entry_class));
  const auto approved = state.approved_retargets.find(entry_class);
  const bool seen =
      !run.is_zero() && run == state.approved_run && approved != state.approved_retargets.end();
  return seen ? std::max(budget, approved->second) : budget;
}

}  // namespace

Result<std::uint64_t> DeletesLeft(const storage::ReadView& view, const InstanceSettings& settings,
                                  const ReaderState& state, EntryClass entry_class, Instant now) {
  DIRSYNC_TRY(used, DeletesOfWindow(view, state, entry_class, now));
  // Of the rows as they were before the window's deletes: else a budget shrank while it is used.
  const std::uint64_t budget = BudgetOf(settings, RowsOf(state, entry_class) + used);
  return budget > used ? budget - used : 0;
}

Result<> CountDeletes(storage::Transaction& transaction, const ReaderState& state,
                      EntryClass entry_class, std::uint64_t deletes, Instant now) {
  auto old =
      transaction.Scan(HourKey(state, entry_class, 0), HourKey(state, entry_class, FirstHour(now)));
  for (; old->Valid(); old->Next()) transaction.Delete(std::string(old->Key()));
  DIRSYNC_CHECK(old->status());
  if (deletes == 0) return {};
  std::string key = HourKey(state, entry_class, HourOf(Seconds(now)));
  DIRSYNC_TRY(row, transaction.Get(key));
  std::uint64_t count = 0;
  if (row) {
    DIRSYNC_TRY(before, DecodeCount(*row));
    count = before;
  }
  std::string value;
  RowWriter(value).Varint(count + deletes);
  transaction.Put(std::move(key), std::move(value));
  return {};
}

Result<GateVerdict> JudgeRun(const storage::ReadView& view, const InstanceSettings& settings,
                             const RunTotals& totals, ReaderState& state, Instant now) {
  const bool named = !totals.run.is_zero();
  if (named && totals.run == state.rejected_run)
    return Fail(ErrorCode::kRefused,
                "apply run " + totals.run.hex() + " of " + state.stream.ToString() +
                    ": it was rejected here",
                "at " + state.stream.site + ", once it is put right: dirsync run " +
                    state.stream.instance + " --full");
  if (named && totals.run == state.run) return GateVerdict::kPass;
  std::map<EntryClass, bool> hold;
  for (const auto& [entry_class, of_class] : totals.by_class) {
    if (of_class.retargets > RetargetsAllowed(settings, state, totals.run, entry_class))
      return GateVerdict::kSuspect;
    if (of_class.deletes == 0) continue;
    DIRSYNC_TRY(left, DeletesLeft(view, settings, state, entry_class, now));
    if (of_class.deletes > left) hold[entry_class] = true;
  }
  state.run = totals.run;
  state.hold_deletes = std::move(hold);
  state.retargets.clear();
  for (const auto& [entry_class, of_class] : totals.by_class)
    if (of_class.retargets > 0) state.retargets[entry_class].declared = of_class.retargets;
  if (totals.run != state.approved_run) {
    state.approved_run = {};
    state.approved_retargets.clear();
  }
  return GateVerdict::kPass;
}

GateVerdict CountRetargets(const InstanceSettings& settings,
                           const std::map<EntryClass, std::uint64_t>& retargets,
                           ReaderState& state) {
  GateVerdict verdict = GateVerdict::kPass;
  for (const auto& [entry_class, count] : retargets) {
    RunRetargets& of_class = state.retargets[entry_class];
    of_class.told += count;
    const std::uint64_t allowed = RetargetsAllowed(settings, state, state.run, entry_class);
    // What was declared was judged by the rows that there were then.
    if (of_class.told > std::max(of_class.declared, allowed)) verdict = GateVerdict::kSuspect;
  }
  return verdict;
}

}  // namespace dirsync
