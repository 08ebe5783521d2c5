// What this agent says of itself.
#include "agent/core/wanted.h"
#include "agent/link/link_state.h"
#include "proto/base/measure.h"
#include "proto/base/text.h"
#include "storage/key.h"

namespace dirsync {
namespace {

constexpr std::uint64_t kCountedMost = 10'000;  // of a report, which must stay cheap

constexpr std::uint64_t kAll = ~std::uint64_t{0};

// Rows of a table of one stream, up to a bound.
std::uint64_t CountRows(const storage::ReadView& view, storage::Table table,
                        storage::StreamNumber number, std::uint64_t most) {
  const auto [lower, upper] = storage::StreamRange(table, number);
  std::uint64_t count = 0;
  for (auto cursor = view.Scan(lower, upper); cursor->Valid() && count < most; cursor->Next())
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
  report.held = CountRows(view, storage::Table::kHeld, link.number, kCountedMost);
  report.quarantined = CountRows(view, storage::Table::kQuarantine, link.number, kCountedMost);
  report.wanted = CountRows(view, storage::Table::kWanted, link.number, kCountedMost);
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

// How a full copy ended: "1,204 entries equal, 3 deletes held, 1 kept, 2 quarantined". What its
// source has told is applied or quarantined; the other rows here are deletes of it that were held,
// or that a person rejected.
std::string Link::State::EqualText(const ImportLink& link) const {
  const storage::ReadView& view = store.storage();
  const std::uint64_t quarantined = CountRows(view, storage::Table::kQuarantine, link.number, kAll);
  const std::uint64_t held = CountRows(view, storage::Table::kHeld, link.number, kAll);
  std::uint64_t rows = 0;
  if (auto reader = LoadReader(view, link.number); reader && *reader)
    for (const auto& [entry_class, count] : (*reader)->rows) rows += count;
  const std::uint64_t told = link.equal_rows;
  std::string text = CountText(told - std::min(told, quarantined), "entry", "entries") + " equal";
  if (held > 0) text += ", " + CountText(held, "delete") + " held";
  if (rows > told + held) text += ", " + CountText(rows - told - held, "kept", "kept");
  if (quarantined > 0) text += ", " + CountText(quarantined, "quarantined", "quarantined");
  return text;
}

std::string Link::EqualText(const std::string& instance) const {
  const auto link = state_->imports.find(FoldName(instance));
  return link == state_->imports.end() ? "" : state_->EqualText(link->second);
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
