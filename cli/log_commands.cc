// log verify, log peek: what a broker's log holds.
#include "broker/core/log_check.h"
#include "cli/command.h"
#include "cli/duty.h"
#include "cli/json.h"
#include "proto/base/measure.h"
#include "proto/base/text.h"
#include "proto/codec/batch_codec.h"

namespace dirsync::cli {
namespace {

constexpr std::uint64_t kLastBatches = 1000;

// The view that holds the logs. kNotFound: no broker's store.
Result<const storage::ReadView*> LogView(Context& context, std::string_view command) {
  const Serving* serving = context.console().serving;
  if (serving != nullptr && serving->log) return serving->log();
  const auto path = context.StorePath();
  if (!path) return std::unexpected(path.error());
  if (context.console().open_store != nullptr || !BrokerStore::IsThere(*path))
    return Fail(ErrorCode::kNotFound, std::string(command) + ": this is not the store of a broker",
                "name the broker's store by --store");
  DIRSYNC_TRY(admin, context.OpenBroker());
  return &admin->store().storage();
}

Result<std::vector<LogState>> LogsOf(const storage::ReadView& view, const std::string& only) {
  DIRSYNC_TRY(logs, StreamLog::Open(view));
  if (only.empty()) return std::move(logs);
  std::vector<std::string> names;
  for (const LogState& log : logs) names.push_back(log.stream.ToString());
  std::erase_if(logs, [&](const LogState& log) { return log.stream.ToString() != only; });
  if (logs.empty())
    return Fail(ErrorCode::kNotFound,
                "no log of stream " + Printable(only) + DidYouMean(only, names),
                "dirsync broker streams lists them");
  return std::move(logs);
}

void PrintCheck(Context& context, const LogState& log, const LogCheck& check) {
  if (context.json()) {
    context.out() << JsonObject()
                         .Text("stream", log.stream.ToString())
                         .Bool("valid", check.faults.empty())
                         .Number("batches", check.batches)
                         .Number("bytes", check.bytes)
                         .Number("other_key", check.other_key)
                         .Texts("faults", check.faults)
                         .Finish()
                  << '\n';
    return;
  }
  context.out() << Printable(log.stream.ToString()) << ": "
                << CountText(check.batches, "batch", "batches") << ", " << BytesText(check.bytes)
                << ", "
                << (check.faults.empty() ? "all right" : CountText(check.faults.size(), "fault"))
                << '\n';
  for (const std::string& fault : check.faults) context.out() << "  " << Printable(fault) << '\n';
  if (check.other_key > 0)
    context.Note(CountText(check.other_key, "batch", "batches") +
                 " signed by another key than the roster has now: told before the site got new "
                 "keys, or not by it");
}

Result<int> Verify(Context& context, const Arguments& arguments) {
  DIRSYNC_TRY(view, LogView(context, "log verify"));
  DIRSYNC_TRY(logs, LogsOf(*view, arguments.words().empty() ? "" : arguments.words().front()));
  bool valid = true;
  for (const LogState& log : logs) {
    Position from = log.base;
    if (!arguments.Has("--all")) {
      DIRSYNC_TRY(last, LastBatches(*view, log, kLastBatches));
      from = last;
    }
    DIRSYNC_TRY(check, CheckLog(*view, log, from, [&] { return context.interrupted(); }));
    PrintCheck(context, log, check);
    valid = valid && check.faults.empty();
  }
  if (logs.empty()) context.Note("no stream is kept yet");
  return valid ? 0 : InfoOf(ErrorCode::kCorrupt).exit_status;
}

std::string_view KindName(const Change& change) {
  if (change.unknown_kind != 0) return "unknown";
  switch (change.kind) {
    case ChangeKind::kAdd:
      return "add";
    case ChangeKind::kModify:
      return "modify";
    case ChangeKind::kRename:
      return "rename";
    case ChangeKind::kDelete:
      return "delete";
  }
  return "unknown";
}

// Names and values are people's data: shown only if asked for.
std::string ChangeJson(const Change& change, bool values) {
  JsonObject object;
  object.Text("kind", KindName(change))
      .Text("class", ClassName(change.entry_class))
      .Text("id", change.id.hex())
      .Number("attributes", change.attributes.size());
  if (values) object.Text("name", change.name).Text("target", change.target_address);
  return object.Finish();
}

void PrintChange(Context& context, const Change& change, bool values) {
  context.out() << "  " << KindName(change) << ' ' << ClassName(change.entry_class) << ' '
                << change.id.hex() << ", " << CountText(change.attributes.size(), "attribute");
  if (values)
    context.out() << ", " << Printable(change.name) << ' ' << Printable(change.target_address);
  context.out() << '\n';
}

Result<int> Peek(Context& context, const Arguments& arguments) {
  DIRSYNC_TRY(view, LogView(context, "log peek"));
  DIRSYNC_TRY(logs, LogsOf(*view, arguments.words().front()));
  Position at = logs.front().tail;
  if (const auto text = arguments.Value("--sequence")) {
    const auto sequence = ParseNumber(*text);
    if (!sequence)
      return Fail(ErrorCode::kUsage, "log peek: --sequence takes a number: " + Printable(*text));
    at.sequence = *sequence;
  }
  DIRSYNC_TRY(found, StreamLog::Find(*view, logs.front(), at));
  if (!found)
    return Fail(ErrorCode::kNotFound,
                "log peek: sequence " + std::to_string(at.sequence) + " is not kept",
                "dirsync broker streams shows what is");
  DIRSYNC_TRY(header, PeekBatch(*found->payload));
  // Not its signature, which `log verify` checks: what is there, whoever wrote it.
  DIRSYNC_TRY(batch, DecodeBatch(*found->payload, header.signer));
  const bool values = arguments.Has("--show-values");
  if (context.json()) {
    std::vector<std::string> changes;
    for (const Change& change : batch.changes) changes.push_back(ChangeJson(change, values));
    context.out() << JsonObject()
                         .Text("stream", batch.stream.ToString())
                         .Text("epoch", batch.epoch.ToString())
                         .Number("sequence", batch.sequence)
                         .Text("digest", found->position.digest.hex())
                         .Number("bytes", found->payload->size())
                         .Text("time", FormatTime(batch.time))
                         .Text("fingerprint", Fingerprint(header.signer))
                         .Number("rows", batch.rows_after)
                         .Raw("changes", "[" + Join(changes, ",") + "]")
                         .Finish()
                  << '\n';
    return 0;
  }
  context.out() << Printable(batch.stream.ToString()) << " sequence " << batch.sequence
                << " of epoch " << batch.epoch.counter << ", " << FormatTime(batch.time) << ", "
                << BytesText(found->payload->size()) << "\n  digest "
                << found->position.digest.hex() << "\n  signed by the key of fingerprint "
                << Fingerprint(header.signer) << '\n';
  for (const Change& change : batch.changes) PrintChange(context, change, values);
  if (!values && !batch.changes.empty()) context.Note("names and addresses: --show-values");
  return 0;
}

}  // namespace

CommandGroup LogCommands() {
  return {
      "The log of a broker",
      {
          {.path = "log verify",
           .arguments = "[STREAM]",
           .words_max = 1,
           .help = "numbers, chain, digests and signatures of the last 1,000 batches",
           .examples = {"dirsync log verify", "dirsync log verify Testorg/Site1/INSTANCE1 --all"},
           .options = {{"--all", "", "of all batches kept; the broker waits meanwhile"}},
           .run = Verify,
           .changes = false},
          {.path = "log peek",
           .arguments = "STREAM",
           .words_min = 1,
           .words_max = 1,
           .help = "one batch, without taking it from anybody",
           .examples = {"dirsync log peek Testorg/Site1/INSTANCE1 --sequence 7"},
           .options = {{"--sequence", "N", "of the epoch of the last batch (default: the last)"},
                       {"--show-values", "", "names and addresses too"}},
           .run = Peek,
           .changes = false},
      }};
}

}  // namespace dirsync::cli
