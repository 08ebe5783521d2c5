// Batches of one stream as its producer makes them: numbered, chained, signed, of a wanted size.
#pragma once

#include <random>
#include <string>

#include "proto/base/crypto.h"
#include "proto/model/batch.h"
#include "proto/model/message.h"
#include "proto/net/transport_key_pair.h"

namespace dirsync::bench {

// Keys of a made-up site, from its name.
SigningKey SigningKeyOf(const std::string& site);
TransportKeyPair TransportKeysOf(const std::string& site);

class SignedBatches {
 public:
  explicit SignedBatches(const std::string& site);
  // The next one, of about `bytes` that do not compress.
  Publish Next(std::size_t bytes);
  const StreamName& name() const { return batch_.stream; }

 private:
  SigningKey key_;
  Batch batch_;  // the last one
  std::mt19937_64 random_;
};

}  // namespace dirsync::bench
