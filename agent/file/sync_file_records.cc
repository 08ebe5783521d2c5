// Pass 2 over a file that pass 1 has proved.
#include <utility>

#include "agent/file/file_lines.h"
#include "agent/file/line_reader.h"
#include "agent/file/sync_file_parser.h"
#include "agent/file/sync_file_reader.h"
#include "proto/base/crypto.h"
#include "proto/base/limits.h"

namespace dirsync {
namespace {

std::unexpected<Error> Changed() {
  return Fail(ErrorCode::kDamaged, "read sync file: it changed while it was read");
}

}  // namespace

struct SyncFileRecords::State {
  State(ByteSource& source, const VerifiedFile& verified) : file(verified), lines(source) {}

  Result<bool> LoadBlock();
  Result<> ReadBlock();
  bool NextLine(std::string_view& line);

  const VerifiedFile& file;
  LineReader lines;
  DigestStream digest;
  SyncFileParser parser;
  std::string text;          // of the block, proved; ends of lines LF
  std::size_t begin = 0;     // of what was not parsed, in `text`
  std::string carried;       // the line that ends behind the block, with LF
  std::size_t blocks = 0;    // read
  std::uint64_t number = 0;  // of the line parsed last
  bool at_end = false;       // no block is left
  Result<> failed;           // nothing is parsed after a block that was not proved
};

// The lines that end within the next block into `text`, the first that does not into `carried`.
Result<> SyncFileRecords::State::ReadBlock() {
  const std::uint64_t block_end = (blocks + 1) * std::uint64_t{limits::kFileBlockBytes};
  text.clear();
  begin = 0;
  // A line that ends beyond even this block stays carried through it.
  if (lines.offset() > block_end) return {};
  text.swap(carried);
  std::string_view line;
  while (lines.Next(line)) {
    if (!lines.had_newline() || line.starts_with(kEndMark)) break;
    if (lines.offset() > block_end) {
      carried.append(line).push_back('\n');
      return {};
    }
    text.append(line).push_back('\n');
  }
  at_end = true;
  return lines.status();
}

// Reads the next block and compares its digest with pass 1. False: none is left.
Result<bool> SyncFileRecords::State::LoadBlock() {
  DIRSYNC_CHECK(failed);
  if (at_end) return false;
  failed = ReadBlock();
  digest.Update(text);
  if (failed && (blocks == file.blocks.size() || digest.Peek() != file.blocks[blocks] ||
                 at_end != (blocks + 1 == file.blocks.size())))
    failed = Changed();
  if (!failed) text.clear();
  ++blocks;
  DIRSYNC_CHECK(failed);
  return true;
}

bool SyncFileRecords::State::NextLine(std::string_view& line) {
  if (begin >= text.size()) return false;
  const std::size_t end = text.find('\n', begin);
  line = std::string_view(text).substr(begin, end - begin);
  begin = end + 1;
  ++number;
  return true;
}

SyncFileRecords::SyncFileRecords(ByteSource& source, const VerifiedFile& file)
    : state_(std::make_unique<State>(source, file)) {}

SyncFileRecords::~SyncFileRecords() = default;

Result<bool> SyncFileRecords::Next(Record& record) {
  State& s = *state_;
  std::string_view line;
  for (;;) {
    while (s.NextLine(line)) {
      if (s.number == 1) continue;  // the first line is not the parser's
      Result<SyncFileParser::Event> event = s.parser.Line(line, s.number);
      if (!event) {
        s.text.clear();
        s.failed = Changed();
        return Changed();
      }
      if (*event != SyncFileParser::Event::kChange) continue;
      record.batch = s.parser.batch_index();
      std::swap(record.change, s.parser.change());
      return true;
    }
    DIRSYNC_TRY(more, s.LoadBlock());
    if (!more) return false;
  }
}

}  // namespace dirsync
