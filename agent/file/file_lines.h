// The `#!` lines of a sync file: their words, their order, and writing them. Each is shorter than
// limits::kOldLineBytes, so that the old reader, which takes them for comments, survives them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/file/sync_file.h"
#include "agent/file/value_text.h"

namespace dirsync {

inline constexpr std::string_view kFileMagic = "#! dirsync-file";
inline constexpr std::string_view kFirstLine = "#! dirsync-file 1";
inline constexpr std::string_view kMachineMark = "#! ";
inline constexpr std::string_view kEndMark = "#! end ";
inline constexpr std::string_view kSignatureMark = "#! signature ";

// Bounds of what one file may make its reader remember; beyond them writer and reader answer
// kTooLarge.
inline constexpr std::size_t kFileBatches = 65536;
inline constexpr std::size_t kFileAcks = 4096;
inline constexpr std::size_t kFileWants = 1024;
inline constexpr std::size_t kFileWantIds = 65536;         // of all wants
inline constexpr std::size_t kFileTermsAttributes = 4096;  // of one attribute list
inline constexpr std::size_t kFileTextBytes = 64 * 1024;   // a DN, a stream name
inline constexpr std::size_t kFileBatchBytes = 128 << 20;  // all BatchWeight
inline constexpr std::size_t kFileAttributes = 512;        // of one change
// What a batch's lines cost in memory, in bytes.
std::size_t BatchWeight(const Batch& batch);

// "#! KEYWORD TEXT" and, for long texts, lines "#! + TEXT". Ends of lines are LF here.
void AppendTextLines(std::string& out, std::string_view keyword, std::string_view text);
void AppendNumber(std::string& out, std::uint64_t number);

// All lines of a header, from the first line to `#! records` and a blank line.
// REQUIRES CheckHeader.
void AppendHeaderLines(std::string& out, const FileHeader& header);
// All lines of a batch and a blank line; terms only if they are not `terms`.
void AppendBatchLines(std::string& out, const FileBatch& batch, const StreamTerms& terms);

// Errors: kInvalid: what the lines cannot say; kTooLarge.
Result<> CheckHeader(const FileHeader& header);
Result<> CheckTerms(const StreamTerms& terms);

// The trailer's first line, without its end; what its second line signs; that line.
std::string EndLine(const FileTrailer& trailer);
std::string SignedText(std::string_view end_line);
std::string SignatureLine(const Signature& signature);
// Exactly what EndLine and SignatureLine write; false for anything else.
bool ParseEndLine(std::string_view line, FileTrailer& trailer);
bool ParseSignatureLine(std::string_view line, Signature& signature);

// "start" "changes" "canary".
std::string_view BatchKindName(BatchKind kind);

// Letters, digits and '-', at most limits::kAttributeNameBytes: nothing that could end a name.
bool IsFileAttributeName(std::string_view name);
// Common-Name, Obj-Class, Target-Address, in any case: they have other places in a record.
bool IsReservedAttribute(std::string_view name);

// The text of a stream; the instance may be empty (adhoc files).
std::optional<StreamName> ParseStreamText(std::string_view text);

// What a header line shows of a DN that cannot stand there raw; for people and old readers.
std::string ShownDn(std::string_view dn);
// The name that a reader takes from a DN when no line names it: behind the first '=' of what is
// behind the last '/'.
std::string_view ShortName(std::string_view dn);

}  // namespace dirsync
