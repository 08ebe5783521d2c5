// Faults of the log, at a real broker: death, repeats, gaps, forks, readers that do not read.
#include <csignal>
#include <fstream>

#include "tests/e2e/broker_world.h"
#include "tests/e2e/fault_table.h"

namespace dirsync::e2e {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

class LogFaults : public BrokerWorld {
 protected:
  static const inline StreamName kStream{"Testorg", "Site1", "I"};

  std::optional<Published> Tell(SiteClient& client, Publish publish) {
    publish.begins_log = publish.position.sequence == 1;
    if (!client.Send(publish)) return std::nullopt;
    return client.Await<Published>();
  }
  PublishOutcome OutcomeOf(SiteClient& client, const Publish& publish) {
    const auto answer = Tell(client, publish);
    EXPECT_TRUE(answer.has_value());
    return answer ? answer->outcome : PublishOutcome::kVersion;
  }
  // Registered at `cursor`, and given all the credit there is, if it is to read.
  SubscribeOutcome Read(SiteClient& client, const Position& cursor, bool credit = true) {
    EXPECT_TRUE(client.Send(Subscribe{kStream, cursor, {}}));
    const auto answer = client.Await<Subscribed>();
    EXPECT_TRUE(answer.has_value());
    if (credit) {
      EXPECT_TRUE(client.Send(Credit{limits::kCreditBytes}));
    }
    return answer ? answer->outcome : SubscribeOutcome::kNotFound;
  }
  // What the producer hears back of `reader`.
  static std::optional<Ack> AckOf(SiteClient& producer, Sequence sequence,
                                  milliseconds patience = kPatience) {
    while (auto ack = producer.Await<Ack>(patience))
      if (ack->position.sequence >= sequence || ack->needs_ranges) return ack;
    return std::nullopt;
  }
  // A counter of refusals, as `broker stats` shows it.
  std::uint64_t Refusals(const std::string& reason) {
    const std::string stats = Command({"broker", "stats", "--json"});
    const auto at = stats.find('"' + reason + "\":");
    return at == std::string::npos ? 0 : std::strtoull(&stats[at + reason.size() + 3], nullptr, 10);
  }
  void Configure(const std::string& limits) {
    std::ofstream(top_ + "/broker.toml") << "[limits]\n" << limits;
  }
  std::vector<std::string> Configured() const { return {"--config", top_ + "/broker.toml"}; }

