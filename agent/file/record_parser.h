// Reads the records of a sync file, line by line, into one Change whose memory is used again.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/file/head_parser.h"
#include "proto/base/error.h"
#include "proto/model/change.h"

namespace dirsync {

// Not thread-safe. Memory: one change within the limits of file_lines.h. All errors are kBadRecord
// or kTooLarge, without the line's number; after one the parser must not be used.
class RecordParser {
 public:
  // A "#!" line, without "#! ". Errors as above, also for a word that no record has.
  Result<> MachineLine(std::string_view line);
  // A line beginning with A, M, D or '-'.
  Result<> TextLine(std::string_view line);
  // A blank line; true if it ended a record: change() is whole until the next line.
  Result<bool> BlankLine();
  // True between records: other things than a record may stand here.
  bool idle() const { return state_ == State::kIdle; }
  // True if nothing is missing at the end of a batch or file.
  bool whole() const { return idle() && !half_rename_; }
  // The caller may take from it, best by swapping in another change whose memory can be used.
  Change& change() { return change_; }

 private:
  enum class State { kIdle, kHead, kBody };

  Result<> BeginRecord(std::string_view word, std::string_view rest);
  Result<> ContainerLine(std::string_view word, std::string_view line, std::string_view rest);
  Result<> HeaderLine(char letter, std::string_view dn);
  Result<> AttributeLine(std::string_view line, bool in_machine_line);
  Result<> Target(std::string_view text);
  Result<> AddValue(std::string_view name, AttributeOperation operation, std::size_t index,
                    std::string_view text);
  Result<std::string*> NewValue(std::string_view name, AttributeOperation operation,
                                std::size_t index);
  Result<> BeginAttribute(std::string_view name, AttributeOperation operation);
  void EndAttribute();
  void DropSurplus();
  bool GoesOn(std::string_view name, AttributeOperation operation) const;
  Result<> Finish();

  State state_ = State::kIdle;
  Change change_;
  std::size_t attributes_ = 0;  // of change_.attributes in use; more are kept for their memory
  std::size_t values_ = 0;      // of the last attribute in use, likewise
  std::vector<AttributeChange> spare_;
  std::size_t bytes_ = 0;  // of all values
  bool has_dn_ = false, shown_ = false, has_name_ = false, has_target_ = false;
  bool cleared_ = false;      // the last attribute is a clear: no value may follow
  bool half_ = false;         // this is the D of a rename
  bool half_rename_ = false;  // a D of a rename was read, its A was not
  EntryId half_id_;
  std::string half_dn_;
  TextTarget text_;
  bool value_text_ = false;  // text_ is a value: its bytes count
};

}  // namespace dirsync
