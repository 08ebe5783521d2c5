#include "tests/bench/network_world.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "proto/daemon/command_client.h"
#include "tests/bench/signed_batches.h"
#include "tests/bench/table.h"

namespace dirsync::bench {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kPatience{60};

[[noreturn]] void Die(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  std::exit(1);
}

}  // namespace

bool Until(const std::function<bool()>& done, std::chrono::seconds patience) {
  for (const auto end = Clock::now() + patience; Clock::now() < end; Pause(1))
    if (done()) return true;
  return false;
}

void Pause(int milliseconds) { poll(nullptr, 0, milliseconds); }

std::uint64_t MemoryKib(int pid, const std::string& what) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(what + ":"))
      return std::strtoull(line.c_str() + what.size() + 1, nullptr, 10);
  return 0;
}

NetworkWorld::NetworkWorld(const Programs& programs, const std::string& name)
    : programs_(programs), folder_(programs.folder + "/" + name) {
  fs::create_directories(folder_);
  Command("broker", {"organization", "init", "Testorg"});
  StartBroker();
}

NetworkWorld::~NetworkWorld() {
  for (auto& [name, server] : servers_) server->Terminate();
  servers_.clear();
  fs::remove_all(folder_);
}

void NetworkWorld::StartBroker() {
  auto& server = servers_["broker"];
  server = std::make_unique<e2e::Server>(
      std::vector<std::string>{programs_.dirsync, "--store", Path("broker"), "broker", "run",
                               "--listen", address_, "--join-listen", door_, "--page", "off"},
      Path("broker.log"));
  server->Start();
  const bool up = Until(
      [&] { return server->LogOfThisRun().find("listening on ") != std::string::npos; }, kPatience);
  if (!up) Die("the broker does not start: " + server->LogOfThisRun());
  const std::string said = server->LogOfThisRun();
  const auto address = [&](const std::string& before) {
    const auto at = said.find(before) + before.size();
    return said.substr(at, said.find_first_of(",; \n", at) - at);
  };
  address_ = address("listening on ");
  door_ = address("joins on ");
}

void NetworkWorld::AddSite(const std::string& site) {
  Command(site, {"init", "--organization", "Testorg", "--site", site, "--server", "V",
                 "--address-type", "EDK", "--domain", site + ".Testorg.com"});
  const std::string invitation = Command("broker", {"broker", "invite"});
  const auto join = [&] {
    static_cast<void>(
        e2e::RunProcess({programs_.dirsync, "--store", Path(site), "join", invitation}));
  };
  join();
  Command("broker", {"sites", "approve", site});
  Command(site, {"join", invitation});
}

void NetworkWorld::Enroll(const std::string& site) const {
  Command("broker", {"sites", "add", site, "--public-key", SigningKeyOf(site).public_key().hex(),
                     "--transport-key", TransportKeysOf(site).public_key.hex(), "--domain",
                     site + ".Testorg.com"});
}

TransportKey NetworkWorld::BrokerKey() const {
  std::ifstream key(Path("broker/keys/transport.key"), std::ios::binary);
  const std::string secret{std::istreambuf_iterator<char>(key), {}};
  return TransportKeysFrom(secret)->public_key;
}

void NetworkWorld::StartAgent(const std::string& site) {
  stamps_[site] = &MapStamps(Path(site + ".stamps"));
  auto& server = servers_[site];
  server = std::make_unique<e2e::Server>(
      std::vector<std::string>{programs_.self, "agent", Path(site), Path(site + ".stamps")},
      Path(site + ".log"));
  server->Start();
  const bool up = Until(
      [&] { return server->LogOfThisRun().find("connected: ") != std::string::npos; }, kPatience);
  if (!up) Die("the agent of " + site + " does not connect: " + server->LogOfThisRun());
}

std::string NetworkWorld::Command(const std::string& site, std::vector<std::string> words) const {
  std::vector<std::string> arguments = {programs_.dirsync, "--store", Path(site)};
  arguments.insert(arguments.end(), words.begin(), words.end());
  const e2e::Outcome outcome = e2e::RunProcess(arguments);
  if (outcome.exit_status != 0)
    Die(words.front() + " at " + site + ": " + outcome.output + outcome.errors);
  return outcome.output;
}

int NetworkWorld::Ask(const std::string& site, std::vector<std::string> words) const {
  static const int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
  static const std::atomic<bool> interrupted{false};
  CommandRequest request;
  request.words = std::move(words);
  request.folder = folder_;
  request.store = Path(site);
  const auto status =
      ForwardCommand(Path(site), request, {nowhere, nowhere, STDERR_FILENO}, interrupted, 0);
  if (!status || !*status) Die("nobody answers at " + site);
  return **status;
}

std::uint64_t NetworkWorld::PeakMib(const std::string& server) const {
  return MemoryKib(servers_.at(server)->pid(), "VmHWM") / 1024;
}

std::uint64_t NetworkWorld::BrokerKib() const {
  return MemoryKib(servers_.at("broker")->pid(), "VmRSS");
}

}  // namespace dirsync::bench
