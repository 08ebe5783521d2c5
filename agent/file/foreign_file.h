// Files of other systems in the DIRSYNC text format, without `#!` lines: the documented grammar
// and what the old writer really wrote (R23). Bad records are skipped and reported.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "agent/file/byte_stream.h"
#include "proto/model/change.h"

namespace dirsync {

struct ForeignRecord {
  ChangeKind kind = ChangeKind::kAdd;  // kAdd, kModify, kDelete
  std::string dn;                      // header line's text, not rebased
  // Canonical names; op from Name:, Name[n]:, Name[+]:, Name[-]:. An empty value clears.
  std::vector<AttributeChange> attributes;
  std::string entry_class;  // value of an Obj-Class line, if any
  std::uint64_t line = 0;   // of the header line, from 1
  std::string text;         // the record's lines as read, for FILE.err
};

// A record that was skipped: where, why, its lines as read, and whose record it is.
struct ForeignError {
  std::uint64_t line = 0;
  std::string reason;
  std::string text;
  ChangeKind kind = ChangeKind::kAdd;  // of its first line; with a dn only
  std::string dn;                      // as in a record; empty: the first line cannot be read
  // A line of it is of no known kind: the first line of another record may be meant.
  bool may_hide_another = false;
};

// Sees records and errors in file order; an error of its own ends the reading.
struct ForeignVisitor {
  std::function<Result<>(ForeignRecord&)> record;  // may take from it
  std::function<Result<>(const ForeignError&)> error;
};

// Reads to the end. CR LF or LF, last line without newline, lines to limits::kLineBytes, comment
// and blank lines anywhere, quoted and \x values, digits in names. After a bad line the reader
// goes on at the next line that begins a record. Errors: kIo, the visitor's, kTooLarge (a line
// beyond the limit ends the file).
Result<> ReadForeignFile(ByteSource& source, const ForeignVisitor& visitor);

}  // namespace dirsync
