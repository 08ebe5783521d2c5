// Plans: the effects of a run, named by an id that changes when any of them would.
#include "agent/service/run.h"
#include "proto/base/bytes.h"
#include "proto/base/text.h"
#include "storage/key.h"

namespace dirsync {
namespace {

constexpr std::size_t kLinesKept = 10000;

std::string PlanKey(std::string_view id) { return storage::ProgressKey("plan/" + std::string(id)); }

}  // namespace

Result<Plan> MakePlan(Store& store, const RunRequest& request, Direction direction) {
  Plan plan;
  DigestStream digest;
  digest.Update(request.settings.name +
                (direction == Direction::kExport ? "\nexport" : "\nimport"));
  if (request.full) digest.Update("\nfull");
  RunRequest dry = request;
  dry.dry_run = true;
  dry.confirm = {};
  dry.plan = [&](const PlanLine& line) {
    digest.Update("\n" + line.action + "\t" + line.name + "\t" + line.reason);
    if (plan.lines.size() < kLinesKept) plan.lines.push_back(line);
  };
  auto report = direction == Direction::kExport ? RunExport(store, dry) : RunImport(store, dry);
  if (!report) return std::unexpected(report.error());
  digest.Update("\n" + report->epoch.ToString() + " " + std::to_string(report->counts.unchanged));
  plan.report = std::move(*report);
  plan.id = digest.Finish().hex().substr(0, 16);
  DIRSYNC_CHECK(store.Write([&](storage::Transaction& transaction) -> Result<> {
    std::string row;
    RowWriter out(row);
    out.Bytes(request.settings.name);
    out.U8(static_cast<std::uint8_t>(direction));
    out.U8(request.full ? 1 : 0);
    transaction.Put(PlanKey(plan.id), std::move(row));
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
  RowReader in(*row);
  std::string instance(in.Bytes());
  auto direction = static_cast<Direction>(in.U8());
  bool full = in.U8() != 0;
  RunRequest request;
  DIRSYNC_TRY(settings, LoadInstance(store.storage(), instance));
  request.settings = std::move(settings);
  request.full = full;
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