  SignedStream stream_{kStream, TestKey("Site1")};
};

// What was answered STORED is there, once, whatever the broker died of.
TEST_F(LogFaults, BrokerDies) {
  const std::uint64_t lives = 40 * Effort();
  Nonce nonce;
  Sequence stored = 0;
  std::uint64_t deaths = 0, again = 0;
  for (std::uint64_t life = 0; life < lives; ++life) {
    RunningBroker broker(top_, "*:" + std::to_string(1 + life % 37));
    std::optional<SiteClient> producer;
    if (broker.ready()) producer.emplace(Connect(broker, "Site1"));
    std::optional<Welcome> welcome;
    while (producer && !welcome && broker.IsRunning())
      welcome = producer->Greet(nonce, milliseconds(150));
    if (welcome) nonce = welcome->nonce;
    Sequence next =
        welcome && !welcome->produced.empty() ? welcome->produced[0].tail.sequence + 1 : 1;
    EXPECT_TRUE(!welcome || next > stored) << life;
    for (int i = 0; welcome && i < 10; ++i, ++next) {
      const bool known = next <= stream_.position().sequence;
      Publish publish = known ? stream_.At(next) : stream_.Next(500);
      if (known) ++again;
      publish.begins_log = next == 1;
      if (!producer->Send(publish, milliseconds(500))) break;
      std::optional<Published> answer;
      while (!answer && broker.IsRunning()) answer = producer->Await<Published>(milliseconds(50));
      if (!answer) break;
      ASSERT_EQ(answer->outcome, PublishOutcome::kStored) << next;
      stored = next;
    }
    if (!broker.IsRunning()) ++deaths;
  }
  RunningBroker broker(top_);
  SiteClient producer = Connect(broker, "Site1");
  const auto welcome = producer.Greet(nonce);
  ASSERT_TRUE(welcome && welcome->produced.size() == 1);
  const Sequence tail = welcome->produced[0].tail.sequence;
  std::uint64_t lost = stored > tail ? stored - tail : 0;
  std::uint64_t wrong = 0;
  for (Sequence at = 1; at <= tail; ++at) {
    ASSERT_TRUE(producer.Send(Fetch{kStream, stream_.At(at).position}));
    const auto batch = producer.Await<Deliver>();
    if (!batch) ++lost;
    if (batch && *batch->payload != *stream_.At(at).payload) ++wrong;
  }
  EXPECT_EQ(lost, 0U);
  EXPECT_EQ(wrong, 0U);
  EXPECT_GT(deaths, lives / 2);
  Row("T1", "broker killed at its store and network calls, " + std::to_string(lives) + " lives",
      std::to_string(deaths) + " deaths; acknowledged " + std::to_string(stored) + ", lost " +
          std::to_string(lost) + "; told again " + std::to_string(again) +
          ", there twice or wrong " + std::to_string(wrong));
}

TEST_F(LogFaults, RepeatsAfterAMonth) {
  {
    RunningBroker broker(top_);
    SiteClient producer = Connect(broker, "Site1");
    ASSERT_TRUE(producer.Greet().has_value());
    SiteClient reader = Connect(broker, "Site2");
    ASSERT_TRUE(reader.Greet().has_value());
    for (int i = 0; i < 5; ++i)
      ASSERT_EQ(OutcomeOf(producer, stream_.Next(1000)), PublishOutcome::kStored);
    ASSERT_EQ(Read(reader, stream_.At(1).position), SubscribeOutcome::kGoesOn);
    ASSERT_TRUE(reader.Send(Ack{kStream, "", stream_.position(), {}, false}));
    ASSERT_TRUE(AckOf(producer, 5).has_value());
    broker.Signal(SIGTERM);
    ASSERT_EQ(broker.Wait(), 0);
  }
  RunningBroker broker(top_, "", 0, {},
                       {"LD_PRELOAD=" DIRSYNC_FAULT_PRELOAD, "DIRSYNC_DAYS_AHEAD=31",
                        "ASAN_OPTIONS=verify_asan_link_order=0"});
  ASSERT_TRUE(broker.ready()) << broker.Log();
  SiteClient producer = Connect(broker, "Site1");
  const auto welcome = producer.Greet();
  ASSERT_TRUE(welcome && welcome->produced.size() == 1);
  const Sequence first = welcome->produced[0].first;
  std::uint64_t duplicates = 0, stored = 0;
  for (Sequence at = 1; at <= 5; ++at) {
    Publish again = stream_.At(at);
    ASSERT_TRUE(producer.Send(again));
    const auto answer = producer.Await<Published>();
    ASSERT_TRUE(answer.has_value());
    if (answer->outcome == PublishOutcome::kDuplicate) ++duplicates;
    if (answer->outcome == PublishOutcome::kStored) ++stored;
  }
  EXPECT_EQ(stored, 0U);
  EXPECT_EQ(duplicates, 5U);
  Row("T16", "5 batches told again 31 days later, to a log that was trimmed empty",
      std::to_string(duplicates) + " DUPLICATE, stored twice " + std::to_string(stored) +
          " (kept before: " + (first == 0 ? "nothing" : "from " + std::to_string(first)) + ")");
}

TEST_F(LogFaults, GapForkConflict) {
  RunningBroker broker(top_);
  SiteClient producer = Connect(broker, "Site1");
  ASSERT_TRUE(producer.Greet().has_value());
  for (int i = 0; i < 5; ++i)
    ASSERT_EQ(OutcomeOf(producer, stream_.Next(100)), PublishOutcome::kStored);
  SignedStream other = stream_;
  const Publish six = stream_.Next(100);
  const Publish seven = stream_.Next(100);
  std::map<PublishOutcome, int> outcomes;
  const auto tell = [&](const Publish& publish, PublishOutcome wanted) {
    const auto answer = Tell(producer, publish);
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->outcome, wanted);
    if (wanted == PublishOutcome::kGap) {
      EXPECT_EQ(answer->expected, 6U);
    }
    ++outcomes[answer->outcome];
  };
  tell(seven, PublishOutcome::kGap);
  // Another history: the same number with another digest, and what follows it.
  other.GoBack(4, 7);
  const Publish forked = other.Next(100);
  tell(forked, PublishOutcome::kConflict);
  tell(other.Next(100), PublishOutcome::kConflict);
  EXPECT_EQ(Tell(producer, six)->outcome, PublishOutcome::kStored);
  const std::uint64_t alarms = Refusals("CONFLICT");
  EXPECT_GE(alarms, 2U);
  const std::string events = Command({"events", "--json"});
  EXPECT_THAT(events, testing::HasSubstr("CONFLICT"));
  // A life that is over.
  other = stream_;
  stream_.NewEpoch();
  Publish start = stream_.Next();
  ASSERT_TRUE(producer.Send(start));
  ASSERT_EQ(producer.Await<Published>()->outcome, PublishOutcome::kStored);
  tell(other.Next(100), PublishOutcome::kFenced);
  const int accepted = outcomes[PublishOutcome::kStored];
  EXPECT_EQ(accepted, 0);
  Row("T17", "a gap, a fork, what follows it, an epoch that is over",
      "GAP(6) 1, CONFLICT 2, FENCED 1; accepted " + std::to_string(accepted) + "; alarms counted " +
          std::to_string(alarms));
}

