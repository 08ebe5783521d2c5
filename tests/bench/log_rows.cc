#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/bench/log_peer.h"
#include "tests/bench/nats_peer.h"
#include "tests/bench/rows.h"
#include "tests/bench/signed_batches.h"
#include "tests/bench/table.h"

namespace dirsync::bench {
namespace {

constexpr std::size_t kBatchBytes = 64 * 1024;
constexpr int kWindow = 32;  // unanswered
constexpr int kSites = 5;

// Batches per second, taken and acked by each of `readers`.
double Measure(const BrokerDoor& door, const std::vector<Publish>& batches, int readers) {
  LogPeer publisher(door, "Site1");
  publisher.PublishAll({batches.front()}, 1);
  const StreamName& stream = batches.front().stream;
  std::vector<std::unique_ptr<LogPeer>> peers;
  for (int i = 0; i < readers; ++i) {
    peers.push_back(std::make_unique<LogPeer>(door, "Site" + std::to_string(i + 2)));
    peers.back()->Subscribe(stream, batches.front().position);
  }
  const auto start = Clock::now();
  std::vector<std::thread> threads;
  for (auto& peer : peers)
    threads.emplace_back([&] { peer->ReadUpTo(stream, batches.back().position.sequence); });
  publisher.PublishAll({batches.begin() + 1, batches.end()}, kWindow);
  for (std::thread& thread : threads) thread.join();
  return static_cast<double>(batches.size() - 1) / Since(start);
}

double MeasureCurve(const Programs& programs, const std::vector<Publish>& batches, int readers) {
  NetworkWorld world(programs, "log");
  for (int i = 1; i <= kSites; ++i) world.Enroll("Site" + std::to_string(i));
  return Measure({world.address(), world.BrokerKey()}, batches, readers);
}

double MeasurePlain(const Programs& programs, const std::vector<Publish>& batches, int readers) {
  const std::string folder = programs.folder + "/plain";
  std::filesystem::create_directories(folder);
  e2e::Server server(
      {programs.self, "plain-broker", folder + "/store", std::to_string(kSites), folder + "/ready"},
      folder + "/log");
  server.Start();
  double rate = 0;
  if (Until([&] { return std::filesystem::exists(folder + "/ready"); }, std::chrono::seconds(20))) {
    std::string address;
    std::ifstream(folder + "/ready") >> address;
    rate = Measure({address, std::nullopt}, batches, readers);
  }
  server.Kill();
  std::filesystem::remove_all(folder);
  return rate;
}

void PrintRate(const std::string& what, double rate, const std::optional<double>& nats,
               double goal) {
  Print({what, Fixed(rate, 0) + "/s",
         nats ? "NATS JetStream, no sync: " + Fixed(*nats, 0) + "/s" : "NATS is not installed",
         nats ? Fixed(rate / *nats, 2) : "", Fixed(goal, 1),
         nats ? Verdict(rate >= goal * *nats) : "not compared"});
}

}  // namespace

void LogRows(const Programs& programs, std::uint64_t batches) {
  SignedBatches maker("Site1");
  std::vector<Publish> made{maker.Next(0)};
  for (std::uint64_t i = 0; i < batches; ++i) made.push_back(maker.Next(kBatchBytes));
  for (const int readers : {1, 4}) {
    const std::string to =
        ", 64 KiB, " + std::to_string(readers) + " reader" + (readers == 1 ? "" : "s");
    const auto nats = RunNats(programs.folder + "/nats", batches, kBatchBytes, readers, kWindow);
    PrintRate("durable batches" + to + ", clear", MeasurePlain(programs, made, readers), nats, 1.0);
    PrintRate("durable batches" + to + ", CURVE", MeasureCurve(programs, made, readers), nats,
              readers == 1 ? 0.8 : 0.6);
  }
}

}  // namespace dirsync::bench
