// Acks as one line of text, for links where no file goes back.
#include "agent/core/producer_state.h"
#include "agent/core/reader_state.h"
#include "agent/service/ride_along.h"
#include "agent/service/run.h"
#include "proto/base/text.h"

namespace dirsync {

Result<std::string> AckText(Store& store, const std::string& import_instance) {
  DIRSYNC_TRY(number, FindNumber(store.storage(), "import/" + FoldName(import_instance)));
  std::optional<ReaderState> state;
  if (number) {
    DIRSYNC_TRY(loaded, LoadReader(store.storage(), *number));
    state = std::move(loaded);
  }
  if (!state || state->cursor.epoch.counter == 0 || state->source != SourceKind::kStream)
    return Fail(ErrorCode::kNotFound,
                "making an ack of " + Printable(import_instance) + ": it has read no stream yet",
                "dirsync run " + Printable(import_instance));
  return state->stream.ToString() + " " + state->cursor.epoch.ToString() + " " +
         std::to_string(state->cursor.sequence) + " " + state->cursor.digest.hex();
}

Result<std::string> TakeAckText(Store& store, const std::string& reader_site,
                                const std::string& text, bool dry_run) {
  auto parts = Split(TrimBlanks(text), ' ');
  auto invalid = [&] {
    return Fail(ErrorCode::kInvalid, "taking an ack: it is no line of an ack",
                "print it at the other site: dirsync ack IMPORT-INSTANCE");
  };
  if (parts.size() != 4) return invalid();
  auto stream = StreamName::Parse(parts[0]);
  auto epoch = Epoch::Parse(parts[1]);
  auto sequence = ParseNumber(parts[2]);
  auto digest = Digest::FromHex(parts[3]);
  if (!stream || !epoch || !sequence || !digest) return invalid();
  FileHeader header;
  header.stream.organization = stream->organization;
  header.stream.site = reader_site;
  header.acks.push_back({*stream, {*epoch, *sequence, *digest}});
  auto take = [&](storage::Transaction& transaction) {
    return TakeRideAlong(store, transaction, header);
  };
  DIRSYNC_TRY(notes, dry_run ? store.Read(take) : store.Write(take));
  return notes.empty() ? std::string("nothing new in this ack") : notes.front();
}

}  // namespace dirsync