TEST_F(LogFaults, ReadersThatNeverAck) {
  Configure("reader = \"2MiB\"\nlog = \"32MiB\"\n");
  RunningBroker broker(top_, "", 0, Configured());
  ASSERT_TRUE(broker.ready()) << broker.Log();
  SiteClient producer = Connect(broker, "Site1");
  ASSERT_TRUE(producer.Greet().has_value());
  ASSERT_EQ(OutcomeOf(producer, stream_.Next()), PublishOutcome::kStored);
  SiteClient reader = Connect(broker, "Site2");
  ASSERT_TRUE(reader.Greet().has_value());
  ASSERT_EQ(Read(reader, stream_.position(), false), SubscribeOutcome::kGoesOn);
  const std::uint64_t before = UseOf(broker.pid()).resident;
  const int batches = 512 * static_cast<int>(Effort());
  bool released = false;
  for (int i = 0; i < batches; ++i) {
    const Publish publish = stream_.Next(60 * limits::kKiB);
    ASSERT_TRUE(producer.Send(publish));
    for (bool answered = false; !answered;) {
      auto message = producer.Next();
      ASSERT_TRUE(message.has_value());
      if (const auto* ack = std::get_if<Ack>(&*message)) released = released || ack->needs_ranges;
      if (const auto* said = std::get_if<Published>(&*message)) {
        ASSERT_EQ(said->outcome, PublishOutcome::kStored) << i;
        answered = true;
      }
    }
  }
  EXPECT_TRUE(released);
  const ProcessUse use = UseOf(broker.pid());
  // Acks of what nobody told yet, and of another batch under a number that exists.
  SignedStream other = stream_;
  other.GoBack(stream_.position().sequence - 1, 9);
  const Publish elsewhere = other.Next(10);
  ASSERT_TRUE(reader.Send(Ack{kStream, "", elsewhere.position, {}, false}));
  other = stream_;
  ASSERT_TRUE(reader.Send(Ack{kStream, "", other.Next(10).position, {}, false}));
  ASSERT_TRUE(reader.Send(Ack{{"Testorg", "Site2", "X"}, "", stream_.position(), {}, false}));
  ASSERT_TRUE(reader.Send(Ping{}));
  ASSERT_TRUE(reader.Await<Ping>().has_value());
  const std::uint64_t ahead = Refusals("ACK_AHEAD"), unknown = Refusals("ACK_UNKNOWN"),
                      none = Refusals("ACK");
  EXPECT_EQ(ahead, 1U);
  EXPECT_EQ(unknown, 1U);
  EXPECT_EQ(none, 1U);
  EXPECT_LT(use.peak, before + 160 * limits::kMiB);
  Row("T18",
      std::to_string(batches * 60 / 1024) +
          " MiB told to a reader that never acks (quota 2 MiB); acks " +
          "ahead, of another batch, of no stream",
      "hold given up, producer never stopped; broker " + Mib(before) + " before, peak " +
          Mib(use.peak) + "; refused " + std::to_string(ahead + unknown + none) + " of 3");
}

