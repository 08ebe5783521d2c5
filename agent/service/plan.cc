// Plans: the effects of a run, named by an id that changes when any of them would.
#include "agent/service/run.h"
#include "proto/base/bytes.h"
#include "proto/base/text.h"
#include "storage/key.h"

namespace dirsync {
namespace {

constexpr std::size_t kLinesKept = 10000;

// Flags of a plan's row.
constexpr std::uint8_t kFull = 1;
constexpr std::uint8_t kScopeOverridden = 2;
constexpr std::uint8_t kResetMark = 4;
constexpr std::uint8_t kOverridden = 8;  // settings of its own follow

std::string PlanKey(std::string_view id) { return storage::ProgressKey("plan/" + std::string(id)); }

// The settings, whatever the direction chosen for this run.
std::string SettingsText(InstanceSettings settings) {
  settings.exports = settings.imports = false;
  return EncodeInstance(settings);
}

// The settings of this run, if they are not those of the instance.
Result<std::optional<std::string>> OverridesOf(Store& store, const InstanceSettings& settings) {
  DIRSYNC_TRY(stored, LoadInstance(store.storage(), settings.name));
  if (SettingsText(stored) == SettingsText(settings)) return std::nullopt;
  return EncodeInstance(settings);
}

std::string EncodePlan(const RunRequest& request, Direction direction,
                       const std::optional<std::string>& overrides) {
  std::string row;
  RowWriter out(row);
  out.Bytes(request.settings.name);
  out.U8(static_cast<std::uint8_t>(direction));
  out.U8(static_cast<std::uint8_t>((request.full ? kFull : 0) | (overrides ? kOverridden : 0) |
                                   (request.scope_overridden ? kScopeOverridden : 0) |
                                   (request.reset_mark ? kResetMark : 0)));
  if (overrides) out.Bytes(*overrides);
  return row;
}

Result<RunRequest> DecodePlan(Store& store, std::string_view row, Direction* direction) {
  RowReader in(row);
  const std::string name(in.Bytes());
  *direction = static_cast<Direction>(in.U8());
  const std::uint8_t flags = in.U8();
  RunRequest request;
  request.full = (flags & kFull) != 0;
  request.scope_overridden = (flags & kScopeOverridden) != 0;
  request.reset_mark = (flags & kResetMark) != 0;
  DIRSYNC_TRY(settings, (flags & kOverridden) != 0 ? DecodeInstance(in.Bytes())
                                                   : LoadInstance(store.storage(), name));
  if (!in.ok()) return Fail(ErrorCode::kCorrupt, "read plan row: cut short");
  request.settings = std::move(settings);
  return request;
}

}  // namespace

Result<Plan> MakePlan(Store& store, const RunRequest& request, Direction direction) {
  Plan plan;
  DigestStream digest;
  digest.Update(request.settings.name +
                (direction == Direction::kExport ? "\nexport" : "\nimport"));
  if (request.full) digest.Update("\nfull");
  DIRSYNC_TRY(overrides, OverridesOf(store, request.settings));
  // What the instance itself says counts too: changed since, the plan is stale.
  if (overrides) {
    DIRSYNC_TRY(stored, LoadInstance(store.storage(), request.settings.name));
    digest.Update("\n" + SettingsText(stored) + *overrides);
  }
  RunRequest dry = request;
  dry.dry_run = true;
  dry.confirm = {};
  dry.plan = [&](const PlanLine& line) {
    digest.Update("\n" + line.action + "\t" + line.name + "\t" + line.reason);
    if (plan.lines.size() < kLinesKept) plan.lines.push_back(line);
  };
  auto report = direction == Direction::kExport ? RunExport(store, dry) : RunImport(store, dry);
  if (!report) return std::unexpected(report.error());
  // Not the epoch's id: that of a stream that never ran is drawn by the run itself.
  digest.Update("\n" + std::to_string(report->epoch.counter) + " " +
                std::to_string(report->sequence) + " " + std::to_string(report->counts.unchanged));
  if (report->problem) digest.Update("\n" + std::string(InfoOf(report->problem->code).text));
  plan.report = std::move(*report);
  plan.id = digest.Finish().hex().substr(0, 16);
  DIRSYNC_CHECK(store.Write([&](storage::Transaction& transaction) -> Result<> {
    transaction.Put(PlanKey(plan.id), EncodePlan(request, direction, overrides));
    return {};
  }));
  return plan;
}

Result<std::vector<RunReport>> ApplyPlan(Store& store, const std::string& plan_id,
                                         const std::function<void(const Progress&)>& progress) {
  DIRSYNC_TRY(row, store.storage().Get(PlanKey(ToLowerAscii(plan_id))));
  if (!row)
    return Fail(ErrorCode::kNotFound, "applying plan " + Printable(plan_id) + ": no such plan",
                "dirsync plan INSTANCE");
  Direction direction{};
  DIRSYNC_TRY(request, DecodePlan(store, *row, &direction));
  DIRSYNC_TRY(now, MakePlan(store, request, direction));
  if (now.id != ToLowerAscii(plan_id))
    return Fail(ErrorCode::kStalePlan,
                "applying plan " + Printable(plan_id) + ": it would do something else now",
                "look at the new one, then: dirsync apply " + now.id);
  request.progress = progress;
  auto report =
      direction == Direction::kExport ? RunExport(store, request) : RunImport(store, request);
  if (!report) return std::unexpected(report.error());
  DIRSYNC_CHECK(store.Write([&](storage::Transaction& transaction) -> Result<> {
    transaction.Delete(PlanKey(now.id));
    return {};
  }));
  return std::vector<RunReport>{std::move(*report)};
}

}  // namespace dirsync
