// file show, file verify: sync files looked at without a store.
#include "agent/file/foreign_file.h"
#include "agent/file/sync_file_reader.h"
#include "cli/command.h"
#include "cli/json.h"
#include "proto/base/crypto.h"
#include "proto/base/text.h"

namespace dirsync::cli {
namespace {

constexpr std::size_t kErrorsShown = 100;

struct Counts {
  std::uint64_t adds = 0, modifies = 0, renames = 0, deletes = 0;
  void Count(ChangeKind kind) {
    switch (kind) {
      case ChangeKind::kAdd:
        ++adds;
        break;
      case ChangeKind::kModify:
        ++modifies;
        break;
      case ChangeKind::kRename:
        ++renames;
        break;
      case ChangeKind::kDelete:
        ++deletes;
        break;
    }
  }
  std::string Text() const {
    return Grouped(adds) + " add, " + Grouped(modifies) + " modify, " + Grouped(renames) +
           " rename, " + Grouped(deletes) + " delete";
  }
};

// What a foreign file holds.
struct ForeignContent {
  Counts counts;
  std::uint64_t records = 0;
  std::uint64_t bad = 0;
  std::vector<ForeignError> errors;  // the first kErrorsShown
};
Result<ForeignContent> ReadForeign(ByteSource& source) {
  ForeignContent content;
  ForeignVisitor visitor;
  visitor.record = [&](ForeignRecord& record) -> Result<> {
    ++content.records;
    content.counts.Count(record.kind);
    return {};
  };
  visitor.error = [&](const ForeignError& error) -> Result<> {
    if (++content.bad <= kErrorsShown) content.errors.push_back(error);
    return {};
  };
  DIRSYNC_CHECK(ReadForeignFile(source, visitor));
  return content;
}

void PrintLine(Context& context, std::string_view label, std::string_view value) {
  std::string text = "  " + std::string(label);
  text.append(text.size() < 16 ? 16 - text.size() : 1, ' ');
  context.out() << text << ' ' << Printable(value, 4096) << '\n';
}

std::string HeaderJson(const FileHeader& header, JsonObject object) {
  std::vector<std::string> acks;
  for (const FileAck& ack : header.acks)
    acks.push_back(JsonObject()
                       .Text("stream", ack.stream.ToString())
                       .Text("epoch", ack.position.epoch.ToString())
                       .Number("sequence", ack.position.sequence)
                       .Finish());
  std::uint64_t wants = 0;
  for (const FileWant& want : header.wants) wants += want.ids.size();
  object.Text("kind", FileKindName(header.kind))
      .Text("stream", header.stream.ToString())
      .Text("epoch", header.epoch.counter == 0 ? "" : header.epoch.ToString())
      .Text("fingerprint", Fingerprint(header.signer))
      .Text("time", FormatTime(header.time))
      .Text("address_type", header.terms.address_type)
      .Texts("attributes", header.terms.attributes)
      .Number("as_of", header.as_of.sequence)
      .Raw("acks", "[" + Join(acks, ",") + "]")
      .Number("wants", wants);
  return object.Finish();
}

void PrintHeader(Context& context, const FileHeader& header) {
  PrintLine(context, "kind", FileKindName(header.kind));
  PrintLine(context, "stream", header.stream.ToString());
  if (header.epoch.counter > 0) PrintLine(context, "epoch", header.epoch.ToString());
  PrintLine(context, "written", FormatTime(header.time));
  PrintLine(context, "signed by", Fingerprint(header.signer));
  PrintLine(context, "address type", header.terms.address_type);
  PrintLine(context, "attributes",
            header.terms.attributes.empty() ? std::string("none: names only")
                                            : Join(header.terms.attributes, ", "));
  if (header.kind == FileKind::kFull) PrintLine(context, "as of", Grouped(header.as_of.sequence));
  for (const FileAck& ack : header.acks)
    PrintLine(context, "ack", ack.stream.ToString() + " up to " + Grouped(ack.position.sequence));
  for (const FileWant& want : header.wants)
    PrintLine(context, "wants",
              Counted(want.ids.size(), "entry", "entries") + " of " + want.stream.ToString());
}

Result<int> ShowForeign(Context& context, ByteSource& source, const std::string& file) {
  DIRSYNC_TRY(content, ReadForeign(source));
  if (context.json()) {
    context.out() << JsonObject()
                         .Text("file", file)
                         .Text("kind", "foreign")
                         .Number("records", content.records)
                         .Number("bad_records", content.bad)
                         .Finish()
                  << '\n';
    return 0;
  }
  context.out() << Printable(context.ShortPath(file), 4096) << '\n';
  PrintLine(context, "kind", "foreign");
  PrintLine(context, "records", Grouped(content.records) + ": " + content.counts.Text());
  if (content.bad > 0) PrintLine(context, "bad records", Grouped(content.bad));
  return 0;
}

Result<int> Show(Context& context, const Arguments& arguments) {
  const std::string file = context.WholePath(arguments.words().front());
  DIRSYNC_TRY(source, context.world().files().Open(file));
  DIRSYNC_TRY(nature, NatureOf(*source));
  if (nature == FileNature::kForeign) return ShowForeign(context, *source, file);
  // The header is shown even if the rest is not right.
  DIRSYNC_TRY(header, PeekSyncFile(*source));
  Counts counts;
  auto verified = VerifySyncFile(*source, std::nullopt, [&](std::size_t, const Change& change) {
    counts.Count(change.kind);
    return Result<>();
  });
  if (context.json()) {
    JsonObject object;
    object.Text("file", file).Bool("valid", verified.has_value());
    if (verified) {
      object.Number("batches", verified->batches.size())
          .Number("first", verified->batches.empty() ? 0 : verified->batches.front().batch.sequence)
          .Number("last", verified->batches.empty() ? 0 : verified->batches.back().batch.sequence)
          .Number("records", verified->trailer.records)
          .Number("rows", verified->trailer.rows);
    }
    context.out() << HeaderJson(header, std::move(object)) << '\n';
  } else {
    context.out() << Printable(context.ShortPath(file), 4096) << '\n';
    PrintHeader(context, header);
    if (verified && !verified->batches.empty())
      PrintLine(context, "batches",
                Grouped(verified->batches.front().batch.sequence) + " to " +
                    Grouped(verified->batches.back().batch.sequence));
    if (verified)
      PrintLine(context, "records", Grouped(verified->trailer.records) + ": " + counts.Text());
  }
  if (!verified) return std::unexpected(verified.error());
  return 0;
}

// Names the file in errors that only know its content.
Error Named(const Context& context, const std::string& file, Error error) {
  error.message = "verifying " + Printable(context.ShortPath(file)) + ": " + error.message;
  return error;
}

Result<int> VerifyForeign(Context& context, ByteSource& source, const std::string& file) {
  auto read = ReadForeign(source);
  if (!read) return std::unexpected(Named(context, file, read.error()));
  const ForeignContent& content = *read;
  if (context.json()) {
    std::vector<std::string> errors;
    for (const ForeignError& error : content.errors)
      errors.push_back(
          JsonObject().Number("line", error.line).Text("reason", error.reason).Finish());
    context.out() << JsonObject()
                         .Text("file", file)
                         .Text("kind", "foreign")
                         .Bool("valid", content.bad == 0)
                         .Number("records", content.records)
                         .Number("bad_records", content.bad)
                         .Raw("errors", "[" + Join(errors, ",") + "]")
                         .Finish()
                  << '\n';
  } else {
    for (const ForeignError& error : content.errors)
      context.out() << "line " << error.line << ": " << Printable(error.reason) << '\n';
    if (content.bad > content.errors.size())
      context.out() << "… and " << Grouped(content.bad - content.errors.size()) << " more\n";
    if (content.bad == 0)
      context.out() << "OK: " << Counted(content.records, "record") << " of a foreign file\n";
  }
  if (content.bad == 0) return 0;
  return Fail(ErrorCode::kBadRecord,
              "verifying " + Printable(context.ShortPath(file)) + ": " +
                  Counted(content.bad, "bad record") + ", " + Grouped(content.records) + " good",
              "an import would skip the bad ones and write them to " +
                  Printable(context.ShortPath(file)) + ".err");
}

Result<int> Verify(Context& context, const Arguments& arguments) {
  const std::string file = context.WholePath(arguments.words().front());
  DIRSYNC_TRY(source, context.world().files().Open(file));
  DIRSYNC_TRY(nature, NatureOf(*source));
  if (arguments.Has("--foreign")) {
    if (nature == FileNature::kOurs)
      context.Note("this is a sync file of dirsync, read as foreign");
    return VerifyForeign(context, *source, file);
  }
  if (nature == FileNature::kForeign)
    return Fail(ErrorCode::kHeaderless,
                "verifying " + Printable(context.ShortPath(file)) + ": it has no #! lines",
                "if it comes from another system: dirsync file verify --foreign " +
                    Printable(context.ShortPath(file)));
  auto verified = VerifySyncFile(*source, std::nullopt);
  if (!verified) return std::unexpected(Named(context, file, verified.error()));
  if (context.json()) {
    context.out() << HeaderJson(verified->header, JsonObject()
                                                      .Text("file", file)
                                                      .Bool("valid", true)
                                                      .Number("records", verified->trailer.records))
                  << '\n';
  } else {
    context.out() << "OK: " << Counted(verified->trailer.records, "record") << " of "
                  << Printable(verified->header.stream.ToString()) << ", signed by "
                  << Fingerprint(verified->header.signer) << '\n';
  }
  return 0;
}

}  // namespace

CommandGroup FileCommands() {
  return {"Sync files (no store is needed)",
          {
              {.path = "file show",
               .arguments = "FILE",
               .words_min = 1,
               .words_max = 1,
               .help = "what a sync file says: header, batches, counts",
               .examples = {"dirsync file show SYNC1"},
               .run = Show,
               .changes = false,
               .own_process = true},
              {.path = "file verify",
               .arguments = "FILE",
               .words_min = 1,
               .words_max = 1,
               .help = "check the whole file: every record, digest, signature",
               .examples = {"dirsync file verify SYNC1", "dirsync file verify --foreign OUT.TXT"},
               .options = {{"--foreign", "", "a file of another system, without #! lines"}},
               .run = Verify,
               .changes = false,
               .own_process = true},
          }};
}

}  // namespace dirsync::cli
