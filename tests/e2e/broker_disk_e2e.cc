// A broker whose disk fills up. TMPDIR is a small file system of its own (broker_disk.sh).
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "tests/e2e/broker_world.h"

namespace dirsync::e2e {
namespace {

using testing::HasSubstr;

class BrokerDiskE2e : public BrokerWorld {
 protected:
  static const inline StreamName kStream{"Testorg", "Site1", "I"};

  // Takes all room but so many bytes.
  void Fill(std::uint64_t leave) {
    const int file = open((top_ + "/filler").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    const auto space = std::filesystem::space(top_);
    const std::uint64_t bytes = space.available - std::min<std::uint64_t>(space.available, leave);
    EXPECT_EQ(posix_fallocate(file, 0, static_cast<off_t>(bytes)), 0);
    close(file);
  }
  void MakeRoom() { std::filesystem::remove(top_ + "/filler"); }
  std::optional<PublishOutcome> Tell(SiteClient& client, Publish publish) {
    publish.begins_log = publish.position.sequence == 1;
    if (!client.Send(publish)) return std::nullopt;
    const auto published = client.Await<Published>();
    return published ? std::optional(published->outcome) : std::nullopt;
  }
  // Greets again until `publish` is answered as wanted.
  bool ComesToTell(RunningBroker& broker, Nonce& nonce, const Publish& publish,
                   PublishOutcome wanted) {
    for (int i = 0; i < 20; ++i) {
      SiteClient client = Connect(broker, "Site1");
      const auto welcome = client.Greet(nonce);
      if (!welcome) continue;
      nonce = welcome->nonce;
      Publish copy = publish;
      copy.begins_log = publish.position.sequence == 1;
      client.Send(copy);
      const auto published = client.Await<Published>(std::chrono::milliseconds(1000));
      if (published && published->outcome == wanted) return true;
    }
    return false;
  }
  void Configure(const std::string& disk_free) {
    std::ofstream(top_ + "/broker.toml")
        << "[limits]\ndisk_free = \"" << disk_free << "\"\ndisk_free_percent = 0\n";
  }

  SignedStream stream_{kStream, TestKey("Site1")};
};

// R30: below the mark nothing more is taken, and acks go on.
TEST_F(BrokerDiskE2e, NearlyFull_RefusesChangesAndTakesAcks) {
  Configure("64MiB");
  RunningBroker broker(top_, "", 0, {"--config", top_ + "/broker.toml"});
  ASSERT_TRUE(broker.ready()) << broker.Log();
  SiteClient producer = Connect(broker, "Site1");
  ASSERT_TRUE(producer.Greet().has_value());
  ASSERT_EQ(Tell(producer, stream_.Next()), PublishOutcome::kStored);
  SiteClient reader = Connect(broker, "Site2");
  ASSERT_TRUE(reader.Greet().has_value());
  ASSERT_TRUE(reader.Send(Subscribe{kStream, {}, {}}));
  ASSERT_TRUE(reader.Await<Subscribed>().has_value());
  Fill(16 * limits::kMiB);
  std::optional<PublishOutcome> outcome;
  do {
    outcome = Tell(producer, stream_.Next());
  } while (outcome == PublishOutcome::kStored);
  EXPECT_EQ(outcome, PublishOutcome::kReadOnly);
  EXPECT_FALSE(std::filesystem::exists(store_ + "/reserve"));
  ASSERT_TRUE(reader.Send(Ack{kStream, "", stream_.At(1).position, {}, false}));
  std::optional<Ack> ack;
  do {
    ack = producer.Await<Ack>();
  } while (ack && ack->position.sequence < 1);
  EXPECT_TRUE(ack.has_value());
  EXPECT_THAT(broker.Log(), HasSubstr("READ_ONLY"));
  MakeRoom();
  do {
    outcome = Tell(producer, stream_.At(stream_.position().sequence));
  } while (outcome == PublishOutcome::kReadOnly);
  EXPECT_EQ(outcome, PublishOutcome::kStored);
}

// A write that found no room is answered by nobody, and nothing that was answered is lost.
TEST_F(BrokerDiskE2e, Full_IsSurvivedByOpeningTheStoreAgain) {
  Configure("0KiB");
  RunningBroker broker(top_, "", 0, {"--config", top_ + "/broker.toml"});
  ASSERT_TRUE(broker.ready()) << broker.Log();
  Nonce nonce;
  Sequence stored = 0;
  {
    SiteClient producer = Connect(broker, "Site1");
    const auto welcome = producer.Greet();
    ASSERT_TRUE(welcome.has_value());
    nonce = welcome->nonce;
    for (; stored < 3; ++stored) ASSERT_EQ(Tell(producer, stream_.Next()), PublishOutcome::kStored);
    std::filesystem::remove(store_ + "/reserve");  // it would be given up first
    Fill(0);
    for (bool full = false; !full;) {
      const Publish publish = stream_.Next(60 * limits::kKiB);
      ASSERT_TRUE(producer.Send(publish));
      std::optional<Published> answer;
      for (int look = 0; !answer && !full && look < 100; ++look) {
        answer = producer.Await<Published>(std::chrono::milliseconds(200));
        full = !answer && broker.Log().find("DISK_FULL") != std::string::npos;
      }
      ASSERT_TRUE(full || answer->outcome == PublishOutcome::kStored);
      if (!full) ++stored;
    }
  }
  EXPECT_TRUE(broker.IsRunning());
  const auto start = std::chrono::steady_clock::now();
  MakeRoom();
  EXPECT_TRUE(ComesToTell(broker, nonce, stream_.At(stored + 1), PublishOutcome::kStored) ||
              ComesToTell(broker, nonce, stream_.At(stored + 1), PublishOutcome::kDuplicate))
      << broker.Log();
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - start);
  SiteClient producer = Connect(broker, "Site1");
  const auto welcome = producer.Greet(nonce);
  ASSERT_TRUE(welcome && welcome->produced.size() == 1);
  EXPECT_GE(welcome->produced[0].tail.sequence, stored + 1);
  std::printf(
      "a full disk: %llu acknowledged before, %llu there after; back %lld ms after room "
      "was made\n",
      static_cast<unsigned long long>(stored),
      static_cast<unsigned long long>(welcome->produced[0].tail.sequence),
      static_cast<long long>(took.count()));
  broker.Signal(SIGTERM);
  EXPECT_EQ(broker.Wait(), 0);
}

}  // namespace
}  // namespace dirsync::e2e
