// Abuse by a member of the organisation: validly signed batches that want to be much more than they
// are.
#include <zstd.h>

#include "tests/e2e/attacker.h"

namespace dirsync::e2e {
namespace {

// One zstd frame of so many MiB of zeros.
std::string Bomb(std::size_t mib) {
  const std::string zeros(limits::kMiB, '\0');
  std::string frame(limits::kMiB, '\0');
  ZSTD_CStream* stream = ZSTD_createCStream();
  ZSTD_outBuffer out{frame.data(), frame.size(), 0};
  for (std::size_t i = 0; i < mib; ++i) {
    ZSTD_inBuffer in{zeros.data(), zeros.size(), 0};
    while (in.pos < in.size) ZSTD_compressStream2(stream, &out, &in, ZSTD_e_continue);
  }
  ZSTD_inBuffer none{nullptr, 0, 0};
  while (ZSTD_compressStream2(stream, &out, &none, ZSTD_e_end) != 0) {
  }
  ZSTD_freeCStream(stream);
  frame.resize(out.pos);
  return frame;
}

std::string Compressed(const std::string& bytes) {
  std::string frame(ZSTD_compressBound(bytes.size()), '\0');
  frame.resize(ZSTD_compress(frame.data(), frame.size(), bytes.data(), bytes.size(), 1));
  return frame;
}

std::string Repeated(std::string_view bytes, std::size_t count) {
  std::string all;
  for (std::size_t i = 0; i < count; ++i) all += bytes;
  return all;
}

struct BombCase {
  const char* name;
  std::function<std::string(const StreamName&, const AbuseFaults::Place&)> make;
};

std::vector<BombCase> AllBombs(const std::string& frame) {
  const auto most = static_cast<std::uint32_t>(limits::kBatchPayloadBytes);
  return {
      {"zstd 1 GiB, says 4 MiB",
       [=](const StreamName& stream, const AbuseFaults::Place& place) {
         return AbuseFaults::ByHand(stream, place, frame, most);
       }},
      {"zstd 1 GiB, says so",
       [=](const StreamName& stream, const AbuseFaults::Place& place) {
         return AbuseFaults::ByHand(stream, place, frame, 1U << 30);
       }},
      {"a header that says 2^31 bytes",
       [=](const StreamName& stream, const AbuseFaults::Place& place) {
         std::string stored = AbuseFaults::ByHand(stream, place, AbuseFaults::HeadOf(stream));
         stored[136] = '\x80';
         return stored;
       }},
      {"a length of 2^31 in the payload",
       [=](const StreamName& stream, const AbuseFaults::Place& place) {
         return AbuseFaults::ByHand(
             stream, place,
             AbuseFaults::HeadOf(stream) + std::string("\x12\x80\x80\x80\x80\x08", 6));
       }},
      {"10,000 groups deep",
       [=](const StreamName& stream, const AbuseFaults::Place& place) {
         return AbuseFaults::ByHand(stream, place,
                                    AbuseFaults::HeadOf(stream) + Repeated("\x7b", 10'000));
       }},
      {"10,000 messages deep",
       [=](const StreamName& stream, const AbuseFaults::Place& place) {
         std::string change;
         for (int i = 0; i < 10'000; ++i) change = AbuseFaults::Delimited(8, change);
         return AbuseFaults::ByHand(
             stream, place, AbuseFaults::HeadOf(stream) + AbuseFaults::Delimited(2, change));
       }},
      {"10^7 tiny changes",
       [=](const StreamName& stream, const AbuseFaults::Place& place) {
         const std::string all =
             AbuseFaults::HeadOf(stream) + Repeated(std::string("\x12\0", 2), 10'000'000);
         return AbuseFaults::ByHand(stream, place, Compressed(all),
                                    static_cast<std::uint32_t>(all.size()));
       }},
      {"2*10^6 tiny changes in 4 MiB",
       [=](const StreamName& stream, const AbuseFaults::Place& place) {
         const std::string head = AbuseFaults::HeadOf(stream);
         const std::string all =
             head + Repeated(std::string("\x12\0", 2), (most - head.size()) / 2);
         return AbuseFaults::ByHand(stream, place, Compressed(all),
                                    static_cast<std::uint32_t>(all.size()));
       }},
      {"2*10^6 empty values in one change",
       [=](const StreamName& stream, const AbuseFaults::Place& place) {
         const std::string attribute = Repeated(std::string("\x1a\0", 2), 2'000'000);
         const std::string all = AbuseFaults::HeadOf(stream) +
                                 AbuseFaults::Delimited(2, AbuseFaults::Delimited(8, attribute));
         return AbuseFaults::ByHand(stream, place, Compressed(all),
                                    static_cast<std::uint32_t>(all.size()));
       }},
  };
}

// T36: validly signed batches that want to be much more than they are.
TEST_F(AbuseFaults, Bombs) {
  ASSERT_NO_FATAL_FAILURE(BeginWithEvil());
  AddPeople(1, "early", 3);
  SiteClient evil = Connect(kEvil);
  ASSERT_TRUE(evil.Greet().has_value());
  const std::string frame = Bomb(1024);
  const std::vector<BombCase> cases = AllBombs(frame);
  const ProcessUse agent = UseOf(world_->server(1).pid());
  const ProcessUse broker = UseOf(world_->server(0).pid());
  int at_broker = 0, at_reader = 0, accepted = 0;
  // As a batch, and as a part of a full copy.
  for (std::size_t i = 0; i < 2 * cases.size(); ++i) {
    const BombCase& bomb = cases[i / 2];
    const std::string instance = "BOMB" + std::to_string(i) + "X";
    const StreamName stream = StreamOf(instance);
    if (i % 2 == 0) {
      const Place second{2, Begin(evil, instance).position().digest};
      if (Tell(evil, stream, second, bomb.make(stream, second)) != PublishOutcome::kStored) {
        ++at_broker;
        continue;
      }
    } else {
      Begin(evil, instance, [&](const Place& place) { return bomb.make(stream, place); });
    }
    EXPECT_TRUE(Until([&] { return world_->Said(1, "stopped Evil." + instance + ":") > 0; },
                      std::chrono::seconds(120), 5))
        << bomb.name << Logs();
    if (AppliedOf(instance) != (i % 2 == 0 ? 1U : 0U)) ++accepted;
    ++at_reader;
  }
  EXPECT_EQ(accepted, 0);
  // Whoever is honest is served as before.
  AddPeople(1, "late", 3);
  EXPECT_TRUE(world_->server(1).running() && world_->server(0).running());
  const ProcessUse agent_after = UseOf(world_->server(1).pid());
  const ProcessUse broker_after = UseOf(world_->server(0).pid());
  constexpr std::uint64_t kMost = 300 * limits::kMiB;
  EXPECT_LT(agent_after.peak, kMost);
  EXPECT_LT(broker_after.peak, kMost);
  Row("T36",
      std::to_string(2 * cases.size()) + " bombs, validly signed: zstd 1:" +
          std::to_string((std::uint64_t{1} << 30) / frame.size()) +
          ", 2^31, depth 10,000, 10^7 changes, empty values",
      "refused by the broker " + std::to_string(at_broker) + ", by the reader " +
          std::to_string(at_reader) + ", accepted " + std::to_string(accepted) + "; peak agent " +
          Mib(agent_after.peak) + " (" + Mib(agent.resident) + " before), broker " +
          Mib(broker_after.peak) + " (" + Mib(broker.resident) + "), of 300 MiB");
}

}  // namespace
}  // namespace dirsync::e2e
