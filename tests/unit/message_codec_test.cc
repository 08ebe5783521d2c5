// Messages cross the wire unchanged; what no sender writes is refused within bounds.
#include "proto/codec/message_codec.h"

#include <gmock/gmock.h>

#include <random>

#include "proto/base/limits.h"
#include "proto/codec/roster_codec.h"

namespace dirsync {
namespace {

class RandomMessages {
 public:
  explicit RandomMessages(std::uint64_t seed) : random_(seed) {}

  std::uint64_t Number() { return random_() >> (random_() % 64); }
  std::string Text() {
    std::string text(random_() % 20, '\0');
    for (char& c : text) c = static_cast<char>(random_());
    return text;
  }
  std::string Name() { return "n" + std::to_string(random_() % 1000); }
  template <class Id>
  Id AnId() {
    Id id;
    for (auto& byte : id.bytes) byte = static_cast<std::uint8_t>(random_());
    return id;
  }
  StreamName Stream() { return {Name(), Name(), Name()}; }
  Position At() { return {{Number(), AnId<EpochId>()}, Number(), AnId<Digest>()}; }
  Payload Bytes() { return std::make_shared<const std::string>(Text()); }
  std::vector<std::string> Texts() {
    std::vector<std::string> texts(random_() % 4);
    for (std::string& text : texts) text = Text();
    return texts;
  }
  Instant Time() { return FromMillis(static_cast<std::int64_t>(random_() % (1LL << 42))); }
  bool Coin() { return random_() % 2 == 0; }
  std::size_t Few() { return random_() % 4; }

