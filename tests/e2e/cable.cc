#include "tests/e2e/cable.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "tests/e2e/process.h"

namespace dirsync::e2e {
namespace {

bool Ip(std::vector<std::string> words) {
  words.insert(words.begin(), {"/usr/bin/env", "ip"});
  return RunProcess(words).exit_status == 0;
}

class Namespace : public Cable {
 public:
  Namespace()
      : name_("dsf" + std::to_string(getpid())),
        net_("10.213." + std::to_string(getpid() % 250) + ".") {}
  ~Namespace() override {
    Ip({"link", "del", name_ + "a"});
    Ip({"netns", "del", name_});
  }
  bool Open() {
    return Ip({"netns", "add", name_}) &&
           Ip({"link", "add", name_ + "a", "type", "veth", "peer", "name", name_ + "b", "netns",
               name_}) &&
           Ip({"addr", "add", net_ + "1/30", "dev", name_ + "a"}) &&
           Ip({"link", "set", name_ + "a", "up"}) &&
           Ip({"-n", name_, "addr", "add", net_ + "2/30", "dev", name_ + "b"}) && Far("up");
  }
  std::string host() const override { return net_ + "1"; }
  std::vector<std::string> Around(std::vector<std::string> arguments, const std::string&,
                                  const std::string&) override {
    arguments.insert(arguments.begin(), {"/usr/bin/env", "ip", "netns", "exec", name_});
    return arguments;
  }
  void Pull() override { Far("down"); }
  void Plug() override { Far("up"); }
  std::string kind() const override { return "network namespace"; }

 private:
  bool Far(const std::string& state) {
    return Ip({"-n", name_, "link", "set", name_ + "b", state});
  }
  const std::string name_;
  const std::string net_;
};

// Forwards connections, and while it is pulled neither bytes nor ends of them.
class Relay : public Cable {
 public:
  ~Relay() override {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
    for (const Pair& pair : pairs_) {
      close(pair.near);
      close(pair.far);
    }
    if (door_ >= 0) close(door_);
  }
  std::string host() const override { return "127.0.0.1"; }
  std::vector<std::string> Around(std::vector<std::string> arguments, const std::string& address,
                                  const std::string& folder) override {
    to_ = std::stoi(address.substr(address.rfind(':') + 1));
    door_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in any = Loopback(0);
    bind(door_, reinterpret_cast<sockaddr*>(&any), sizeof any);
    listen(door_, 16);
    socklen_t length = sizeof any;
    getsockname(door_, reinterpret_cast<sockaddr*>(&any), &length);
    std::ofstream(folder + "/relay.toml")
        << "broker = \"tcp://127.0.0.1:" << ntohs(any.sin_port) << "\"\n";
    arguments.insert(arguments.end(), {"--config", folder + "/relay.toml"});
    thread_ = std::thread([this] { Run(); });
    return arguments;
  }
  void Pull() override { pulled_ = true; }
  void Plug() override { pulled_ = false; }
  std::string kind() const override { return "relay (namespaces are not permitted)"; }

 private:
  struct Pair {
    int near;
    int far;
  };
  static sockaddr_in Loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }
  void Accept() {
    const int near = accept(door_, nullptr, nullptr);
    const int far = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in to = Loopback(to_);
    if (connect(far, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0) {
      pairs_.push_back({near, far});
      return;
    }
    close(near);
    close(far);
  }
  // Whether both ends are still there.
  static bool Forward(int from, int to) {
    char bytes[65536];
    const ssize_t got = read(from, bytes, sizeof bytes);
    if (got <= 0) return false;
    for (ssize_t sent = 0; sent < got;) {
      const ssize_t more =
          send(to, bytes + sent, static_cast<std::size_t>(got - sent), MSG_NOSIGNAL);
      if (more <= 0) return false;
      sent += more;
    }
    return true;
  }
  void Run() {
    while (!stop_) {
      if (pulled_) {
        poll(nullptr, 0, 10);
        continue;
      }
      std::vector<pollfd> items{{door_, POLLIN, 0}};
      for (const Pair& pair : pairs_) {
        items.push_back({pair.near, POLLIN, 0});
        items.push_back({pair.far, POLLIN, 0});
      }
      poll(items.data(), items.size(), 10);
      for (std::size_t i = pairs_.size(); i-- > 0;) {
        const Pair pair = pairs_[i];
        const bool up = items[1 + 2 * i].revents == 0 || Forward(pair.near, pair.far);
        const bool down = items[2 + 2 * i].revents == 0 || Forward(pair.far, pair.near);
        if (up && down) continue;
        close(pair.near);
        close(pair.far);
        pairs_.erase(pairs_.begin() + static_cast<std::ptrdiff_t>(i));
      }
      if (items[0].revents != 0) Accept();
    }
  }

  int door_ = -1;
  int to_ = 0;
  std::vector<Pair> pairs_;
  std::atomic<bool> pulled_{false};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace

std::unique_ptr<Cable> Cable::Make() {
  auto permitted = std::make_unique<Namespace>();
  if (permitted->Open()) return permitted;
  return std::make_unique<Relay>();
}

}  // namespace dirsync::e2e
