// What this agent says of itself.
#include "agent/core/wanted.h"
#include "agent/link/link_state.h"
#include "proto/base/measure.h"
#include "proto/base/text.h"
#include "storage/key.h"

namespace dirsync {
namespace {

constexpr std::uint64_t kCountedMost = 10'000;

// Rows of a table of one stream, up to a bound: a report must stay cheap.
std::uint64_t CountRows(const storage::ReadView& view, storage::Table table,
                        storage::StreamNumber number) {
  const auto [lower, upper] = storage::StreamRange(table, number);
  std::uint64_t count = 0;
  for (auto cursor = view.Scan(lower, upper); cursor->Valid() && count < kCountedMost;
       cursor->Next())
    ++count;
  return count;
}

InstanceReport ReportOf(const ExportLink& link) {
  InstanceReport report;
  report.instance = link.settings.name;
  report.exports = true;
  report.stream = link.state.name;
  report.position = link.state.position();
  report.rows = link.state.rows;
  report.captured = link.captured;
  report.outbox_batches = link.state.sequence - link.state.trimmed;
  report.canary_at = link.told_at;
  const auto& stopped = link.stalled ? link.stalled : link.refused;
  if (const auto& problem = stopped ? stopped : link.full; problem) {
    report.problem = problem->code;
    report.problem_text = problem->message.substr(0, 1024);
  }
  return report;
}

InstanceReport ReportOf(const storage::ReadView& view, const ImportLink& link) {
  InstanceReport report;
  report.instance = link.settings.name;
  report.stream = link.stream;
  if (auto reader = LoadReader(view, link.number); reader && *reader) {
    report.position = (*reader)->cursor;
    for (const auto& [entry_class, rows] : (*reader)->rows) report.rows += rows;
    report.suspect = (*reader)->suspect.has_value();
  }
  report.applied = link.applied;
  report.held = CountRows(view, storage::Table::kHeld, link.number);
  report.quarantined = CountRows(view, storage::Table::kQuarantine, link.number);
  report.wanted = CountRows(view, storage::Table::kWanted, link.number);
  report.diverged = link.diverged;
  report.sums_equal_at = link.sums_equal_at;
  report.canary_at = link.canary_at;
  if (link.copy) {
    report.full_done = link.copy->done;
    report.full_total = std::max<std::uint64_t>(1, link.copy->total);
  }
  if (link.stalled) {
    report.problem = link.stalled->code;
    report.problem_text = link.stalled->message.substr(0, 1024);
  }
  return report;
}

}  // namespace

// What the store knows of the streams of an instance that is left alone.
Result<> Link::State::ReportPaused(const InstanceSettings& instance, AgentReport& all) const {
  const storage::ReadView& view = store.storage();
  InstanceReport report;
  report.instance = instance.name;
  report.paused = true;
  DIRSYNC_TRY(written, FindNumber(view, "export/" + FoldName(instance.name)));
  DIRSYNC_TRY(producer, written ? LoadProducer(view, *written)
                                : Result<std::optional<ProducerState>>(std::nullopt));
  if (instance.exports && producer) {
    report.exports = true;
    report.stream = producer->name;
    report.position = producer->position();
    report.rows = producer->rows;
    report.outbox_batches = producer->sequence - producer->trimmed;
    all.instances.push_back(report);
  }
  DIRSYNC_TRY(read, FindNumber(view, "import/" + FoldName(instance.name)));
  DIRSYNC_TRY(reader,
              read ? LoadReader(view, *read) : Result<std::optional<ReaderState>>(std::nullopt));
  if (!instance.imports || !reader || reader->source != SourceKind::kStream) return {};
  ImportLink link;
  link.settings = instance;
  link.number = *read;
  link.stream = reader->stream;
  all.instances.push_back(ReportOf(view, link));
  all.instances.back().paused = true;
  return {};
}

// How a full copy ended: "1,204 entries equal, 3 deletes held".
std::string Link::State::EqualText(const ImportLink& link, std::uint64_t rows) const {
  std::string text = CountText(rows, "entry", "entries") + " equal";
  const std::uint64_t held = CountRows(store.storage(), storage::Table::kHeld, link.number);
  if (held > 0) text += ", " + CountText(held, "delete") + " held";
  return text;
}

AgentReport Link::Report() const {
  AgentReport report;
  report.started = state_->started;
  report.time = state_->Now();
  report.program = state_->settings.program;
  for (const auto& [name, link] : state_->exports) report.instances.push_back(ReportOf(link));
  for (const auto& [name, link] : state_->imports)
    report.instances.push_back(ReportOf(state_->store.storage(), link));
  // Of a store that fails there is nothing to report; the loop will see.
  for (const InstanceSettings& one : state_->paused)
    static_cast<void>(state_->ReportPaused(one, report));
  return report;
}

}  // namespace dirsync
