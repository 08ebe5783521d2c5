#include "tests/bench/signed_batches.h"

#include <cstdio>
#include <cstdlib>

#include "proto/codec/batch_codec.h"

namespace dirsync::bench {
namespace {

constexpr std::size_t kRestBytes = 512;  // of a batch: header, terms, names, signature

}  // namespace

SigningKey SigningKeyOf(const std::string& site) {
  return *SigningKey::FromSeed(DigestOf("signing key of " + site).view());
}

TransportKeyPair TransportKeysOf(const std::string& site) {
  return *TransportKeysFrom(DigestOf("transport key of " + site).view());
}

SignedBatches::SignedBatches(const std::string& site) : key_(SigningKeyOf(site)) {
  batch_.stream = {"Testorg", site, "OUT"};
  batch_.epoch.counter = 1;
  batch_.epoch.id.bytes[0] = 1;
  batch_.terms.hash_key.bytes[0] = 1;
  batch_.terms.address_type = "EDK";
}

Publish SignedBatches::Next(std::size_t bytes) {
  ++batch_.sequence;
  batch_.kind = batch_.sequence == 1 ? BatchKind::kStart : BatchKind::kChanges;
  batch_.changes.clear();
  if (batch_.kind == BatchKind::kChanges) {
    Change change;
    change.entry_class = EntryClass::kMailbox;
    change.name = "mbx" + std::to_string(batch_.sequence);
    change.id.bytes[0] = 1;
    change.target_address = "EDK:" + change.name + "@Site1.Testorg.com";
    std::string value(bytes > kRestBytes ? bytes - kRestBytes : 1, '\0');
    for (char& c : value) c = static_cast<char>(random_());
    change.attributes.push_back({"User-Certificate", AttributeOperation::kSet, {std::move(value)}});
    batch_.changes.push_back(std::move(change));
  }
  auto stored = EncodeBatch(batch_, key_);
  if (!stored) {
    std::fprintf(stderr, "%s\n", stored.error().ToString().c_str());
    std::exit(1);
  }
  Publish publish;
  publish.stream = batch_.stream;
  publish.previous = batch_.previous;
  publish.payload = std::make_shared<const std::string>(std::move(*stored));
  publish.position = {batch_.epoch, batch_.sequence, DigestOf(*publish.payload)};
  batch_.previous = publish.position.digest;
  return publish;
}

}  // namespace dirsync::bench
