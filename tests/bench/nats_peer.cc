#include "tests/bench/nats_peer.h"

#include <nats/nats.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <random>
#include <vector>

#include "tests/bench/free_port.h"
#include "tests/bench/network_world.h"
#include "tests/bench/table.h"

namespace dirsync::bench {
namespace {

constexpr const char* kServer = "/usr/sbin/nats-server";

bool Ok(natsStatus status, const char* what) {
  if (status != NATS_OK) std::fprintf(stderr, "NATS: %s: %s\n", what, natsStatus_GetText(status));
  return status == NATS_OK;
}

struct Client {
  natsConnection* connection = nullptr;
  jsCtx* stream = nullptr;
  natsSubscription* subscription = nullptr;
  std::atomic<std::uint64_t> taken{0};
  ~Client() {
    natsSubscription_Destroy(subscription);
    jsCtx_Destroy(stream);
    natsConnection_Destroy(connection);
  }
  bool Connect(const std::string& port, int window) {
    if (natsConnection_ConnectTo(&connection, ("nats://127.0.0.1:" + port).c_str()) != NATS_OK)
      return false;
    jsOptions options;
    jsOptions_Init(&options);
    options.PublishAsync.MaxPending = window;
    return Ok(natsConnection_JetStream(&stream, connection, &options), "JetStream");
  }
};

// Acked behind the callback, by the library.
void Take(natsConnection*, natsSubscription*, natsMsg* message, void* client) {
  natsMsg_Ack(message, nullptr);
  natsMsg_Destroy(message);
  ++static_cast<Client*>(client)->taken;
}

bool MakeStream(jsCtx* stream) {
  jsStreamConfig config;
  jsStreamConfig_Init(&config);
  const char* subjects[] = {"batch"};
  config.Name = "BATCHES";
  config.Subjects = subjects;
  config.SubjectsLen = 1;
  config.Storage = js_FileStorage;
  jsStreamInfo* info = nullptr;
  const bool made = Ok(js_AddStream(&info, stream, &config, nullptr, nullptr), "add stream");
  jsStreamInfo_Destroy(info);
  return made;
}

bool Subscribe(Client& client) {
  jsSubOptions options;
  jsSubOptions_Init(&options);
  options.ManualAck = true;
  options.Config.AckPolicy = js_AckExplicit;
  return Ok(js_Subscribe(&client.subscription, client.stream, "batch", Take, &client, nullptr,
                         &options, nullptr),
            "subscribe") &&
         Ok(natsSubscription_SetPendingLimits(client.subscription, -1, -1), "limits");
}

// Messages per second; nullopt: something failed, and was said.
std::optional<double> Measure(const std::string& port, std::uint64_t messages, std::size_t bytes,
                              int readers, int window) {
  Client publisher;
  if (!Until([&] { return publisher.Connect(port, window); }, std::chrono::seconds(20)) ||
      !MakeStream(publisher.stream))
    return std::nullopt;
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < readers; ++i) {
    clients.push_back(std::make_unique<Client>());
    if (!clients.back()->Connect(port, window) || !Subscribe(*clients.back())) return std::nullopt;
  }
  std::mt19937_64 random(7);
  std::string body(bytes, '\0');
  for (char& c : body) c = static_cast<char>(random());
  const auto start = Clock::now();
  for (std::uint64_t i = 0; i < messages; ++i) {
    const int size = static_cast<int>(body.size());
    if (!Ok(js_PublishAsync(publisher.stream, "batch", body.data(), size, nullptr), "publish"))
      return std::nullopt;
  }
  jsPubOptions patience;
  jsPubOptions_Init(&patience);
  patience.MaxWait = 60'000;
  if (!Ok(js_PublishAsyncComplete(publisher.stream, &patience), "publish")) return std::nullopt;
  for (const auto& client : clients)
    if (!Until([&] { return client->taken >= messages; }, std::chrono::seconds(60)))
      return std::nullopt;
  return static_cast<double>(messages) / Since(start);
}

}  // namespace

std::optional<double> RunNats(const std::string& folder, std::uint64_t messages, std::size_t bytes,
                              int readers, int window) {
  if (!std::filesystem::exists(kServer)) return std::nullopt;
  std::filesystem::create_directories(folder);
  const std::string port = FreePort();
  std::optional<double> rate;
  {
    e2e::Server server({kServer, "-js", "-sd", folder + "/js", "-a", "127.0.0.1", "-p", port},
                       folder + "/log");
    server.Start();
    rate = Measure(port, messages, bytes, readers, window);
    server.Terminate();
  }
  std::filesystem::remove_all(folder);
  return rate;
}

}  // namespace dirsync::bench
