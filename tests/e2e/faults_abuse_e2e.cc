// Abuse by a member of the organisation, against a real broker and a real agent.
#include "tests/e2e/attacker.h"

namespace dirsync::e2e {
namespace {

using std::chrono::milliseconds;

// T34: what is another site's: publishing, reading, greeting, answering, asking in its name.
TEST_F(AbuseFaults, InTheNameOfAnother) {
  ASSERT_NO_FATAL_FAILURE(BeginWithEvil());
  AddPeople(1, "early", 3);
  SiteClient evil = Connect(kEvil);
  auto welcome = evil.Greet();
  ASSERT_TRUE(welcome.has_value());
  const StreamName theirs{"Testorg", "Site1", "OUT"};
  UntilTold();
  ASSERT_TRUE(evil.Send(Subscribe{theirs, {}, {}}));
  const auto first = evil.Await<Subscribed>();
  ASSERT_TRUE(first.has_value());
  ASSERT_TRUE(evil.Send(Subscribe{theirs, first->tail, {}}));
  ASSERT_EQ(evil.Await<Subscribed>()->outcome, SubscribeOutcome::kGoesOn);
  ASSERT_TRUE(evil.Send(Credit{limits::kCreditBytes}));
  AddPeople(1, "late", 1);
  const auto captured = evil.Await<Deliver>();
  ASSERT_TRUE(captured.has_value());
  const auto before = world_->Json(0, {"broker", "streams"});
  int refused = 0, tried = 0, accepted = 0;
  const Place here{captured->position.sequence + 1, captured->position.digest};
  const auto count = [&](const std::string& reason, std::uint64_t was) {
    ++tried;
    if (Refusals(reason) > was) ++refused;
  };
  // A batch of its own under the other's name, the other's own batch again, a new stream of theirs.
  for (const StreamName& stream : {theirs, StreamName{"Testorg", "Site1", "NEW"}}) {
    const std::uint64_t was = Refusals("UNAUTHORIZED");
    const PublishOutcome outcome = Tell(evil, stream, here, ByHand(stream, here, HeadOf(stream)));
    if (outcome == PublishOutcome::kStored) ++accepted;
    count("UNAUTHORIZED", was);
  }
  {
    const std::uint64_t was = Refusals("UNAUTHORIZED");
    const PublishOutcome outcome = Tell(evil, theirs, here, *captured->payload);
    if (outcome == PublishOutcome::kStored) ++accepted;
    count("UNAUTHORIZED", was);
  }
  // Answers and questions that only the stream's producer may send.
  const auto range = std::make_shared<const std::string>(ByHand(theirs, here, HeadOf(theirs)));
  const std::vector<std::pair<std::string, Message>> foreign = {
      {"RANGE", dirsync::Range{theirs, "Site1", 1, ErrorCode::kAlreadyApplied, "", range}},
      {"FETCH", Fetch{theirs, captured->position}}};
  for (const auto& [reason, message] : foreign) {
    const std::uint64_t was = Refusals(reason);
    ASSERT_TRUE(evil.Send(message));
    ASSERT_TRUE(evil.Send(Ping{}));
    while (auto next = evil.Next()) {
      if (std::holds_alternative<Deliver>(*next) && reason == "FETCH") ++accepted;
      if (std::holds_alternative<Ping>(*next)) break;
    }
    count(reason, was);
  }
  const auto after = world_->Json(0, {"broker", "streams"});
  EXPECT_EQ(before.size(), after.size());
  EXPECT_EQ(accepted, 0);
  EXPECT_EQ(refused, tried);
  Row("T34",
      "a member publishes, answers, fetches what is another's, in " + std::to_string(tried) +
          " ways",
      "accepted " + std::to_string(accepted) + "; refused and counted " + std::to_string(refused) +
          " of " + std::to_string(tried));
}

// T34: greeting, asking and answering as somebody else ends the session.
TEST_F(AbuseFaults, AsAnother) {
  ASSERT_NO_FATAL_FAILURE(BeginWithEvil());
  Nonce nonce;
  int ended = 0, tried = 0;
  const std::uint64_t before = Refusals("NOT_PERMITTED");
  Hello hello;
  hello.organization = "Testorg";
  hello.site = "Site1";
  AdminRequest request;
  request.target = request.signer = "Site1";
  request.words = {"resync", "take", "Testorg/Site1/OUT"};
  request.expires = FromMillis(4'000'000'000'000);
  AdminReply reply;
  reply.target = "Site1";
  reply.signer = kEvil;
  for (const Message& message : {Message(hello), Message(request), Message(reply)}) {
    SiteClient evil = Connect(kEvil);
    if (!std::holds_alternative<Hello>(message)) {
      const auto welcome = evil.Greet(nonce);
      ASSERT_TRUE(welcome.has_value());
      nonce = welcome->nonce;
    }
    ASSERT_TRUE(evil.Send(message));
    const auto bye = evil.Await<Bye>();
    ++tried;
    if (bye && bye->code == ErrorCode::kNotPermitted) ++ended;
  }
  const std::uint64_t counted = Refusals("NOT_PERMITTED") - before;
  EXPECT_EQ(ended, tried);
  EXPECT_EQ(counted, static_cast<std::uint64_t>(tried));
  Row("T34", "a member greets, asks and answers as another",
      "sessions ended " + std::to_string(ended) + " of " + std::to_string(tried) + ", counted " +
          std::to_string(counted) + "; accepted " + std::to_string(tried - ended));
}

// T37: batches again, batches signed by others, batches with one bit turned.
TEST_F(AbuseFaults, RepeatedForgedFlipped) {
  ASSERT_NO_FATAL_FAILURE(BeginWithEvil());
  AddPeople(1, "early", 2);
  SiteClient evil = Connect(kEvil);
  ASSERT_TRUE(evil.Greet().has_value());
  SignedStream stream = Begin(evil, "GOOD");
  const Publish second = stream.Next();
  ASSERT_TRUE(evil.Send(second));
  ASSERT_EQ(evil.Await<Published>()->outcome, PublishOutcome::kStored);
  EXPECT_TRUE(Until([&] { return AppliedOf("GOOD") == 2; }, std::chrono::seconds(120))) << Logs();
  int accepted = 0, duplicates = 0;
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(evil.Send(second));
    if (evil.Await<Published>()->outcome == PublishOutcome::kDuplicate) ++duplicates;
  }
  EXPECT_EQ(duplicates, 10);
  // Signed by another site, and said so; and said to be by this one.
  int others = 0;
  const StreamName other = StreamOf("OTHER");
  const Place place{2, Begin(evil, "OTHER").position().digest};
  const SigningKey stranger = TestKey("Site7");
  if (Tell(evil, other, place,
           ByHand(other, place, HeadOf(other), 0, stranger, stranger.public_key())) !=
      PublishOutcome::kStored)
    ++others;
  std::vector<std::string> stalled;
  if (Tell(evil, other, place, ByHand(other, place, HeadOf(other), 0, stranger)) ==
      PublishOutcome::kStored)
    stalled.emplace_back("OTHER");
  // One bit, at places all over the batch: with its digest as it was, and as it is now.
  constexpr int kFlips = 28;
  int at_broker = 0;
  for (int i = 0; i < 2 * kFlips; ++i) {
    const std::string instance = "F" + std::to_string(i) + "X";
    SignedStream fresh = Begin(evil, instance);
    const Place at_two{2, fresh.position().digest};
    const Publish whole = fresh.Next(300);
    std::string flipped = *whole.payload;
    const std::size_t at = flipped.size() * static_cast<std::size_t>(i / 2) / kFlips;
    flipped[at] = static_cast<char>(flipped[at] ^ (1 << (i % 8)));
    const Digest& before = whole.position.digest;
    const PublishOutcome outcome =
        Tell(evil, StreamOf(instance), at_two, flipped, i % 2 == 0 ? &before : nullptr);
    if (outcome == PublishOutcome::kStored) {
      stalled.push_back(instance);
    } else {
      ++at_broker;
    }
  }
  for (const std::string& instance : stalled)
    EXPECT_TRUE(Until([&] { return world_->Said(1, "stopped Evil." + instance + ":") > 0; },
                      std::chrono::seconds(120)))
        << instance << Logs();
  for (const std::string& instance : stalled)
    if (AppliedOf(instance) != 1) ++accepted;
  EXPECT_EQ(accepted, 0);
  EXPECT_EQ(others, 1);
  Row("T37",
      "a batch told 10 times more, 2 signed by another, " + std::to_string(2 * kFlips) +
          " with one bit turned",
      "DUPLICATE " + std::to_string(duplicates) + "; refused by the broker " +
          std::to_string(others + at_broker) + ", by the reader " + std::to_string(stalled.size()) +
          "; accepted " + std::to_string(accepted));
}

// T29: versions of the protocol.
TEST_F(AbuseFaults, OtherVersions) {
  ASSERT_NO_FATAL_FAILURE(BeginWithEvil());
  int right = 0;
  struct Offer {
    std::uint32_t low, high;
    bool served;
  };
  for (const Offer& offer : {Offer{1, 1, true}, Offer{1, 2, true}, Offer{0, 1, true},
                             Offer{2, 3, false}, Offer{0, 0, false}}) {
    SiteClient client = Connect(kEvil);
    Hello hello;
    hello.version_min = offer.low;
    hello.version_max = offer.high;
    hello.organization = "Testorg";
    hello.site = kEvil;
    ASSERT_TRUE(client.Send(hello));
    const auto answer = client.Next();
    ASSERT_TRUE(answer.has_value());
    const auto* welcome = std::get_if<Welcome>(&*answer);
    const auto* bye = std::get_if<Bye>(&*answer);
    EXPECT_EQ(welcome != nullptr && welcome->version == 1, offer.served);
    EXPECT_EQ(bye != nullptr && bye->code == ErrorCode::kUnknownVersion, !offer.served);
    if ((welcome != nullptr) == offer.served) ++right;
  }
  EXPECT_EQ(right, 5);
  Row("T29", "HELLO of versions 1-1, 1-2, 0-1, 2-3, 0-0",
      std::to_string(right) + " of 5 served with 1, or refused with both ranges named");
}

// T29: fields and kinds of change that nobody here knows.
TEST_F(AbuseFaults, UnknownFieldsAndKinds) {
  ASSERT_NO_FATAL_FAILURE(BeginWithEvil());
  // A field nobody knows, in the payload: forwarded and kept as it is, applied without it.
  SiteClient evil = Connect(kEvil);
  ASSERT_TRUE(evil.Greet().has_value());
  const StreamName stream = StreamOf("NEXT");
  const Publish start = Begin(evil, "NEXT").At(1);
  const auto plain = DecodeBatch(*start.payload, TestKey(kEvil).public_key());
  ASSERT_TRUE(plain.has_value());
  Batch batch = *plain;
  batch.sequence = 2;
  batch.previous = start.position.digest;
  batch.previous_epoch = {};
  batch.kind = BatchKind::kChanges;
  Change change;
  change.id = TestId<EntryId>(77);
  change.kind = ChangeKind::kAdd;
  change.unknown_kind = 77;
  change.name = "future";
  batch.changes = {change};
  const auto encoded = EncodeBatch(batch, TestKey(kEvil));
  ASSERT_TRUE(encoded.has_value()) << encoded.error().ToString();
  // 20 bytes of a field with number 100, behind the payload.
  auto header = codec::ReadHeader(*encoded);
  ASSERT_TRUE(header && !header->compressed);
  std::string body = encoded->substr(codec::kHeaderBytes, header->stored_bytes);
  body += std::string("\xa2\x06\x14", 3) + std::string(20, 'u');
  header->stored_bytes = header->payload_bytes = static_cast<std::uint32_t>(body.size());
  std::string stored = codec::WriteHeader(*header) + body;
  stored += TestKey(kEvil).Sign(codec::SignedMessage(stored)).view();
  Publish second{stream,
                 {batch.epoch, 2, DigestOf(stored)},
                 batch.previous,
                 false,
                 std::make_shared<const std::string>(stored)};
  ASSERT_TRUE(evil.Send(second));
  ASSERT_EQ(evil.Await<Published>()->outcome, PublishOutcome::kStored);
  EXPECT_TRUE(Until([&] { return AppliedOf("NEXT") == 2; }, std::chrono::seconds(120))) << Logs();
  const auto quarantine = world_->Json(1, {"quarantine", "list"});
  ASSERT_FALSE(quarantine.is_discarded());
  EXPECT_EQ(quarantine.size(), 1U);
  ASSERT_TRUE(evil.Send(Fetch{stream, second.position}));
  const auto back = evil.Await<Deliver>();
  ASSERT_TRUE(back.has_value());
  const std::size_t lost = *back->payload == stored ? 0 : 20;
  EXPECT_EQ(lost, 0U);
  Row("T29", "a batch with an unknown field and an unknown kind of change",
      "bytes of unknown fields lost " + std::to_string(lost) + " of 20; quarantined " +
          std::to_string(quarantine.size()) + ", the cursor went on");
}

}  // namespace
}  // namespace dirsync::e2e
