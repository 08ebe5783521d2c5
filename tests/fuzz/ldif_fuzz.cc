// The LDIF reader on any bytes: what it reads is written and read again, and every record's offset
// is a place to go on at.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "agent/file/ldif.h"

namespace dirsync {
namespace {

constexpr std::size_t kResumed = 4;  // records whose offset is tried

void Require(bool holds) {
  if (!holds) std::abort();
}

bool Read(const std::string& text, std::uint64_t offset, std::vector<LdifRecord>& records) {
  MemorySource source(text);
  return ReadLdif(source, offset,
                  [&](LdifRecord& record) -> Result<> {
                    records.push_back(record);
                    return {};
                  })
      .has_value();
}

void CheckDn(const std::string& dn) {
  Result<std::vector<LdapRdn>> parts = ParseLdapDn(dn);
  if (!parts) return;
  Result<std::vector<LdapRdn>> again = ParseLdapDn(FormatLdapDn(*parts));
  Require(again && again->size() == parts->size());
  for (std::size_t i = 0; i < parts->size(); ++i)
    Require((*again)[i].type == (*parts)[i].type && (*again)[i].value == (*parts)[i].value);
}

void CheckResumed(const std::string& text, const std::vector<LdifRecord>& records) {
  for (std::size_t i = 0; i < records.size() && i < kResumed; ++i) {
    std::vector<LdifRecord> rest;
    static_cast<void>(Read(text, records[i].offset, rest));
    Require(rest.size() == records.size() - i - 1);
    if (!rest.empty()) Require(rest[0].dn == records[i + 1].dn);
  }
}

void Try(const std::string& text) {
  std::vector<LdifRecord> records;
  static_cast<void>(Read(text, 0, records));
  std::string written;
  for (const LdifRecord& record : records) {
    CheckDn(record.dn);
    AppendLdifLine(written, "dn", record.dn);
    for (const auto& [name, value] : record.values) AppendLdifLine(written, name, value);
    written += '\n';
  }
  std::vector<LdifRecord> again;
  Require(Read(written, 0, again) && again.size() == records.size());
  for (std::size_t i = 0; i < again.size(); ++i)
    Require(again[i].dn == records[i].dn && again[i].values == records[i].values);
  CheckResumed(text, records);
}

}  // namespace
}  // namespace dirsync

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  dirsync::Try(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