 private:
  std::mt19937_64 random_;
};

std::string Bytes(const Message& message) {
  WireMessage wire = EncodeMessage(message);
  return wire.header + "|" + (wire.payload ? *wire.payload : std::string("none"));
}

void ExpectRoundTrip(const Message& message) {
  WireMessage wire = EncodeMessage(message);
  auto decoded = DecodeMessage(wire.header, wire.payload);
  ASSERT_TRUE(decoded.has_value()) << MessageName(message) << ": " << decoded.error().ToString();
  EXPECT_EQ(decoded->index(), message.index());
  EXPECT_EQ(Bytes(*decoded), Bytes(message)) << MessageName(message);
}

// Kinds that compare by value are compared by value, too.
template <class Kind>
void ExpectSame(const Kind& kind) {
  ExpectRoundTrip(Message(kind));
  WireMessage wire = EncodeMessage(Message(kind));
  auto decoded = DecodeMessage(wire.header, wire.payload);
  ASSERT_TRUE(decoded.has_value());
  EXPECT_TRUE(std::get<Kind>(*decoded) == kind) << MessageName(Message(kind));
}

InstanceReport AReport(RandomMessages& r) {
  InstanceReport report;
  report.instance = r.Name();
  report.exports = r.Coin();
  report.stream = r.Stream();
  report.position = r.At();
  report.paused = r.Coin();
  report.rows = r.Number();
  report.captured = r.Number();
  report.applied = r.Number();
  report.held = r.Number();
  report.quarantined = r.Number();
  report.wanted = r.Number();
  report.outbox_batches = r.Number();
  report.full_done = r.Number();
  report.full_total = r.Number();
  report.suspect = r.Coin();
  report.diverged = r.Coin();
  report.sums_equal_at = r.Time();
  report.canary_at = r.Time();
  report.problem = ErrorCode::kGap;
  report.problem_text = r.Text();
  return report;
}

TEST(MessageCodec, EverySessionMessageIsLossless) {
  RandomMessages r(1);
  for (int i = 0; i < 500; ++i) {
    Hello hello{1, 3, r.Name(), r.Name(), r.Text(), r.AnId<Nonce>(), 4, {}};
    Welcome welcome{1, r.AnId<Nonce>(), r.Coin(), r.Number(), r.Number(), 10, 4, {}};
    for (std::size_t n = r.Few(); n > 0; --n) {
      hello.produced.push_back({r.Stream(), r.At(), r.Number()});
      Welcome::Log log{r.Stream(), r.AnId<IncarnationId>(), r.At(), r.Number(), {}};
      for (std::size_t k = r.Few(); k > 0; --k) log.readers.push_back({r.Name(), r.At(), r.Coin()});
      welcome.produced.push_back(std::move(log));
    }
    ExpectSame(hello);
    ExpectSame(welcome);
    ExpectSame(Bye{ErrorCode::kCloned, r.Text(), 7});
    ExpectSame(Ping{r.Coin()});
    ExpectSame(AdminRequest{r.Name(), r.Name(), r.AnId<Nonce>(), r.Time(), r.Texts(),
                            r.AnId<Signature>()});
    ExpectSame(
        AdminReply{r.Name(), r.Name(), r.AnId<Nonce>(), r.Coin(), ErrorCode::kFork, r.Text()});
    AgentReport report{r.Time(), r.Time(), r.Name(), {}, r.Number(), r.Number()};
    for (std::size_t n = r.Few(); n > 0; --n) report.instances.push_back(AReport(r));
    ExpectSame(report);
  }
}

TEST(MessageCodec, EveryStreamMessageIsLossless) {
  RandomMessages r(2);
  for (int i = 0; i < 500; ++i) {
    ExpectRoundTrip(Publish{r.Stream(), r.At(), r.AnId<Digest>(), r.Coin(), r.Bytes()});
    ExpectSame(Published{r.Stream(), r.At(), PublishOutcome::kConflict, r.Number(), 3});
    Streams streams;
    for (std::size_t n = r.Few(); n > 0; --n)
      streams.logs.push_back({r.Stream(), r.AnId<IncarnationId>(), r.At(), r.Coin()});
    ExpectSame(streams);
    ExpectSame(Subscribe{r.Stream(), r.At(), r.AnId<IncarnationId>()});
    ExpectSame(Unsubscribe{r.Stream(), r.Coin()});
    ExpectSame(Subscribed{r.Stream(), SubscribeOutcome::kFork, r.AnId<IncarnationId>(), r.At()});
    ExpectRoundTrip(Deliver{r.Stream(), r.AnId<IncarnationId>(), r.At(), r.Bytes()});
    ExpectSame(Credit{r.Number()});
    Ack ack{r.Stream(), r.Name(), r.At(), {}, r.Coin()};
    for (std::size_t n = r.Few(); n > 0; --n) ack.wants.push_back(r.AnId<EntryId>());
    ExpectSame(ack);
    ExpectSame(Nack{r.Stream(), r.At(), ErrorCode::kFork, r.Text()});
    ExpectSame(GetRange{r.Stream(), r.Name(), r.Number(), 255, r.AnId<EntryId>(), r.Number()});
    ExpectRoundTrip(Range{r.Stream(), r.Name(), r.Number(), ErrorCode::kBusy, r.Text(), nullptr});
    ExpectRoundTrip(Range{r.Stream(), r.Name(), r.Number(), ErrorCode::kBusy, "", r.Bytes()});
    ExpectSame(Fetch{r.Stream(), r.At()});
  }
}

TEST(MessageCodec, EveryTrustMessageIsLossless) {
  RandomMessages r(3);
  for (int i = 0; i < 500; ++i) {
    RosterNews news;
    for (std::size_t n = r.Few(); n > 0; --n)
      news.entries.push_back({r.Text(), r.AnId<Signature>()});
    ExpectSame(news);
    ExpectSame(JoinRequest{r.Text(), r.Name(), r.Name(), r.Name(), r.AnId<PublicKey>(),
                           r.AnId<TransportKey>(), r.Texts(), r.Name(), r.AnId<Signature>()});
    ExpectSame(JoinReply{JoinReply::State::kRefused, ErrorCode::kExpired, r.Text(), news});
  }
}

TEST(MessageCodec, RefusesWhatNoSenderWrites) {
  EXPECT_EQ(DecodeMessage("", nullptr).error().code, ErrorCode::kUnknownVersion);
  EXPECT_EQ(DecodeMessage("\xff\xff", nullptr).error().code, ErrorCode::kBadRecord);
  EXPECT_EQ(DecodeMessage(std::string(limits::kMessageHeaderBytes + 1, 'x'), nullptr).error().code,
            ErrorCode::kTooLarge);
  // A body of a later version: field 40, empty.
  EXPECT_EQ(DecodeMessage(std::string("\xc2\x02\x00", 3), nullptr).error().code,
            ErrorCode::kUnknownVersion);
  const WireMessage ping = EncodeMessage(Message(Ping{}));
  EXPECT_EQ(DecodeMessage(ping.header, std::make_shared<const std::string>("x")).error().code,
            ErrorCode::kBadRecord);
  const Payload huge = std::make_shared<const std::string>(limits::kBatchBytes + 1, 'x');
  EXPECT_EQ(DecodeMessage(EncodeMessage(Message(Publish{})).header, huge).error().code,
            ErrorCode::kTooLarge);
}

TEST(MessageCodec, PassesOverFieldsOfLaterVersions) {
  std::string header = EncodeMessage(Message(Credit{77})).header;
  // Credit is body 12; field 9 of it, a varint, is of a later version.
  header[1] = static_cast<char>(header[1] + 2);
  header += "\x48\x05";
  auto decoded = DecodeMessage(header, nullptr);
  ASSERT_TRUE(decoded.has_value()) << decoded.error().ToString();
  EXPECT_EQ(std::get<Credit>(*decoded).bytes, 77U);
}

TEST(MessageCodec, BoundsTheNumberOfEmptyParts) {
  // Two bytes each on the wire; what they would become in memory is refused by their number.
  std::string streams;
  for (std::size_t i = 0; i < limits::kMessageHeaderBytes / 2 - 16; ++i)
    streams += std::string("\x0a\x00", 2);
  std::string header = "\x3a";  // body 7, STREAMS
  for (std::uint64_t n = streams.size(); n > 0; n >>= 7)
    header.push_back(static_cast<char>((n & 0x7f) | (n > 0x7f ? 0x80 : 0)));
  header += streams;
  const auto refused = DecodeMessage(header, nullptr);
  // By the scan, before anything is built.
  EXPECT_EQ(refused.error().code, ErrorCode::kTooLarge);
  EXPECT_THAT(refused.error().message, testing::HasSubstr("8192 parts"));
}

// Each body would be built, only to give its place to the next one.
TEST(MessageCodec, TakesOneBodyOnly) {
  const std::string ping = EncodeMessage(Message(Ping{true})).header;
  const std::string credit = EncodeMessage(Message(Credit{7})).header;
  EXPECT_TRUE(DecodeMessage(ping, nullptr).has_value());
  EXPECT_EQ(DecodeMessage(ping + credit, nullptr).error().code, ErrorCode::kBadRecord);
}

TEST(RosterCodec, OpensWhatTheOrganisationSigned) {
  RandomMessages r(4);
  const SigningKey organization = *SigningKey::FromSeed(std::string(32, 'o'));
  for (int i = 0; i < 200; ++i) {
    RosterEntry entry{r.Name(),
                      r.Name(),
                      r.Name(),
                      r.AnId<PublicKey>(),
                      r.AnId<TransportKey>(),
                      {r.Name(), r.Name()},
                      r.Number(),
                      SiteState::kRemoved,
                      ContactsAfter::kDelete,
                      r.Coin(),
                      r.Time()};
    const SignedRosterEntry good = SignRosterEntry(entry, organization);
    auto opened = OpenRosterEntry(good, organization.public_key());
    ASSERT_TRUE(opened.has_value()) << opened.error().ToString();
    EXPECT_EQ(*opened, entry);
    SignedRosterEntry altered = good;
    altered.bytes[r.Number() % altered.bytes.size()] ^= 1;
    EXPECT_EQ(OpenRosterEntry(altered, organization.public_key()).error().code,
              ErrorCode::kBadSignature);
  }
  const SigningKey other = *SigningKey::FromSeed(std::string(32, 'x'));
  RosterEntry entry{"O", "S", "V", r.AnId<PublicKey>(), r.AnId<TransportKey>(), {}, 1};
  EXPECT_EQ(OpenRosterEntry(SignRosterEntry(entry, other), organization.public_key()).error().code,
            ErrorCode::kBadSignature);
}

}  // namespace
}  // namespace dirsync
