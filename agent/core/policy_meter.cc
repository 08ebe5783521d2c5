#include "agent/core/policy_meter.h"

#include "agent/core/site_policy.h"
#include "agent/core/site_usage.h"
#include "proto/base/measure.h"
#include "proto/base/text.h"

namespace dirsync {
namespace {

// What is judged, for the error's text.
std::string NameOf(const StreamName& stream) {
  return stream.instance.empty() ? "ad-hoc file of " + Printable(stream.site) : stream.ToString();
}

std::unexpected<Error> TooManyObjects(const StreamName& stream, std::uint64_t before,
                                      std::uint64_t after, std::uint64_t most) {
  const std::string site = Printable(stream.site);
  return Fail(ErrorCode::kOverLimit,
              "apply " + NameOf(stream) + ": " + site + " has " + CountText(before, "object") +
                  " here and would have " + CountText(after, "object") + ", and " +
                  std::to_string(most) + " are the most; nothing of it was applied",
              "dirsync sites policy " + site + " --max-objects " + std::to_string(after));
}

std::unexpected<Error> TooManyChanges(const StreamName& stream, std::uint64_t used,
                                      std::uint64_t changes, std::uint64_t most,
                                      std::optional<Instant> again) {
  const std::string site = Printable(stream.site);
  const std::string command = "dirsync sites policy " + site + " --max-changes-per-hour ";
  const std::string what =
      "apply " + NameOf(stream) + ": " + site + " has made " + CountText(used, "change") +
      " here in the last hour, and this would be " + CountText(changes, "change") + " more";
  if (again) {
    Error error{ErrorCode::kOverLimit,
                what + ", and " + std::to_string(most) + " are the most; it goes on by itself at " +
                    FormatTime(*again),
                "at once by: " + command + std::to_string(used + changes), *again};
    return std::unexpected(std::move(error));
  }
  return Fail(ErrorCode::kOverLimit,
              what + ": more at once than the " + std::to_string(most) +
                  " of a whole hour, so it waits for a person",
              command + std::to_string(used + changes));
}

Result<> JudgeRate(storage::Transaction& transaction, const ReaderState& state,
                   const SiteLimits& limits, std::uint64_t changes, Instant now, RateRule rate) {
  const std::string& site = state.stream.site;
  if (rate == RateRule::kCounted) {
    DIRSYNC_TRY(usage, LoadUsage(transaction, site, now));
    const std::uint64_t most = limits.max_changes_per_hour;
    const std::optional<Instant> fits = FitsAt(usage, changes, most, now);
    if (fits != now)
      return TooManyChanges(state.stream, ChangesOfHour(usage, now), changes, most, fits);
  }
  return CountChanges(transaction, site, changes, now);
}

// Whether `before` to `after` is where a warning is due.
bool Crosses(std::uint64_t before, std::uint64_t after, std::uint64_t most) {
  if (most == kUnlimited) return false;
  const std::uint64_t near = (most * limits::kSiteWarnPercent + 99) / 100;
  return before < near && after >= near;
}

}  // namespace

Result<bool> SurelyPasses(const storage::ReadView& view, const ReaderState& state,
                          std::uint64_t more, Instant now) {
  const std::string& site = state.stream.site;
  DIRSYNC_TRY(limits, LimitsOf(view, site));
  DIRSYNC_TRY(others, ObjectsOf(view, site, state.number));
  if (others + RowsOf(state) + more > limits.max_objects) return false;
  DIRSYNC_TRY(usage, LoadUsage(view, site, now));
  return FitsAt(usage, more, limits.max_changes_per_hour, now) == now;
}

Result<std::string> PolicyMeter::Judge(storage::Transaction& transaction, const ReaderState& state,
                                       const ApplyCounts& counts, Instant now, RateRule rate) {
  const std::uint64_t rows = RowsOf(state);
  const std::uint64_t changes = counts.changes() - changes_;
  if (rows <= rows_ && (changes == 0 || rate == RateRule::kFree)) {
    rows_ = rows;
    changes_ = counts.changes();
    return std::string();
  }
  const StreamName& stream = state.stream;
  DIRSYNC_TRY(limits, LimitsOf(transaction, stream.site));
  std::string warning;
  if (rows > rows_) {
    DIRSYNC_TRY(others, ObjectsOf(transaction, stream.site, state.number));
    const std::uint64_t before = others + rows_;
    const std::uint64_t after = others + rows;
    const std::uint64_t most = limits.max_objects;
    if (after > most) return TooManyObjects(stream, before, after, most);
    if (Crosses(before, after, most))
      warning = Printable(stream.site) + " has " + CountText(after, "object") +
                " here of at most " + std::to_string(most) + "; dirsync sites policy " +
                Printable(stream.site) + " shows and changes its limits";
  }
  if (changes > 0 && rate != RateRule::kFree)
    DIRSYNC_CHECK(JudgeRate(transaction, state, limits, changes, now, rate));
  rows_ = rows;
  changes_ = counts.changes();
  return warning;
}

}  // namespace dirsync