TEST_F(LogFaults, ANewReaderIsWaitedFor) {
  Command({"sites", "add", "Site3", "--public-key", TestKey("Site3").public_key().hex(),
           "--transport-key", SiteClient::KeysOf("Site3").public_key.hex(), "--domain",
           "site3.example.org"});
  RunningBroker broker(top_);
  SiteClient producer = Connect(broker, "Site1");
  ASSERT_TRUE(producer.Greet().has_value());
  SiteClient fast = Connect(broker, "Site2");
  ASSERT_TRUE(fast.Greet().has_value());
  SiteClient fresh = Connect(broker, "Site3");
  ASSERT_TRUE(fresh.Greet().has_value());
  ASSERT_EQ(OutcomeOf(producer, stream_.Next(1000)), PublishOutcome::kStored);
  ASSERT_EQ(Read(fast, stream_.position()), SubscribeOutcome::kGoesOn);
  ASSERT_EQ(Read(fresh, stream_.position(), false), SubscribeOutcome::kGoesOn);
  constexpr Sequence kLast = 60;
  while (stream_.position().sequence < kLast)
    ASSERT_EQ(OutcomeOf(producer, stream_.Next(1000)), PublishOutcome::kStored);
  ASSERT_TRUE(fast.Send(Ack{kStream, "", stream_.position(), {}, false}));
  ASSERT_TRUE(AckOf(producer, kLast).has_value());
  // Trims and sweeps come with the ticks: two of them have passed when two pings are answered.
  const auto ticked = steady_clock::now() + milliseconds(2500);
  while (steady_clock::now() < ticked) {
    ASSERT_TRUE(fast.Send(Ping{}));
    ASSERT_TRUE(fast.Await<Ping>().has_value());
  }
  ASSERT_TRUE(fresh.Send(Credit{limits::kCreditBytes}));
  std::uint64_t missing = 0;
  for (Sequence at = 2; at <= kLast; ++at) {
    const auto delivered = fresh.Await<Deliver>(milliseconds(5000));
    if (!delivered || delivered->position != stream_.At(at).position) ++missing;
  }
  EXPECT_EQ(missing, 0U);
  Row("T21", "a registered reader that has not acked, while the other acks all and trims run",
      std::to_string(kLast - 1) + " batches needed, missing " + std::to_string(missing));
}

// One reader takes a hundredth of what the others take; they must not feel it.
TEST_F(LogFaults, OneSlowReader) {
  constexpr int kFast = 10;
  for (int i = 3; i <= kFast + 2; ++i) AddSite("Site" + std::to_string(i));
  RunningBroker broker(top_);
  SiteClient producer = Connect(broker, "Site1");
  ASSERT_TRUE(producer.Greet().has_value());
  ASSERT_EQ(OutcomeOf(producer, stream_.Next()), PublishOutcome::kStored);
  std::vector<SiteClient> fast;
  for (int i = 3; i <= kFast + 2; ++i) {
    fast.push_back(Connect(broker, "Site" + std::to_string(i)));
    ASSERT_TRUE(fast.back().Greet().has_value());
    ASSERT_EQ(Read(fast.back(), stream_.position()), SubscribeOutcome::kGoesOn);
  }
  // From the PUBLISH to the arrival at each fast reader.
  const int rounds = 200 * static_cast<int>(Effort());
  const auto measure = [&](SiteClient* slow) {
    std::vector<double> times;
    for (int round = 0; round < rounds; ++round) {
      const Publish publish = stream_.Next(16 * limits::kKiB);
      const auto begin = steady_clock::now();
      EXPECT_TRUE(producer.Send(publish));
      for (SiteClient& reader : fast) {
        EXPECT_TRUE(reader.Await<Deliver>().has_value());
        times.push_back(Milliseconds(steady_clock::now() - begin));
        EXPECT_TRUE(reader.Send(Ack{kStream, "", publish.position, {}, false}));
        EXPECT_TRUE(reader.Send(Credit{publish.payload->size()}));
      }
      EXPECT_EQ(producer.Await<Published>()->outcome, PublishOutcome::kStored);
      if (slow != nullptr && round % 100 == 0) {
        EXPECT_TRUE(slow->Send(Credit{publish.payload->size()}));
        EXPECT_TRUE(slow->Await<Deliver>().has_value());
      }
    }
    return std::pair(Percentile(times, 50), Percentile(times, 99));
  };
  measure(nullptr);
  const auto [alone, alone_p99] = measure(nullptr);
  SiteClient slow = Connect(broker, "Site2");
  ASSERT_TRUE(slow.Greet().has_value());
  ASSERT_EQ(Read(slow, stream_.position(), false), SubscribeOutcome::kGoesOn);
  // Judged by the median: two rounds that another process disturbed make the 99th percentile.
  auto [beside, beside_p99] = measure(&slow);
  for (int again = 0; again < 2 && beside >= 3 * alone + 5; ++again)
    std::tie(beside, beside_p99) = measure(&slow);
  EXPECT_LT(beside, 3 * alone + 5);
  Row("T19", "10 fast readers, alone and beside one that takes 1 batch of 100",
      "median " + Text(alone, 2) + " ms alone, " + Text(beside, 2) +
          " ms beside it: " + Text(beside / alone, 2) + "x; p99 " + Text(alone_p99, 2) + " and " +
          Text(beside_p99, 2) + " ms");
}

}  // namespace
}  // namespace dirsync::e2e
