#include "proto/codec/batch_codec.h"

#include <gmock/gmock.h>

#include <random>
#include <set>

#include "proto/base/bytes.h"
#include "proto/base/limits.h"
#include "proto/codec/compression.h"
#include "tests/fuzz/sealed_batch.h"

namespace dirsync {
namespace {

using ::testing::HasSubstr;
using Random = std::mt19937_64;

std::uint64_t Below(Random& random, std::uint64_t bound) { return random() % bound; }

std::string RandomBytes(Random& random, std::size_t size_max) {
  static constexpr std::string_view kAwkward = std::string_view("\0\r\n\xFF\x80\\:=#", 9);
  std::string bytes(Below(random, size_max + 1), '\0');
  for (char& c : bytes) {
    const bool awkward = Below(random, 4) == 0;
    c = awkward ? kAwkward[Below(random, kAwkward.size())] : static_cast<char>(random());
  }
  return bytes;
}

template <class Id>
Id RandomId(Random& random) {
  Id id;
  for (std::uint8_t& byte : id.bytes) byte = static_cast<std::uint8_t>(random() | 1);
  return id;
}

std::string RandomName(Random& random) {
  static const std::vector<std::string> kParts = {"Mail", "box", "é",  "漢", "/",
                                                  "\\",   "=",   " x", "ß"};
  std::string name = "N";
  for (std::uint64_t n = Below(random, 12); n > 0; --n)
    name += kParts[Below(random, kParts.size())];
  return name;
}

Change RandomChange(Random& random) {
  Change change;
  change.kind = static_cast<ChangeKind>(1 + Below(random, 4));
  change.id = RandomId<EntryId>(random);
  change.entry_class = static_cast<EntryClass>(1 + Below(random, 4));
  if (Below(random, 2) == 0) change.parent = RandomId<EntryId>(random);
  change.name = RandomName(random);
  if (Below(random, 4) > 0) change.dn = "/o=Testorg/ou=Site1/cn=" + RandomName(random);
  if (Below(random, 4) > 0) change.target_address = "EDK:" + RandomName(random);
  change.wanted = Below(random, 8) == 0;
  std::set<std::string> names;
  for (std::uint64_t n = Below(random, 8); n > 0; --n)
    names.insert("X-" + std::to_string(Below(random, 100)));
  for (const std::string& name : names) {
    AttributeChange attribute;
    attribute.name = name;
    if (change.kind != ChangeKind::kAdd)
      attribute.operation = static_cast<AttributeOperation>(1 + Below(random, 3));
    for (std::uint64_t n = Below(random, 5); n > 0; --n)
      attribute.values.push_back(RandomBytes(random, 300));
    change.attributes.push_back(std::move(attribute));
  }
  return change;
}

Batch PlainBatch() {
  Batch batch;
  batch.stream = {"Testorg", "Site1", "INSTANCE1"};
  batch.epoch = {1, *EpochId::FromBytes("epoch-epoch-epoc")};
  batch.sequence = 7;
  batch.previous = DigestOf("batch 6");
  batch.time = FromMillis(1795378320123);
  return batch;
}

Batch RandomBatch(Random& random) {
  Batch batch = PlainBatch();
  batch.stream = {RandomName(random), RandomName(random), RandomName(random)};
  batch.epoch.counter = 1 + Below(random, ~0ull - 1);
  batch.sequence = 1 + Below(random, ~0ull - 1);
  batch.previous = RandomId<Digest>(random);
  batch.kind = static_cast<BatchKind>(1 + Below(random, 3));
  batch.time = FromMillis(static_cast<std::int64_t>(random() >> 20) - (std::int64_t{1} << 42));
  batch.terms.hash_key = RandomId<HashKey>(random);
  batch.terms.address_type = Below(random, 2) == 0 ? "EDK" : "";
  batch.terms.attributes = {"*", "Display-Name", "X-a"};
  batch.run.run = RandomId<RunId>(random);
  for (int entry_class = 1; entry_class <= 4; ++entry_class)
    if (Below(random, 2) == 0)
      batch.run.by_class[static_cast<EntryClass>(entry_class)] = {random(), random(), random(), 0,
                                                                  random()};
  batch.sum_after = {random(), random()};
  batch.rows_after = random();
  if (Below(random, 2) == 0)
    batch.previous_epoch = {
        {random(), RandomId<EpochId>(random)}, random(), RandomId<Digest>(random)};
  for (std::uint64_t n = Below(random, 20); n > 0; --n)
    batch.changes.push_back(RandomChange(random));
  return batch;
}

Change PlainChange(std::string name) {
  Change change;
  change.id = *EntryId::FromBytes("entry-entry-entr");
  change.name = std::move(name);
  change.attributes = {{"Display-Name", AttributeOperation::kSet, {"Mailbox Eleven"}}};
  return change;
}

std::string MustEncode(const Batch& batch) {
  Result<std::string> stored = EncodeBatch(batch, SealKey());
  EXPECT_TRUE(stored) << (stored ? "" : stored.error().message);
  return stored ? *stored : std::string();
}

Result<Batch> Decode(std::string_view stored) {
  return DecodeBatch(stored, SealKey().public_key());
}

ErrorCode CodeOf(std::string_view stored) {
  Result<Batch> batch = Decode(stored);
  EXPECT_FALSE(batch);
  return batch ? ErrorCode::kInternal : batch.error().code;
}

// A payload by hand: tag, length, bytes.
std::string Delimited(int field, std::string_view bytes) {
  std::string out;
  RowWriter writer(out);
  writer.U8(static_cast<std::uint8_t>(field << 3 | 2));
  writer.Bytes(bytes);
  return out;
}

std::string Number(int field, std::uint64_t value) {
  std::string out;
  RowWriter writer(out);
  writer.U8(static_cast<std::uint8_t>(field << 3));
  writer.Varint(value);
  return out;
}

std::string PlainHead() {
  const std::string stream =
      Delimited(1, "Testorg") + Delimited(2, "Site1") + Delimited(3, "INSTANCE1");
  return Delimited(1, Delimited(1, stream));
}

std::string Sealed(std::string_view payload, std::uint32_t changes) {
  return Seal(HeaderFor(payload, changes), payload);
}

std::string SealedChange(std::string_view change) {
  return Sealed(PlainHead() + Delimited(2, change), 1);
}

TEST(Batch_Property, EveryKindComesBackUnchanged) {
  Random random(1);
  for (int i = 0; i < 2000; ++i) {
    const Batch batch = RandomBatch(random);
    const std::string stored = MustEncode(batch);
    EXPECT_EQ(stored, MustEncode(batch));
    const Result<Batch> back = Decode(stored);
    ASSERT_TRUE(back) << i << ": " << back.error().message;
    ASSERT_EQ(*back, batch) << i;
  }
}

TEST(Batch_Property, ChangesAloneComeBackUnchanged) {
  Random random(2);
  for (int i = 0; i < 2000; ++i) {
    const Change change = RandomChange(random);
    const Result<Change> back = DecodeChange(EncodeChange(change));
    ASSERT_TRUE(back) << back.error().message;
    ASSERT_EQ(*back, change);
  }
}

TEST(Batch_Property, EveryTruncationIsRefused) {
  Batch batch = PlainBatch();
  batch.changes = {PlainChange("a"), PlainChange("b")};
  const std::string stored = MustEncode(batch);
  for (std::size_t length = 0; length < stored.size(); ++length)
    EXPECT_EQ(CodeOf(std::string_view(stored).substr(0, length)), ErrorCode::kTruncated) << length;
  EXPECT_EQ(CodeOf(stored + "x"), ErrorCode::kDamaged);
  EXPECT_EQ(CodeOf(stored + stored), ErrorCode::kDamaged);
}

TEST(Batch_Property, EveryAlteredByteIsRefused) {
  Batch batch = PlainBatch();
  batch.changes = {PlainChange("a"), PlainChange("b")};
  const std::string stored = MustEncode(batch);
  for (std::size_t at = 0; at < stored.size(); ++at) {
    for (int flip : {1, 2, 0x80, 0xFF}) {
      std::string altered = stored;
      altered[at] = static_cast<char>(altered[at] ^ flip);
      EXPECT_FALSE(Decode(altered)) << at;
    }
  }
}

TEST(Batch_Property, SignedGarbageNeverCrashes) {
  Random random(3);
  Batch batch = PlainBatch();
  batch.changes = {PlainChange("a"), PlainChange("b")};
  const std::string good = MustEncode(batch);
  const std::string payload =
      good.substr(codec::kHeaderBytes, good.size() - codec::kHeaderBytes - codec::kSignatureBytes);
  for (int i = 0; i < 5000; ++i) {
    std::string altered = payload;
    for (std::uint64_t n = 1 + Below(random, 3); n > 0; --n)
      altered[Below(random, altered.size())] = static_cast<char>(random());
    Result<Batch> decoded = Decode(Sealed(altered, 2));
    if (!decoded) continue;
    // What is accepted can be told on: it encodes and comes back.
    decoded->sequence = 1;
    const Result<Batch> again = Decode(MustEncode(*decoded));
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(*again, *decoded);
  }
}

TEST(Batch, BytesThatAreNoBatchAreRefused) {
  EXPECT_EQ(CodeOf(""), ErrorCode::kTruncated);
  EXPECT_EQ(CodeOf("DSY"), ErrorCode::kTruncated);
  EXPECT_EQ(CodeOf("X"), ErrorCode::kDamaged);
  EXPECT_EQ(CodeOf(std::string(500, '\0')), ErrorCode::kDamaged);
  EXPECT_EQ(CodeOf(std::string(limits::kBatchBytes + 1, 'D')), ErrorCode::kTooLarge);
}

TEST(Batch, NewerVersionFlagsAndKindsAreNamedAsSuch) {
  const std::string stored = MustEncode(PlainBatch());
  for (std::size_t at : {4u, 5u, 6u, 7u}) {
    std::string newer = stored;
    newer[at] = 0x42;
    EXPECT_EQ(CodeOf(newer), ErrorCode::kUnknownVersion) << at;
  }
}

TEST(Batch, SignatureOfAnotherKeyNamesThatKey) {
  const SigningKey other = *SigningKey::FromSeed(std::string(32, 'o'));
  const std::string stored = *EncodeBatch(PlainBatch(), other);
  const Result<Batch> batch = Decode(stored);
  ASSERT_FALSE(batch);
  EXPECT_EQ(batch.error().code, ErrorCode::kKeyChanged);
  EXPECT_THAT(batch.error().message, HasSubstr(Fingerprint(other.public_key())));
  EXPECT_THAT(batch.error().message, HasSubstr("1/7"));
}

TEST(Batch, AlteredSignerIsABadSignatureNotAnotherKey) {
  std::string stored = MustEncode(PlainBatch());
  stored[104] = static_cast<char>(stored[104] ^ 1);
  EXPECT_EQ(CodeOf(stored), ErrorCode::kBadSignature);
}

TEST(Batch, BombIsStoppedAtTheDeclaredSize) {
  const std::string bomb = *codec::CompressIfSmaller(std::string(64 * limits::kMiB, '\0'));
  codec::FullHeader header = HeaderFor(bomb, 0);
  header.compressed = true;
  header.payload_bytes = limits::kBatchPayloadBytes;
  EXPECT_EQ(CodeOf(Seal(header, bomb)), ErrorCode::kDamaged);
  header.payload_bytes = 64 * limits::kMiB;
  EXPECT_EQ(CodeOf(Seal(header, bomb)), ErrorCode::kTooLarge);
}

TEST(Batch, FrameMustFitItsDeclaredSizeExactly) {
  const std::string frame = *codec::CompressIfSmaller(std::string(200000, 'a'));
  codec::FullHeader header = HeaderFor(frame, 0);
  header.compressed = true;
  for (std::uint32_t wrong : {0u, 1u, 199999u, 200001u, 4000000u}) {
    header.payload_bytes = wrong;
    EXPECT_EQ(CodeOf(Seal(header, frame)), ErrorCode::kDamaged) << wrong;
  }
  header.payload_bytes = 200000;
  for (std::size_t length : {std::size_t{0}, std::size_t{4}, frame.size() - 1}) {
    header.stored_bytes = static_cast<std::uint32_t>(length);
    EXPECT_EQ(CodeOf(Seal(header, frame.substr(0, length))), ErrorCode::kDamaged) << length;
  }
  header.stored_bytes = static_cast<std::uint32_t>(frame.size() + 1);
  EXPECT_EQ(CodeOf(Seal(header, frame + "x")), ErrorCode::kDamaged);
}

TEST(Batch, CompressesOnlyWhatGetsSmaller) {
  Batch batch = PlainBatch();
  batch.changes = {PlainChange("a")};
  batch.changes[0].attributes[0].values = {std::string(100000, 'a')};
  EXPECT_LT(MustEncode(batch).size(), 2000u);
  EXPECT_EQ(*Decode(MustEncode(batch)), batch);
  Random random(4);
  std::string noise(100000, '\0');
  for (char& c : noise) c = static_cast<char>(random());
  batch.changes[0].attributes[0].values = {noise};
  EXPECT_GT(MustEncode(batch).size(), 100000u);
  EXPECT_EQ(*Decode(MustEncode(batch)), batch);
}

TEST(Batch, EmptyMessagesAreCountedBeforeTheyAreBuilt) {
  std::string payload = PlainHead();
  for (std::size_t i = 0; i <= limits::kChangesPerBatch; ++i) payload += Delimited(2, "");
  EXPECT_EQ(CodeOf(Sealed(payload, 0)), ErrorCode::kTooLarge);
  std::string change;
  for (std::size_t i = 0; i <= limits::kAttributesPerEntry; ++i) change += Delimited(8, "");
  EXPECT_EQ(CodeOf(SealedChange(change)), ErrorCode::kTooLarge);
  std::string attribute;
  for (std::size_t i = 0; i <= limits::kValuesPerAttribute; ++i) attribute += Delimited(3, "");
  EXPECT_EQ(CodeOf(SealedChange(Delimited(8, attribute))), ErrorCode::kTooLarge);
}

TEST(Batch, ValuesOfAllChangesTogetherAreBounded) {
  std::string attribute;
  for (std::size_t i = 0; i < limits::kValuesPerAttribute; ++i) attribute += Delimited(3, "");
  std::string payload = PlainHead();
  const std::size_t changes = limits::kValuesPerBatch / limits::kValuesPerAttribute + 1;
  for (std::size_t i = 0; i < changes; ++i) payload += Delimited(2, Delimited(8, attribute));
  EXPECT_EQ(CodeOf(Sealed(payload, static_cast<std::uint32_t>(changes))), ErrorCode::kTooLarge);
}

TEST(Batch, PayloadMustHoldOneHeadAndAgreeWithTheHeader) {
  EXPECT_TRUE(Decode(Sealed(PlainHead(), 0)));
  EXPECT_EQ(CodeOf(Sealed("", 0)), ErrorCode::kBadRecord);
  EXPECT_EQ(CodeOf(Sealed(PlainHead() + PlainHead(), 0)), ErrorCode::kBadRecord);
  EXPECT_EQ(CodeOf(Sealed(PlainHead(), 1)), ErrorCode::kBadRecord);
  codec::FullHeader header = HeaderFor(PlainHead(), 0);
  header.batch.stream_digest = DigestOf("Testorg/Site1/INSTANCE2");
  EXPECT_EQ(CodeOf(Seal(header, PlainHead())), ErrorCode::kBadRecord);
}

TEST(Batch, UnknownFieldsAreSkippedAndGroupsRefused) {
  const std::string change = EncodeChange(PlainChange("a"));
  const std::string more = Delimited(12, "future") + Number(13, 5);
  const Result<Batch> batch =
      Decode(Sealed(more + PlainHead() + Delimited(2, change + more) + more, 1));
  ASSERT_TRUE(batch) << batch.error().message;
  EXPECT_EQ(batch->changes, std::vector{PlainChange("a")});
  EXPECT_EQ(CodeOf(Sealed(PlainHead() + "\x63\x64", 0)), ErrorCode::kBadRecord);
  EXPECT_EQ(CodeOf(SealedChange(change + "\x63\x64")), ErrorCode::kBadRecord);
}

TEST(Batch, UnknownKindOfChangeIsKeptForQuarantine) {
  Batch batch = PlainBatch();
  Change unknown = PlainChange("");
  unknown.kind = ChangeKind::kAdd;
  unknown.unknown_kind = 77;
  unknown.dn = "line\nbreak";
  batch.changes = {PlainChange("a"), unknown, PlainChange("b")};
  const Result<Batch> back = Decode(MustEncode(batch));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->changes[1].unknown_kind, 77u);
  EXPECT_EQ(*back, batch);
}

struct WrongChange {
  const char* what;
  void (*spoil)(Change&);
};
const WrongChange kWrongChanges[] = {
    {"id", [](Change& c) { c.id = {}; }},
    {"empty", [](Change& c) { c.name = ""; }},
    {"name", [](Change& c) { c.name = "a\nb"; }},
    {"name", [](Change& c) { c.name = "\xFF"; }},
    {"name", [](Change& c) { c.name = std::string(limits::kNameBytes + 1, 'a'); }},
    {"name", [](Change& c) { c.name = "a "; }},
    {"class", [](Change& c) { c.entry_class = static_cast<EntryClass>(5); }},
    {"class", [](Change& c) { c.entry_class = static_cast<EntryClass>(0); }},
    {"dn", [](Change& c) { c.dn = "a\nb"; }},
    {"dn", [](Change& c) { c.dn = std::string(limits::kDnBytes + 1, 'a'); }},
    {"target", [](Change& c) { c.target_address = "EDK:\r"; }},
    {"target", [](Change& c) { c.target_address = std::string(limits::kNameBytes + 1, 'a'); }},
    {"attribute name", [](Change& c) { c.attributes[0].name = ""; }},
    {"attribute name", [](Change& c) { c.attributes[0].name = "a b"; }},
    {"attribute name", [](Change& c) { c.attributes[0].name = std::string(65, 'a'); }},
    {"operation",
     [](Change& c) { c.attributes[0].operation = static_cast<AttributeOperation>(0); }},
    {"operation",
     [](Change& c) { c.attributes[0].operation = static_cast<AttributeOperation>(4); }},
    {"whole", [](Change& c) { c.attributes[0].operation = AttributeOperation::kAdd; }},
    {"ascending", [](Change& c) { c.attributes.push_back(c.attributes[0]); }},
    {"ascending",
     [](Change& c) { c.attributes.push_back({"City", AttributeOperation::kSet, {}}); }},
    {"over 1 MiB", [](Change& c) { c.attributes[0].values[0].resize(limits::kValueBytes + 1); }},
};

TEST(Batch, WrongChangeIsNeitherEncodedNorDecoded) {
  for (const WrongChange& wrong : kWrongChanges) {
    Batch batch = PlainBatch();
    batch.changes = {PlainChange("a"), PlainChange("b")};
    wrong.spoil(batch.changes[1]);
    const Result<std::string> stored = EncodeBatch(batch, SealKey());
    ASSERT_FALSE(stored) << wrong.what;
    EXPECT_EQ(stored.error().code, ErrorCode::kInvalid);
    EXPECT_THAT(stored.error().message, HasSubstr("change 2: "));
    EXPECT_THAT(stored.error().message, HasSubstr(wrong.what));
    const std::string payload = PlainHead() + Delimited(2, EncodeChange(batch.changes[0])) +
                                Delimited(2, EncodeChange(batch.changes[1]));
    const Result<Batch> back = Decode(Sealed(payload, 2));
    ASSERT_FALSE(back) << wrong.what;
    EXPECT_EQ(back.error().code, ErrorCode::kBadRecord);
    EXPECT_THAT(back.error().message, HasSubstr("change 2: "));
    EXPECT_THAT(back.error().message, HasSubstr(wrong.what));
  }
}

TEST(Batch, WrongFieldsOfAChangeAreRefused) {
  const std::string good = EncodeChange(PlainChange("a"));
  EXPECT_TRUE(Decode(SealedChange(good)));
  EXPECT_EQ(CodeOf(SealedChange(good + Number(1, 0))), ErrorCode::kBadRecord);
  EXPECT_EQ(CodeOf(SealedChange(good + Delimited(2, "short"))), ErrorCode::kBadRecord);
  EXPECT_EQ(CodeOf(SealedChange(good + Delimited(4, std::string(17, 'x')))), ErrorCode::kBadRecord);
  EXPECT_EQ(CodeOf(SealedChange(good + Number(3, 257 + 255))), ErrorCode::kBadRecord);
  EXPECT_EQ(CodeOf(SealedChange(good + "\x0A")), ErrorCode::kBadRecord);
  EXPECT_EQ(CodeOf(SealedChange(good + Number(3, 0x102))), ErrorCode::kBadRecord);
}

TEST(Batch, WrongHeadIsNeitherEncodedNorDecoded) {
  const auto refused = [](auto spoil) {
    Batch batch = PlainBatch();
    spoil(batch);
    const Result<std::string> stored = EncodeBatch(batch, SealKey());
    return !stored && stored.error().code == ErrorCode::kInvalid;
  };
  EXPECT_TRUE(refused([](Batch& b) { b.stream.site = ""; }));
  EXPECT_TRUE(refused([](Batch& b) { b.stream.instance = "\xFF"; }));
  EXPECT_TRUE(refused([](Batch& b) { b.epoch.counter = 0; }));
  EXPECT_TRUE(refused([](Batch& b) { b.sequence = 0; }));
  EXPECT_TRUE(refused([](Batch& b) { b.kind = static_cast<BatchKind>(5); }));
  EXPECT_TRUE(refused([](Batch& b) { b.terms.address_type = "E K"; }));
  EXPECT_TRUE(refused([](Batch& b) { b.terms.attributes = {"a\nb"}; }));
  EXPECT_TRUE(refused([](Batch& b) { b.terms.attributes.resize(1025, "a"); }));
  EXPECT_TRUE(refused([](Batch& b) { b.run.by_class[static_cast<EntryClass>(9)] = {}; }));
  const std::string stream = Delimited(1, "Testorg") + Delimited(2, "Site1") + Delimited(3, "I");
  const std::string run_backwards = Delimited(2, Number(1, 2)) + Delimited(2, Number(1, 1));
  for (const std::string& wrong :
       {std::string(), stream, Delimited(1, stream) + Delimited(3, Delimited(1, "short")),
        Delimited(1, stream) + Delimited(4, run_backwards),
        Delimited(1, stream) + Delimited(7, Delimited(4, "short")),
        Delimited(1, stream) + Delimited(30, std::string(200000, 'x'))})
    EXPECT_EQ(CodeOf(Sealed(Delimited(1, wrong), 0)), ErrorCode::kBadRecord);
}

TEST(EncodeBatch, LargeBatchesAreRefused) {
  Batch batch = PlainBatch();
  batch.changes.assign(limits::kChangesPerBatch, PlainChange("a"));
  EXPECT_EQ(*Decode(MustEncode(batch)), batch);
  batch.changes.push_back(PlainChange("a"));
  EXPECT_EQ(EncodeBatch(batch, SealKey()).error().code, ErrorCode::kTooLarge);
  batch.changes.assign(5, PlainChange("a"));
  for (Change& change : batch.changes)
    change.attributes[0].values = {std::string(limits::kValueBytes, 'a')};
  EXPECT_EQ(EncodeBatch(batch, SealKey()).error().code, ErrorCode::kTooLarge);
  batch.changes.assign(1, PlainChange("a"));
  batch.changes[0].attributes[0].values.assign(2, std::string(limits::kValueBytes, 'a'));
  EXPECT_EQ(EncodeBatch(batch, SealKey()).error().code, ErrorCode::kTooLarge);
}

TEST(EncodeBatch, LargestEntryFits) {
  Batch batch = PlainBatch();
  batch.changes = {PlainChange("a")};
  batch.changes[0].dn = std::string(limits::kDnBytes, 'd');
  batch.changes[0].attributes[0].values = {std::string(limits::kEntryBytes, 'a')};
  EXPECT_EQ(*Decode(MustEncode(batch)), batch);
}

TEST(Batch, ARangeKeepsItsBoundsUnderTheSignature) {
  Batch batch = PlainBatch();
  batch.kind = BatchKind::kRange;
  batch.changes = {PlainChange("a")};
  batch.range = {3, batch.changes[0].id, 255, batch.changes[0].id, true};
  EXPECT_EQ(*Decode(MustEncode(batch)), batch);
  std::string altered = MustEncode(batch);
  altered[codec::kHeaderBytes + 40] ^= 1;
  EXPECT_EQ(Decode(altered).error().code, ErrorCode::kBadSignature);
}

TEST(PeekBatch, ShowsTheHeaderWithoutTheKey) {
  Batch batch = PlainBatch();
  batch.kind = BatchKind::kCanary;
  batch.changes = {PlainChange("a")};
  const Result<BatchHeader> header = PeekBatch(MustEncode(batch));
  ASSERT_TRUE(header);
  EXPECT_EQ(header->stream_digest, DigestOf("Testorg/Site1/INSTANCE1"));
  EXPECT_EQ(header->epoch, batch.epoch);
  EXPECT_EQ(header->sequence, 7u);
  EXPECT_EQ(header->previous, batch.previous);
  EXPECT_EQ(header->signer, SealKey().public_key());
  EXPECT_EQ(header->kind, BatchKind::kCanary);
  EXPECT_EQ(header->changes, 1u);
  EXPECT_EQ(PeekBatch("").error().code, ErrorCode::kTruncated);
}

TEST(DecodeChange, WrongBytesAreRefused) {
  EXPECT_EQ(DecodeChange("").error().code, ErrorCode::kBadRecord);
  EXPECT_EQ(DecodeChange("\xFF").error().code, ErrorCode::kBadRecord);
  EXPECT_EQ(DecodeChange(std::string(limits::kChangeBytes + 1, 'a')).error().code,
            ErrorCode::kTooLarge);
}

}  // namespace
}  // namespace dirsync
