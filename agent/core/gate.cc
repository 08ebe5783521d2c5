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

// First hour that still counts: what it shares with the window counts whole.
std::uint64_t FirstHour(Instant now) { return HourOf(Seconds(now) - limits::kGateWindowSeconds); }

// What a budget bounds; stands in the class byte of its rows' keys.
enum class Spent : std::uint8_t { kDeletes = 0, kRetargets = 0x80 };

// One budget of a stream: what is bounded, of which class.
struct Budget {
  Spent what;
  EntryClass entry_class;
};

std::string HourKey(const ReaderState& state, const Budget& budget, std::uint64_t hour) {
  const int of = static_cast<int>(budget.what) | static_cast<int>(budget.entry_class);
  return storage::BudgetKey(state.number, static_cast<std::uint8_t>(of), hour);
}

Result<std::uint64_t> DecodeCount(std::string_view value) {
  RowReader reader(value);
  const std::uint64_t count = reader.Varint();
  if (!reader.ok() || !reader.at_end())
    return Fail(ErrorCode::kCorrupt, "read budget row: cut short or too long");
  return count;
}

// What was spent in the window. Hours of a clock that has since gone back count too.
Result<std::uint64_t> SpentInWindow(const storage::ReadView& view, const ReaderState& state,
                                    const Budget& budget, Instant now) {
  std::string lower = HourKey(state, budget, FirstHour(now));
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

// Counts in the caller's commit; hours out of the window are dropped.
Result<> Spend(storage::Transaction& transaction, const ReaderState& state, const Budget& budget,
               std::uint64_t more, Instant now) {
  auto old = transaction.Scan(HourKey(state, budget, 0), HourKey(state, budget, FirstHour(now)));
  for (; old->Valid(); old->Next()) transaction.Delete(std::string(old->Key()));
  DIRSYNC_CHECK(old->status());
  if (more == 0) return {};
  std::string key = HourKey(state, budget, HourOf(Seconds(now)));
  DIRSYNC_TRY(row, transaction.Get(key));
  std::uint64_t count = 0;
  if (row) {
    DIRSYNC_TRY(before, DecodeCount(*row));
    count = before;
  }
  std::string value;
  RowWriter(value).Varint(count + more);
  transaction.Put(std::move(key), std::move(value));
  return {};
}

std::uint64_t Beyond(std::uint64_t count, std::uint64_t bound) {
  return count > bound ? count - bound : 0;
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

// As a person saw them when the approval was given.
std::uint64_t Approved(const ReaderState& state, EntryClass entry_class) {
  const auto approved = state.approved_retargets.find(entry_class);
  return approved == state.approved_retargets.end() ? 0 : approved->second;
}

Result<std::uint64_t> RetargetsLeft(const storage::ReadView& view, const InstanceSettings& settings,
                                    const ReaderState& state, EntryClass entry_class, Instant now) {
  DIRSYNC_TRY(used, SpentInWindow(view, state, {Spent::kRetargets, entry_class}, now));
  return Beyond(BudgetOf(settings, RowsOf(state, entry_class)), used);
}

// Counts `more` of one class. What a person has approved spends nothing; what is beyond that does.
// Whether it may pass: it was declared and let pass, it was approved, or the budget has it.
Result<bool> MayRetarget(storage::Transaction& transaction, const InstanceSettings& settings,
                         std::uint64_t approved, ReaderState& state, EntryClass entry_class,
                         std::uint64_t more, Instant now) {
  RunRetargets& of_class = state.retargets[entry_class];
  DIRSYNC_TRY(left, RetargetsLeft(transaction, settings, state, entry_class, now));
  const std::uint64_t spent = Beyond(of_class.told, approved);
  of_class.told += more;
  DIRSYNC_CHECK(Spend(transaction, state, {Spent::kRetargets, entry_class},
                      Beyond(of_class.told, approved) - spent, now));
  // What was declared was judged by the rows, and the window, that there were then.
  return of_class.told <= std::max({of_class.declared, approved, left + spent});
}

}  // namespace

Result<std::uint64_t> DeletesLeft(const storage::ReadView& view, const InstanceSettings& settings,
                                  const ReaderState& state, EntryClass entry_class, Instant now) {
  DIRSYNC_TRY(used, SpentInWindow(view, state, {Spent::kDeletes, entry_class}, now));
  // Of the rows as they were before the window's deletes: else a budget shrank while it is used.
  return Beyond(BudgetOf(settings, RowsOf(state, entry_class) + used), used);
}

Result<> CountDeletes(storage::Transaction& transaction, const ReaderState& state,
                      EntryClass entry_class, std::uint64_t deletes, Instant now) {
  return Spend(transaction, state, {Spent::kDeletes, entry_class}, deletes, now);
}

std::unexpected<Error> Rejected(const std::string& what, const StreamName& stream) {
  return Fail(ErrorCode::kRefused,
              "apply " + what + " of " + stream.ToString() + ": it was rejected here",
              "at " + stream.site + ", once it is put right: dirsync run " + stream.instance +
                  " --full, or by the broker dirsync resync run --full");
}

Result<GateVerdict> JudgeRun(const storage::ReadView& view, const InstanceSettings& settings,
                             const RunTotals& totals, ReaderState& state, Instant now) {
  const bool named = !totals.run.is_zero();
  if (named && totals.run == state.rejected_run)
    return Rejected("run " + totals.run.hex(), state.stream);
  // Neither time nor another run decides instead of a person.
  if (state.suspect) return GateVerdict::kSuspect;
  if (named && totals.run == state.run) return GateVerdict::kPass;
  const bool seen = named && totals.run == state.approved_run;
  std::map<EntryClass, bool> hold;
  for (const auto& [entry_class, of_class] : totals.by_class) {
    if (of_class.retargets > 0) {
      DIRSYNC_TRY(left, RetargetsLeft(view, settings, state, entry_class, now));
      const std::uint64_t approved = seen ? Approved(state, entry_class) : 0;
      if (of_class.retargets > std::max(left, approved)) return GateVerdict::kSuspect;
    }
    if (of_class.deletes == 0) continue;
    DIRSYNC_TRY(left, DeletesLeft(view, settings, state, entry_class, now));
    if (of_class.deletes > left) hold[entry_class] = true;
  }
  state.run = totals.run;
  state.hold_deletes = std::move(hold);
  if (!seen) {
    state.approved_run = {};
    state.approved_retargets.clear();
    state.retargets.clear();
  }
  // Where it was approved, a copy may have told some of it already.
  for (auto& [entry_class, of_class] : state.retargets) of_class.declared = 0;
  for (const auto& [entry_class, of_class] : totals.by_class)
    if (of_class.retargets > 0) state.retargets[entry_class].declared = of_class.retargets;
  return GateVerdict::kPass;
}

Result<GateVerdict> CountRetargets(storage::Transaction& transaction,
                                   const InstanceSettings& settings,
                                   const std::map<EntryClass, std::uint64_t>& retargets,
                                   ReaderState& state, Instant now) {
  const bool seen = !state.run.is_zero() && state.run == state.approved_run;
  GateVerdict verdict = GateVerdict::kPass;
  for (const auto& [entry_class, count] : retargets) {
    const std::uint64_t approved = seen ? Approved(state, entry_class) : 0;
    DIRSYNC_TRY(may, MayRetarget(transaction, settings, approved, state, entry_class, count, now));
    if (!may) verdict = GateVerdict::kSuspect;
  }
  return verdict;
}

Result<GateVerdict> CountCopied(storage::Transaction& transaction, const InstanceSettings& settings,
                                EntryClass entry_class, ReaderState& state, Instant now) {
  if (IsCopyRun(state.approved_run)) return GateVerdict::kPass;
  // It holds what the approved run does, too.
  const std::uint64_t approved = Approved(state, entry_class);
  DIRSYNC_TRY(may, MayRetarget(transaction, settings, approved, state, entry_class, 1, now));
  // What waits, or was rejected, would come in small pieces otherwise.
  const bool stopped = state.suspect || !state.rejected_run.is_zero();
  if (stopped && state.retargets[entry_class].told > approved) may = false;
  return may ? GateVerdict::kPass : GateVerdict::kSuspect;
}

}  // namespace dirsync
