// The foreign file's reader on any bytes: a record's own lines, read alone, are that record again.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "agent/file/foreign_file.h"

namespace dirsync {
namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

struct Outcome {
  std::vector<ForeignRecord> records;
  std::vector<ForeignError> errors;
};

Outcome Read(const std::string& text) {
  Outcome outcome;
  MemorySource source(text);
  ForeignVisitor visitor;
  visitor.record = [&](ForeignRecord& record) -> Result<> {
    outcome.records.push_back(std::move(record));
    return {};
  };
  visitor.error = [&](const ForeignError& error) -> Result<> {
    outcome.errors.push_back(error);
    return {};
  };
  Require(ReadForeignFile(source, visitor).has_value());
  return outcome;
}

void Check(const ForeignRecord& record) {
  for (std::size_t i = 1; i < record.attributes.size(); ++i)
    Require(record.attributes[i - 1].name <= record.attributes[i].name);
  Require(!record.dn.empty() && !record.text.empty() && record.line > 0);
  const Outcome again = Read(record.text);
  Require(again.errors.empty() && again.records.size() == 1);
  Require(again.records[0].dn == record.dn && again.records[0].kind == record.kind);
  Require(again.records[0].attributes == record.attributes);
  Require(again.records[0].entry_class == record.entry_class);
}

}  // namespace
}  // namespace dirsync

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const dirsync::Outcome outcome = dirsync::Read(text);
  for (const dirsync::ForeignRecord& record : outcome.records) dirsync::Check(record);
  for (const dirsync::ForeignError& error : outcome.errors)
    dirsync::Require(!error.reason.empty() && !error.text.empty() && error.line > 0);
  return 0;
}
