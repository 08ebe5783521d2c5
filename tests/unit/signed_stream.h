// What the broker's tests share: real, signed batches of a stream, as its producer makes them.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "proto/base/crypto.h"
#include "proto/base/limits.h"
#include "proto/codec/batch_codec.h"
#include "proto/model/message.h"

namespace dirsync {

template <class Id>
Id TestId(std::uint64_t number) {
  Id id;
  for (std::size_t i = 0; i < 8; ++i)
    id.bytes[i] = static_cast<std::uint8_t>(number >> (8 * (7 - i)));
  return id;
}

inline SigningKey TestKey(const std::string& name) {
  return *SigningKey::FromSeed(DigestOf("key of " + name).view());
}

inline Instant TestTime(std::int64_t seconds) {
  return FromMillis(1'700'000'000'000 + seconds * 1000);
}

// One life of a producer's stream; keeps what it published. Another `history` gives other digests.
class SignedStream {
 public:
  SignedStream(StreamName name, SigningKey key, std::uint64_t history = 0)
      : name_(std::move(name)), key_(std::move(key)), history_(history) {
    epoch_ = {1, TestId<EpochId>(1)};
  }

  // The next batch. `bytes` of content, which does not compress well.
  const Publish& Next(std::size_t bytes = 0) {
    Batch batch;
    batch.stream = name_;
    batch.epoch = epoch_;
    batch.sequence = sequence_ + 1;
    batch.previous = digest_;
    batch.kind = batch.sequence == 1 ? BatchKind::kStart : BatchKind::kCanary;
    batch.time = TestTime(static_cast<std::int64_t>(batch.sequence + history_ * 1000));
    batch.terms.hash_key = TestId<HashKey>(7);
    batch.terms.address_type = "EDK";
    if (batch.kind == BatchKind::kStart && end_.epoch.counter != 0) batch.previous_epoch = end_;
    while (bytes > 0) {
      std::string name = DigestOf(std::to_string(bytes) + "/" + std::to_string(sequence_)).hex();
      name += DigestOf(name).hex();
      batch.terms.attributes.push_back(name.substr(0, 64));
      bytes -= std::min<std::size_t>(bytes, 64);
    }
    auto stored = EncodeBatch(batch, key_);
    EXPECT_TRUE(stored) << (stored ? "" : stored.error().ToString());
    Publish publish;
    publish.stream = name_;
    publish.payload = std::make_shared<const std::string>(std::move(*stored));
    publish.position = {epoch_, batch.sequence, DigestOf(*publish.payload)};
    publish.previous = digest_;
    digest_ = publish.position.digest;
    sequence_ = batch.sequence;
    return all_[{epoch_.counter, sequence_}] = publish;
  }
  const Publish& At(Sequence sequence) const { return all_.at({epoch_.counter, sequence}); }
  const Publish& At(std::uint64_t epoch, Sequence sequence) const {
    return all_.at({epoch, sequence});
  }
  // The life ends here, and another one begins.
  void NewEpoch() {
    end_ = position();
    epoch_ = {epoch_.counter + 1, TestId<EpochId>(epoch_.counter + 1 + history_ * 1000)};
    sequence_ = 0;
    digest_ = {};
  }
  // As a store that was put back: what was told after `sequence` is not known any more.
  void GoBack(Sequence sequence, std::uint64_t history) {
    sequence_ = sequence;
    digest_ = At(sequence).position.digest;
    history_ = history;
  }
  Position position() const { return {epoch_, sequence_, digest_}; }
  const StreamName& name() const { return name_; }

 private:
  StreamName name_;
  SigningKey key_;
  std::uint64_t history_;
  Epoch epoch_;
  Sequence sequence_ = 0;
  Digest digest_;
  Position end_;
  std::map<std::pair<std::uint64_t, Sequence>, Publish> all_;
};

}  // namespace dirsync
