// A broker's process over its whole life: messages, commands, signals, death at each point, abuse.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/e2e/broker_world.h"

namespace dirsync::e2e {
namespace {

using std::chrono::steady_clock;
using testing::HasSubstr;

class BrokerProcessE2e : public BrokerWorld {
 protected:
  static const inline StreamName kStream{"Testorg", "Site1", "I"};
  SignedStream stream_{kStream, TestKey("Site1")};

  // Whether PUBLISH was answered STORED or DUPLICATE.
  static std::optional<PublishOutcome> Tell(SiteClient& client, Publish publish,
                                            bool begins = false) {
    publish.begins_log = begins;
    if (!client.Send(publish)) return std::nullopt;
    const auto published = client.Await<Published>();
    return published ? std::optional(published->outcome) : std::nullopt;
  }
};

TEST_F(BrokerProcessE2e, WhatOneSiteTells_AnotherReads_AndARestartKeepsIt) {
  Nonce nonce1, nonce2;
  {
    RunningBroker broker(top_);
    ASSERT_TRUE(broker.ready()) << broker.Log();
    SiteClient producer = Connect(broker, "Site1");
    SiteClient reader = Connect(broker, "Site2");
    const auto hello = producer.Greet();
    ASSERT_TRUE(hello.has_value());
    nonce1 = hello->nonce;
    const auto other = reader.Greet();
    ASSERT_TRUE(other.has_value());
    nonce2 = other->nonce;
    EXPECT_EQ(Tell(producer, stream_.Next(1000), true), PublishOutcome::kStored);
    // As after a full copy at that position.
    ASSERT_TRUE(reader.Send(Subscribe{kStream, stream_.position(), {}}));
    const auto subscribed = reader.Await<Subscribed>();
    ASSERT_TRUE(subscribed.has_value());
    EXPECT_EQ(subscribed->outcome, SubscribeOutcome::kGoesOn);
    EXPECT_EQ(subscribed->tail, stream_.position());
    for (int i = 1; i < 5; ++i)
      EXPECT_EQ(Tell(producer, stream_.Next(1000)), PublishOutcome::kStored);
    EXPECT_EQ(Tell(producer, stream_.At(5)), PublishOutcome::kDuplicate);
    ASSERT_TRUE(reader.Send(Credit{limits::kCreditBytes}));
    for (Sequence sequence = 2; sequence <= 5; ++sequence) {
      const auto delivered = reader.Await<Deliver>();
      ASSERT_TRUE(delivered.has_value()) << sequence;
      EXPECT_EQ(delivered->position, stream_.At(sequence).position);
      EXPECT_EQ(*delivered->payload, *stream_.At(sequence).payload);
    }
    ASSERT_TRUE(reader.Send(Ack{kStream, "", stream_.At(3).position, {}, false}));
    std::optional<Ack> ack;
    do {
      ack = producer.Await<Ack>();
    } while (ack && ack->position.sequence < 3);
    ASSERT_TRUE(ack.has_value());
    EXPECT_EQ(ack->reader, "Site2");
    EXPECT_THAT(Command({"sites", "list"}), HasSubstr("Site2"));  // by the process
    broker.Signal(SIGTERM);
    // It is said once, if there is time for it.
    if (const auto bye = reader.Await<Bye>(std::chrono::seconds(5))) {
      EXPECT_GT(bye->retry_seconds, 0U);
    }
    EXPECT_EQ(broker.Wait(), 0) << broker.Log();
  }
  RunningBroker broker(top_);
  ASSERT_TRUE(broker.ready()) << broker.Log();
  SiteClient producer = Connect(broker, "Site1");
  const auto welcome = producer.Greet(nonce1);
  ASSERT_TRUE(welcome.has_value());
  EXPECT_FALSE(welcome->restored);
  ASSERT_EQ(welcome->produced.size(), 1U);
  EXPECT_EQ(welcome->produced[0].tail, stream_.position());
  ASSERT_EQ(welcome->produced[0].readers.size(), 1U);
  EXPECT_EQ(welcome->produced[0].readers[0].position, stream_.At(3).position);
  SiteClient reader = Connect(broker, "Site2");
  ASSERT_TRUE(reader.Greet(nonce2).has_value());
  ASSERT_TRUE(reader.Send(Subscribe{kStream, stream_.At(3).position, {}}));
  ASSERT_TRUE(reader.Send(Credit{limits::kCreditBytes}));
  const auto delivered = reader.Await<Deliver>();
  ASSERT_TRUE(delivered.has_value());
  EXPECT_EQ(delivered->position, stream_.At(4).position);
}

// T1: whatever was answered STORED is there after a death at any point.
TEST_F(BrokerProcessE2e, KilledAtEachPoint_NothingAcknowledgedIsLost) {
  Nonce nonce;
  Sequence stored = 0;
  std::uint64_t deaths = 0;
  std::uint64_t again = 0;
  for (const char* point : {"broker-commit", "broker-sync", "broker-committed"}) {
    for (int count : {2, 5, 9}) {
      RunningBroker broker(top_, std::string(point) + ":" + std::to_string(count));
      if (!broker.ready()) {
        ++deaths;
        continue;
      }
      SiteClient producer = Connect(broker, "Site1");
      const auto welcome = producer.Greet(nonce);
      if (welcome) nonce = welcome->nonce;
      const Sequence tail =
          welcome && !welcome->produced.empty() ? welcome->produced[0].tail.sequence : 0;
      EXPECT_TRUE(!welcome || tail >= stored) << point << count;
      // What is there but was never answered is a repeat.
      for (Sequence next = tail + 1; welcome && next <= tail + 12; ++next) {
        const bool known = next <= stream_.position().sequence;
        const Publish publish = known ? stream_.At(next) : stream_.Next(500);
        if (known) ++again;
        ASSERT_TRUE(producer.Send([&] {
          Publish copy = publish;
          copy.begins_log = next == 1;
          return copy;
        }()));
        std::optional<Published> answer;
        while (!answer && broker.IsRunning())
          answer = producer.Await<Published>(std::chrono::milliseconds(100));
        if (!answer) break;
        ASSERT_TRUE(answer->outcome == PublishOutcome::kStored ||
                    answer->outcome == PublishOutcome::kDuplicate)
            << PublishOutcomeName(answer->outcome) << next;
        stored = next;
      }
      if (!broker.IsRunning()) ++deaths;
    }
  }
  RunningBroker broker(top_);
  ASSERT_TRUE(broker.ready()) << broker.Log();
  SiteClient producer = Connect(broker, "Site1");
  const auto welcome = producer.Greet(nonce);
  ASSERT_TRUE(welcome.has_value());
  ASSERT_EQ(welcome->produced.size(), 1U);
  EXPECT_GE(welcome->produced[0].tail.sequence, stored);
  std::printf("%llu deaths, %llu batches told again; %llu acknowledged, %llu there: lost 0\n",
              static_cast<unsigned long long>(deaths), static_cast<unsigned long long>(again),
              static_cast<unsigned long long>(stored),
              static_cast<unsigned long long>(welcome->produced[0].tail.sequence));
  EXPECT_GE(deaths, 6U);
}

// T33, T34: the key says who speaks, for every message.
TEST_F(BrokerProcessE2e, RevokedAndForeignSites_AreRefusedByTheNextMessage) {
  RunningBroker broker(top_);
  ASSERT_TRUE(broker.ready()) << broker.Log();
  SiteClient producer = Connect(broker, "Site1");
  ASSERT_TRUE(producer.Greet().has_value());
  ASSERT_EQ(Tell(producer, stream_.Next(), true), PublishOutcome::kStored);
  SiteClient thief = Connect(broker, "Site2");
  ASSERT_TRUE(thief.Greet().has_value());
  EXPECT_EQ(Tell(thief, stream_.Next()), PublishOutcome::kUnauthorized);
  Command({"sites", "revoke", "Site1"});
  ASSERT_TRUE(producer.Send(stream_.At(2)));
  std::uint64_t accepted = 0;
  bool refused = false;
  while (auto message = producer.Next()) {
    if (std::holds_alternative<Published>(*message)) ++accepted;
    const auto* bye = std::get_if<Bye>(&*message);
    refused = refused || (bye != nullptr && bye->code == ErrorCode::kNotPermitted);
    if (refused) break;
  }
  EXPECT_TRUE(refused);
  EXPECT_EQ(accepted, 0U);
  std::printf("messages accepted after revoke: %llu\n", static_cast<unsigned long long>(accepted));
}

// T35: strangers that say nothing, with few descriptors.
TEST_F(BrokerProcessE2e, SilentStrangers_KeepNobodyOutForLong) {
  RunningBroker broker(top_, "", 128);
  ASSERT_TRUE(broker.ready()) << broker.Log();
  const std::uint64_t before = broker.ResidentBytes();
  std::vector<int> strangers;
  const int port = std::stoi(broker.address().substr(broker.address().rfind(':') + 1));
  for (int i = 0; i < 300; ++i) {
    const int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(connect(descriptor, reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
    strangers.push_back(descriptor);
  }
  const auto start = steady_clock::now();
  SiteClient site = Connect(broker, "Site1");
  ASSERT_TRUE(site.Greet().has_value());
  const auto waited =
      std::chrono::duration_cast<std::chrono::milliseconds>(steady_clock::now() - start);
  const std::uint64_t after = broker.ResidentBytes();
  std::printf(
      "300 silent strangers, 128 descriptors: a site waited %lld ms; memory grew by %llu "
      "KiB\n",
      static_cast<long long>(waited.count()),
      static_cast<unsigned long long>((after - std::min(before, after)) / limits::kKiB));
  EXPECT_LT(after, before + 64 * limits::kMiB);
  for (const int descriptor : strangers) close(descriptor);
}

// T49: a file that is wrong changes nothing, and is named with its place.
TEST_F(BrokerProcessE2e, Reload_TakesANewFileAndRefusesAWrongOne) {
  const std::string file = top_ + "/broker.toml";
  std::ofstream(file) << "[limits]\nsessions = 10\n";
  RunningBroker broker(top_, "", 0, {"--config", file});
  ASSERT_TRUE(broker.ready()) << broker.Log();
  const auto says = [&](const std::string& text) {
    const auto deadline = steady_clock::now() + std::chrono::seconds(120);
    while (broker.Log().find(text) == std::string::npos && steady_clock::now() < deadline)
      poll(nullptr, 0, 10);
    return broker.Log();
  };
  std::ofstream(file) << "[limits]\nsesions = 10\n";
  broker.Signal(SIGHUP);
  EXPECT_THAT(says("stays as it was"),
              HasSubstr("broker.toml:2:1: unknown option limits.sesions; did you mean "
                        "limits.sessions"));
  std::ofstream(file) << "[log]\nlevel = \"warning\"\n";
  broker.Signal(SIGHUP);
  SiteClient site = Connect(broker, "Site1");
  EXPECT_TRUE(site.Greet().has_value());
  broker.Signal(SIGTERM);
  EXPECT_EQ(broker.Wait(), 0);
  EXPECT_EQ(broker.Log().find("stopping"), std::string::npos);
  std::istringstream lines(broker.Log());
  for (std::string line; std::getline(lines, line);) {
    const auto object = nlohmann::json::parse(line, nullptr, false);
    ASSERT_FALSE(object.is_discarded()) << line;
    EXPECT_EQ(object["component"], "broker");
  }
}

// Nothing configured, nothing made before: it serves.
TEST_F(BrokerProcessE2e, AnEmptyFolder_BecomesABroker) {
  std::filesystem::remove_all(store_);
  RunningBroker broker(top_);
  ASSERT_TRUE(broker.ready()) << broker.Log();
  EXPECT_THAT(Command({"broker", "invite"}), HasSubstr("dirsync"));
  EXPECT_THAT(broker.Log(), HasSubstr("listens on"));
  // A second one on this store, or a command of a site, is told what is there.
  Command({"broker", "run", "--page", "off"}, InfoOf(ErrorCode::kLocked).exit_status);
}

// A log that nobody reads: the pipe is full before the broker begins.
TEST_F(BrokerProcessE2e, ItsLogIsNotRead_ItServesAndEnds) {
  const std::string log = top_ + "/log";
  ASSERT_EQ(mkfifo(log.c_str(), 0600), 0);
  const int held = open(log.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
  ASSERT_GE(held, 0);
  const std::string fill(4096, '\n');
  while (write(held, fill.data(), fill.size()) > 0) {
  }
  RunningBroker broker(top_);
  ASSERT_TRUE(broker.ready());
  SiteClient producer = Connect(broker, "Site1");
  ASSERT_TRUE(producer.Greet().has_value());
  EXPECT_EQ(Tell(producer, stream_.Next(1000), true), PublishOutcome::kStored);
  EXPECT_THAT(Command({"broker", "stats", "--json"}), HasSubstr("\"log_lines_dropped\":0"));
  broker.Signal(SIGTERM);
  EXPECT_EQ(broker.Wait(), 0);
  close(held);
}

TEST_F(BrokerProcessE2e, ItWasStopped_ACommandIsGivenUp_AndNotCarriedOutLater) {
  RunningBroker broker(top_);
  ASSERT_TRUE(broker.ready()) << broker.Log();
  broker.Signal(SIGSTOP);
  constexpr int kUnreachableStatus = 4;
  Command({"sites", "add", "Site3", "--public-key", TestKey("Site3").public_key().hex(),
           "--transport-key", SiteClient::KeysOf("Site3").public_key.hex()},
          kUnreachableStatus);
  broker.Signal(SIGCONT);
  EXPECT_THAT(Command({"sites", "list"}), testing::Not(HasSubstr("Site3")));
}

TEST_F(BrokerProcessE2e, DryRunsOfSitesAdd_AnswerAsTheCommand_WithAProcessAndWithout) {
  const auto add = [&](const std::string& site, const std::string& domain, int status) {
    std::vector<std::string> words = {"sites",
                                      "add",
                                      site,
                                      "--public-key",
                                      TestKey(site).public_key().hex(),
                                      "--transport-key",
                                      SiteClient::KeysOf(site).public_key.hex(),
                                      "--domain",
                                      domain};
    std::vector<std::string> dry = words;
    dry.emplace_back("--dry-run");
    Command(dry, status);
    Command(dry, status);
    Command(words, status);
  };
  constexpr int kConflictStatus = 8;
  add("Site3", "site1.example.org", kConflictStatus);
  add("Site3", "site3.example.org", 0);
  RunningBroker broker(top_);
  ASSERT_TRUE(broker.ready()) << broker.Log();
  add("Site4", "site3.example.org", kConflictStatus);
  add("Site4", "site4.example.org", 0);
}

}  // namespace
}  // namespace dirsync::e2e
