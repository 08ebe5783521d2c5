#include "proto/base/id_source.h"

#include <algorithm>
#include <string>

#include "proto/base/bytes.h"
#include "proto/base/crypto.h"

namespace dirsync {
namespace {

template <class Id>
Id FrontOf(const Digest& digest) {
  Id id;
  std::copy_n(digest.bytes.begin(), id.bytes.size(), id.bytes.begin());
  return id;
}

}  // namespace

Digest IdSource::Next() {
  std::string input(seed_.view());
  RowWriter(input).U64Big(++counter_);
  return DigestOf(input);
}

EntryId IdSource::NextEntryId(Instant now) {
  const Digest drawn = Next();
  EntryId id;
  const auto millis = static_cast<std::uint64_t>(ToMillis(now));
  for (int i = 0; i < 6; ++i) id.bytes[i] = static_cast<std::uint8_t>(millis >> (40 - 8 * i));
  id.bytes[6] = static_cast<std::uint8_t>(counter_ >> 8);
  id.bytes[7] = static_cast<std::uint8_t>(counter_);
  std::copy_n(drawn.bytes.begin(), 8, id.bytes.begin() + 8);
  return id;
}

RunId IdSource::NextRunId() { return FrontOf<RunId>(Next()); }
EpochId IdSource::NextEpochId() { return FrontOf<EpochId>(Next()); }
IncarnationId IdSource::NextIncarnationId() { return FrontOf<IncarnationId>(Next()); }
Nonce IdSource::NextNonce() { return FrontOf<Nonce>(Next()); }
HashKey IdSource::NextHashKey() { return FrontOf<HashKey>(Next()); }

}  // namespace dirsync
