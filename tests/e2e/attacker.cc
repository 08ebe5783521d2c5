#include "tests/e2e/attacker.h"

#include <fstream>

#include "proto/base/bytes.h"

namespace dirsync::e2e {

void AbuseFaults::BeginWithEvil(int sites) {
  Begin(sites);
  if (HasFatalFailure()) return;
  std::ifstream key(world_->Store(0) + "/keys/transport.key", std::ios::binary);
  const std::string secret{std::istreambuf_iterator<char>(key), {}};
  broker_key_ = TransportKeysFrom(secret)->public_key;
  Must(0, {"sites", "add", kEvil, "--public-key", TestKey(kEvil).public_key().hex(),
           "--transport-key", SiteClient::KeysOf(kEvil).public_key.hex(), "--domain", "evil.test"});
}

SiteClient AbuseFaults::Connect(const std::string& site) {
  return SiteClient(world_->address(), broker_key_, site);
}

std::string AbuseFaults::ByHand(const StreamName& stream, const Place& place, std::string_view body,
                                std::uint32_t claim, const SigningKey& key,
                                const PublicKey& signer) {
  codec::FullHeader header;
  header.batch.stream_digest = DigestOf(stream.ToString());
  header.batch.epoch = {1, TestId<EpochId>(1)};
  header.batch.sequence = place.sequence;
  header.batch.previous = place.previous;
  header.batch.kind = place.kind;
  header.batch.signer = signer;
  header.compressed = claim != 0;
  header.stored_bytes = static_cast<std::uint32_t>(body.size());
  header.payload_bytes = claim != 0 ? claim : header.stored_bytes;
  std::string stored = codec::WriteHeader(header);
  stored += body;
  stored += key.Sign(codec::SignedMessage(stored)).view();
  return stored;
}

std::string AbuseFaults::Delimited(int field, std::string_view bytes) {
  std::string out;
  RowWriter writer(out);
  writer.U8(static_cast<std::uint8_t>(field << 3 | 2));
  writer.Bytes(bytes);
  return out;
}

std::string AbuseFaults::HeadOf(const StreamName& stream) {
  const std::string name =
      Delimited(1, stream.organization) + Delimited(2, stream.site) + Delimited(3, stream.instance);
  return Delimited(1, Delimited(1, name));
}

SignedStream AbuseFaults::Begin(SiteClient& evil, const std::string& instance,
                                const std::function<std::string(const Place&)>& range) {
  SignedStream stream(StreamOf(instance), TestKey(kEvil));
  Publish start = stream.Next();
  start.begins_log = true;
  EXPECT_TRUE(evil.Send(start));
  bool asked = false;
  while (!asked) {
    const auto message = evil.Next();
    EXPECT_TRUE(message.has_value()) << Logs();
    if (!message) break;
    const auto* request = std::get_if<GetRange>(&*message);
    if (request == nullptr || request->stream != stream.name()) continue;
    asked = true;
    const Place place{1, start.position.digest, BatchKind::kRange};
    std::string stored;
    if (range) {
      stored = range(place);
    } else {
      Batch empty = *DecodeBatch(*start.payload, TestKey(kEvil).public_key());
      empty.kind = BatchKind::kRange;
      empty.previous = start.position.digest;
      empty.range.end = true;
      stored = *EncodeBatch(empty, TestKey(kEvil));
    }
    EXPECT_TRUE(evil.Send(dirsync::Range{stream.name(), request->reader, request->request,
                                         ErrorCode::kAlreadyApplied, "",
                                         std::make_shared<const std::string>(std::move(stored))}));
  }
  if (!range) {
    EXPECT_TRUE(Until([&] { return AppliedOf(instance) == 1; }, std::chrono::seconds(120), 5))
        << instance << Logs();
  }
  return stream;
}

PublishOutcome AbuseFaults::Tell(SiteClient& client, const StreamName& stream, const Place& place,
                                 std::string stored, const Digest* digest) {
  Publish publish;
  publish.stream = stream;
  publish.position = {
      {1, TestId<EpochId>(1)}, place.sequence, digest != nullptr ? *digest : DigestOf(stored)};
  publish.previous = place.previous;
  publish.payload = std::make_shared<const std::string>(std::move(stored));
  EXPECT_TRUE(client.Send(publish));
  const auto answer = client.Await<Published>();
  EXPECT_TRUE(answer.has_value()) << stream.ToString();
  return answer ? answer->outcome : PublishOutcome::kUnauthorized;
}

void AbuseFaults::UntilTold() {
  EXPECT_TRUE(Until([&] {
    const auto told = world_->Json(1, {"instance", "show", "OUT"});
    const auto streams = world_->Json(0, {"broker", "streams"});
    if (told.is_discarded() || streams.is_discarded()) return false;
    for (const auto& stream : streams)
      if (stream.at("stream") == told["state"]["export"]["stream"])
        return stream.at("sequence") == told["state"]["export"]["sequence"];
    return false;
  }));
}

std::uint64_t AbuseFaults::AppliedOf(const std::string& instance) {
  const auto shown = world_->Json(1, {"instance", "show", std::string(kEvil) + "." + instance});
  if (shown.is_discarded()) return 0;
  return shown["state"].value("import", nlohmann::json::object()).value("sequence", 0U);
}

std::uint64_t AbuseFaults::Refusals(const std::string& reason) {
  const auto stats = world_->Json(0, {"broker", "stats"});
  if (stats.is_discarded()) return 0;
  return stats.at("refusals").value(reason, std::uint64_t{0});
}

}  // namespace dirsync::e2e
