#include "tests/e2e/broker_world.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace dirsync::e2e {
namespace {

using std::chrono::steady_clock;

std::string ReadAll(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

[[noreturn]] void Become(const std::vector<std::string>& arguments, const std::string& folder,
                         const std::string& kill_at, unsigned descriptors,
                         std::vector<std::string> environment) {
  dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
  dup2(open((folder + "/out").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDOUT_FILENO);
  dup2(open((folder + "/log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600), STDERR_FILENO);
  if (!kill_at.empty()) setenv("DIRSYNC_KILL_AT", kill_at.c_str(), 1);
  for (std::string& value : environment) putenv(value.data());
  if (descriptors != 0) {
    const rlimit bound{descriptors, descriptors};
    setrlimit(RLIMIT_NOFILE, &bound);
  }
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  execv(argv[0], argv.data());
  _exit(127);
}

}  // namespace

RunningBroker::RunningBroker(std::string folder, std::string kill_at, unsigned descriptors,
                             std::vector<std::string> more, std::vector<std::string> environment)
    : folder_(std::move(folder)) {
  std::vector<std::string> arguments = {DIRSYNC_PROGRAM,
                                        "broker",
                                        "run",
                                        "--store",
                                        folder_ + "/store",
                                        "--listen",
                                        "tcp://127.0.0.1:0",
                                        "--join-listen",
                                        "tcp://127.0.0.1:0",
                                        "--page",
                                        "0"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  std::filesystem::remove(folder_ + "/out");
  pid_ = fork();
  if (pid_ == 0) Become(arguments, folder_, kill_at, descriptors, std::move(environment));
  const auto deadline = steady_clock::now() + kPatience;
  while (address_.empty() && IsRunning() && steady_clock::now() < deadline) {
    const std::string said = ReadAll(folder_ + "/out");
    if (said.find('\n') != std::string::npos) {
      std::istringstream words(said);
      std::string word;
      words >> word >> word >> address_ >> word >> word >> door_;
      address_.pop_back();  // the comma
      door_.pop_back();
    }
    poll(nullptr, 0, 10);
  }
}

RunningBroker::~RunningBroker() {
  if (!IsRunning()) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void RunningBroker::Signal(int signal) const { kill(pid_, signal); }

bool RunningBroker::IsRunning() {
  if (status_) return false;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) == 0) return true;
  status_ = status;
  return false;
}

int RunningBroker::Wait() {
  const auto deadline = steady_clock::now() + kPatience;
  while (IsRunning() && steady_clock::now() < deadline) poll(nullptr, 0, 10);
  if (!status_) return -1;
  return WIFEXITED(*status_) ? WEXITSTATUS(*status_) : 128 + WTERMSIG(*status_);
}

std::string RunningBroker::Log() const { return ReadAll(folder_ + "/log"); }

std::uint64_t RunningBroker::ResidentBytes() const {
  std::istringstream statm(ReadAll("/proc/" + std::to_string(pid_) + "/statm"));
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  statm >> total >> resident;
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

TransportKeyPair SiteClient::KeysOf(const std::string& site) {
  return *TransportKeysFrom(DigestOf("transport key of " + site).view());
}

SiteClient::SiteClient(const std::string& address, const TransportKey& broker_key,
                       const std::string& site)
    : site_(site) {
  ConnectionSettings settings;
  settings.address = address;
  settings.broker_key = broker_key;
  settings.keys = KeysOf(site);
  settings.message_bytes_max = limits::kMessageBytes;
  connection_ = *Connection::Open(settings);
}

bool SiteClient::Send(const Message& message, std::chrono::milliseconds patience) {
  const auto deadline = steady_clock::now() + patience;
  while (steady_clock::now() < deadline) {
    if (connection_->Send(message)) return true;
    pollfd item{connection_->monitor_descriptor(), POLLIN, 0};
    poll(&item, 1, 10);
    std::string why;
    while (connection_->TakeState(why)) {
    }
  }
  return false;
}

std::optional<Message> SiteClient::Next(std::chrono::milliseconds patience) {
  const auto deadline = steady_clock::now() + patience;
  while (steady_clock::now() < deadline) {
    if (auto received = connection_->Receive()) {
      if (*received) return std::move(**received);
      continue;
    }
    pollfd item{connection_->descriptor(), POLLIN, 0};
    if (!connection_->IsWaiting()) poll(&item, 1, 10);
  }
  return std::nullopt;
}

std::optional<Welcome> SiteClient::Greet(const Nonce& nonce, std::chrono::milliseconds patience) {
  Hello hello;
  hello.organization = "Testorg";
  hello.site = site_;
  hello.program = "test";
  hello.nonce = nonce;
  if (!Send(hello, patience)) return std::nullopt;
  return Await<Welcome>(patience);
}

void BrokerWorld::SetUp() {
  std::string name = std::filesystem::temp_directory_path() / "dirsync-broker-XXXXXX";
  ASSERT_NE(mkdtemp(name.data()), nullptr);
  top_ = name;
  store_ = top_ + "/store";
  Command({"organization", "init", "Testorg"});
  std::ifstream key(store_ + "/keys/transport.key", std::ios::binary);
  const std::string secret{std::istreambuf_iterator<char>(key), {}};
  broker_key_ = TransportKeysFrom(secret)->public_key;
  AddSite("Site1");
  AddSite("Site2");
}

void BrokerWorld::TearDown() { std::filesystem::remove_all(top_); }

std::string BrokerWorld::Command(std::vector<std::string> words, int status) {
  words.insert(words.begin(), DIRSYNC_PROGRAM);
  words.insert(words.end(), {"--store", store_});
  const Outcome outcome = RunProcess(words);
  EXPECT_EQ(outcome.exit_status, status)
      << words[1] << ' ' << words[2] << ": " << outcome.output << outcome.errors;
  return outcome.output;
}

void BrokerWorld::AddSite(const std::string& site) {
  Command({"sites", "add", site, "--public-key", TestKey(site).public_key().hex(),
           "--transport-key", SiteClient::KeysOf(site).public_key.hex(), "--domain",
           site + ".example.org"});
}

}  // namespace dirsync::e2e
