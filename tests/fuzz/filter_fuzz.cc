// Filters, and the other short texts that people type: names, addresses, references, streams.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "proto/base/text.h"
#include "proto/model/address.h"
#include "proto/model/attribute_table.h"
#include "proto/model/dn.h"
#include "proto/model/filter.h"

namespace dirsync {
namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

Entry SampleEntry() {
  Entry entry;
  entry.name = "Mailbox11";
  entry.attributes.Set("Display-Name", {"Jörg Müller"});
  entry.attributes.Set("Employee-Number", {"42"});
  entry.attributes.Set("User-Certificate", {std::string("\0\xFF", 2)});
  entry.attributes.Set("Proxy-Addresses", {"SMTP:a@b.example", "EDK:a"});
  return entry;
}

void AsFilter(std::string_view text) {
  static const Entry entry = SampleEntry();
  const Result<Filter> filter = Filter::Parse(text);
  if (!filter || filter->empty()) return;
  const Result<Filter> negated = Filter::Parse("(!" + std::string(TrimBlanks(text)) + ")");
  if (negated) Require(negated->Matches(entry) != filter->Matches(entry));
}

void AsName(std::string_view text) {
  const Result<Dn> dn = ParseDn(text);
  if (dn) {
    const Result<Dn> again = ParseDn(dn->ToString());
    Require(again.has_value() && again->parts == dn->parts);
    Require(dn->IsWithin(*again) && dn->Folded() == again->Folded());
  }
  const Result<Address> address = ParseAddress(text);
  if (address) Require(ParseAddress(address->ToString()).has_value());
  const std::optional<Reference> reference = Reference::Parse(text);
  if (reference) Require(Reference::Parse(reference->ToString()) == reference);
  const std::optional<StreamName> stream = StreamName::Parse(text);
  if (stream) Require(StreamName::Parse(stream->ToString()) == stream);
}

void AsText(std::string_view text) {
  const std::string folded = FoldName(text);
  Require(FoldName(folded) == folded);
  Require(IsUtf8(text) <= IsUtf8(folded));
  Require(IsUtf8(Printable(text)));
  const Result<std::string> name = CanonicalAttribute(text);
  if (name) Require(*CanonicalAttribute(*name) == *name);
}

}  // namespace
}  // namespace dirsync

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  dirsync::AsFilter(text);
  dirsync::AsName(text);
  dirsync::AsText(text);
  return 0;
}
