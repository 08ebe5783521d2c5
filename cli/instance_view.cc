#include "cli/instance_view.h"

#include "cli/instance_options.h"
#include "cli/json.h"
#include "proto/base/crypto.h"
#include "proto/base/text.h"
#include "proto/trust/membership.h"

namespace dirsync::cli {
namespace {

constexpr std::size_t kLabelWidth = 20;

void PrintLine(Context& context, std::string_view label, std::string_view value) {
  std::string text = "  " + std::string(label);
  text.append(text.size() < kLabelWidth ? kLabelWidth - text.size() : 1, ' ');
  context.out() << text << ' ' << Printable(value, 4096) << '\n';
}

std::string ProducerJson(const ProducerState& producer, const std::vector<ReaderAck>& acks) {
  std::string list = "[";
  for (const ReaderAck& ack : acks) {
    if (list.size() > 1) list += ',';
    list += JsonObject()
                .Text("site", ack.site)
                .Text("epoch", ack.position.epoch.ToString())
                .Number("sequence", ack.position.sequence)
                .Finish();
  }
  return JsonObject()
      .Text("stream", producer.name.ToString())
      .Text("epoch", producer.epoch.ToString())
      .Number("sequence", producer.sequence)
      .Number("mark", producer.mark)
      .Number("told", producer.rows)
      .Text("sum", producer.sum.hex())
      .Raw("readers", list + "]")
      .Finish();
}

std::string ReaderJson(const ReaderState& reader) {
  const bool stream = reader.source == SourceKind::kStream;
  std::uint64_t rows = 0;
  for (const auto& [entry_class, count] : reader.rows) rows += count;
  return JsonObject()
      .Text("source", stream ? "stream" : "foreign")
      .Text("stream", stream ? reader.stream.ToString() : "")
      .Text("epoch", stream ? reader.cursor.epoch.ToString() : "")
      .Number("sequence", reader.cursor.sequence)
      .Number("entries", rows)
      .Text("sum", stream ? reader.sum.hex() : "")
      .Text("fingerprint", reader.signer.is_zero() ? "" : Fingerprint(reader.signer))
      .Bool("suspect", reader.suspect.has_value())
      .Bool("full_copy_under_way", reader.full.has_value())
      .Finish();
}

void PrintProducer(Context& context, const ProducerState& producer,
                   const std::vector<ReaderAck>& acks) {
  PrintLine(context, "stream", producer.name.ToString());
  PrintLine(context, "told",
            Counted(producer.rows, "entry", "entries") + ", sequence " +
                Grouped(producer.sequence) + " of epoch " + std::to_string(producer.epoch.counter));
  PrintLine(context, "mark", "USN " + std::to_string(producer.mark));
  for (const ReaderAck& ack : acks)
    PrintLine(context, "read by",
              ack.site + " up to " + Grouped(ack.position.sequence) + " of epoch " +
                  std::to_string(ack.position.epoch.counter));
}

void PrintReader(Context& context, const ReaderState& reader) {
  if (reader.source == SourceKind::kForeign) {
    PrintLine(context, "source",
              "foreign files, " + Counted(reader.cursor.sequence, "file") + " read");
    return;
  }
  std::uint64_t rows = 0;
  for (const auto& [entry_class, count] : reader.rows) rows += count;
  PrintLine(context, "source", reader.stream.ToString());
  PrintLine(context, "read",
            Counted(rows, "entry", "entries") + ", sequence " + Grouped(reader.cursor.sequence) +
                " of epoch " + std::to_string(reader.cursor.epoch.counter));
  if (!reader.signer.is_zero()) PrintLine(context, "trusted key", Fingerprint(reader.signer));
  if (reader.suspect) PrintLine(context, "stopped", "a suspect run waits: dirsync held list");
  if (reader.full) PrintLine(context, "under way", "a full copy; the next run goes on with it");
}

}  // namespace

Result<InstanceState> StateOf(const storage::ReadView& view, InstanceSettings settings) {
  InstanceState state;
  const std::string name = FoldName(settings.name);
  state.settings = std::move(settings);
  DIRSYNC_TRY(export_number, FindNumber(view, "export/" + name));
  if (export_number) {
    DIRSYNC_TRY(producer, LoadProducer(view, *export_number));
    state.producer = std::move(producer);
  }
  DIRSYNC_TRY(import_number, FindNumber(view, "import/" + name));
  if (import_number) {
    state.import_number = *import_number;
    DIRSYNC_TRY(reader, LoadReader(view, *import_number));
    if (reader && reader->source != SourceKind::kUnbound) state.reader = std::move(reader);
  }
  return state;
}

Result<std::vector<InstanceState>> AllStates(const storage::ReadView& view) {
  DIRSYNC_TRY(instances, ListInstances(view));
  std::vector<InstanceState> states;
  for (InstanceSettings& settings : instances) {
    DIRSYNC_TRY(state, StateOf(view, std::move(settings)));
    states.push_back(std::move(state));
  }
  return states;
}

std::string NameOfImport(const std::vector<InstanceState>& states, storage::StreamNumber number) {
  for (const InstanceState& state : states)
    if (state.import_number == number) return state.settings.name;
  return "";
}

Result<> PrintInstance(Context& context, Store& store, const InstanceSettings& settings) {
  DIRSYNC_TRY(state, StateOf(store.storage(), settings));
  std::vector<ReaderAck> acks;
  if (state.producer) {
    DIRSYNC_TRY(listed, ListAcks(store.storage(), state.producer->number));
    acks = std::move(listed);
  }
  if (context.json()) {
    JsonObject more;
    if (state.producer) more.Raw("export", ProducerJson(*state.producer, acks));
    if (state.reader) more.Raw("import", ReaderJson(*state.reader));
    context.out() << InstanceJsonFields(settings, more.Finish()) << '\n';
    return {};
  }
  context.out() << Coloured(Printable(settings.name), Colour::kBold, context.out_colours()) << '\n';
  for (const auto& [name, value] : DescribeInstance(context, settings))
    PrintLine(context, name, value);
  if (state.producer) PrintProducer(context, *state.producer, acks);
  if (state.reader) PrintReader(context, *state.reader);
  if (!state.producer && !state.reader) PrintLine(context, "position", "not yet run");
  return {};
}

std::string DirectionText(const Context& context, const InstanceSettings& settings) {
  auto named = [&](const std::string& file) {
    return file.empty() ? std::string("(no file yet)") : context.ShortPath(file);
  };
  std::string text;
  if (settings.imports) text = "imports " + named(settings.import_file);
  if (settings.exports)
    text += (text.empty() ? "exports to " : ", exports to ") + named(settings.export_file);
  return text.empty() ? "no direction yet" : text;
}

Result<bool> IsCarriedByBroker(const storage::ReadView& view, const InstanceSettings& settings) {
  DIRSYNC_TRY(membership, LoadMembership(view));
  return membership && UsesBroker(settings.transport);
}

Result<> TellMissing(Context& context, Store& store, const InstanceSettings& settings,
                     bool old_spelling) {
  const std::string missing = Join(MissingSettings(settings, old_spelling), " and ");
  DIRSYNC_TRY(by_broker, IsCarriedByBroker(store.storage(), settings));
  if (!settings.exports && !settings.imports) {
    context.Warn("before it can run it still needs " + missing);
  } else if (!missing.empty() && !by_broker) {
    context.Note(std::string("an agent's folders") +
                 (UsesBroker(settings.transport) ? ", or the broker," : "") +
                 " carry it as it is; a run by hand needs " + missing);
  }
  return {};
}

}  // namespace dirsync::cli
