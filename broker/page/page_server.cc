#include "broker/page/page_server.h"

#include <arpa/inet.h>
#include <httplib.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

#include "broker/page/reception.h"
#include "broker/page/router.h"
#include "proto/base/text.h"

namespace dirsync {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kWorkers = 4;
constexpr std::size_t kTokenBytesMin = 16;
constexpr int kListenQueue = 256;
constexpr int kSendBufferBytes = 1 << 20;  // most answers fit: a slow reader holds no worker
constexpr auto kAnswerTime = std::chrono::seconds(10);

// A connection whose request head was read already; everything else must be done by a fixed time.
class BoundedStream final : public httplib::Stream {
 public:
  BoundedStream(int socket, std::string head)
      : socket_(socket), head_(std::move(head)), until_(Clock::now() + kAnswerTime) {}

  bool is_readable() const override { return at_ < head_.size(); }
  bool is_writable() const override { return Wait(POLLOUT); }
  // Only what the reception read: a body is never taken.
  ssize_t read(char* to, std::size_t size) override {
    const std::size_t n = std::min(size, head_.size() - at_);
    head_.copy(to, n, at_);
    at_ += n;
    return static_cast<ssize_t>(n);
  }
  ssize_t write(const char* bytes, std::size_t size) override {
    if (!Wait(POLLOUT)) return -1;
    return send(socket_, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  }
  void get_remote_ip_and_port(std::string& ip, int& port) const override {
    ip.clear();
    port = 0;
  }
  void get_local_ip_and_port(std::string& ip, int& port) const override {
    ip.clear();
    port = 0;
  }
  socket_t socket() const override { return socket_; }

 private:
  bool Wait(short events) const {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until_ - Clock::now());
    if (left.count() <= 0) return false;
    pollfd polled = {socket_, events, 0};
    return poll(&polled, 1, static_cast<int>(left.count())) > 0 && (polled.revents & events) != 0;
  }
  int socket_;
  std::string head_;
  std::size_t at_ = 0;
  Clock::time_point until_;
};

// The library listens, parses and writes; who may hold its workers is decided by the reception.
class Front final : public httplib::Server {
 public:
  void Give(Reception* reception) { reception_ = reception; }
  // The library asks for a queue of 5 only: a burst of browsers would wait for its retries.
  void WidenQueue() { ::listen(svr_sock_, kListenQueue); }
  void Serve(int socket, std::string head) {
    setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &kSendBufferBytes, sizeof kSendBufferBytes);
    BoundedStream stream(socket, std::move(head));
    bool closed = true;
    process_request(stream, true, closed, [](httplib::Request& request) {
      request.ranges.clear();  // answers are whole
    });
    shutdown(socket, SHUT_WR);
    close(socket);
    reception_->Left();
  }

 private:
  // Called on the listening thread for each accepted connection.
  bool process_and_close_socket(socket_t socket) override {
    reception_->Add(socket);
    return true;
  }
  Reception* reception_ = nullptr;
};

// Runs what it is given at once: handing a socket to the reception does not wait.
class InlineQueue final : public httplib::TaskQueue {
 public:
  void enqueue(std::function<void()> task) override { task(); }
  void shutdown() override {}
};

bool IsLoopback(const std::string& address, bool& valid) {
  in_addr four{};
  in6_addr six{};
  valid = true;
  if (inet_pton(AF_INET, address.c_str(), &four) == 1)
    return (ntohl(four.s_addr) >> 24) == IN_LOOPBACKNET;
  if (inet_pton(AF_INET6, address.c_str(), &six) == 1) return IN6_IS_ADDR_LOOPBACK(&six);
  valid = false;
  return false;
}

Result<> CheckSettings(const PageSettings& settings) {
  bool valid = false;
  const bool loopback = IsLoopback(settings.address, valid);
  if (!valid)
    return Fail(ErrorCode::kConfiguration,
                "page address " + Printable(settings.address, 80) + ": not an IP address");
  if (!loopback && settings.token.size() < kTokenBytesMin)
    return Fail(ErrorCode::kConfiguration,
                "page address " + settings.address + ": beyond loopback without a token",
                "set a token of 16 characters or more, or leave it on 127.0.0.1 behind a proxy");
  return {};
}

PageRequest RequestOf(const httplib::Request& from) {
  PageRequest request;
  request.method = from.method;
  request.path = from.path;
  for (const auto& [name, value] : from.params) request.query.try_emplace(name, value);
  request.host = from.get_header_value("Host");
  request.hosts = from.get_header_value_count("Host");
  request.authorization = from.get_header_value("Authorization");
  return request;
}

}  // namespace

struct PageServer::State {
  PageSettings settings;
  std::uint16_t port = 0;
  Front front;
  std::unique_ptr<httplib::ThreadPool> workers;
  std::unique_ptr<Reception> reception;
  std::thread listener;
  std::atomic<bool> stopped = false;
  std::atomic<bool> ended = false;  // the listener's thread

  std::mutex mutex;  // guards what follows
  std::shared_ptr<const BrokerStats> stats = std::make_shared<const BrokerStats>();
  std::shared_ptr<const PageSnapshot> snapshot;  // of `stats`; null: not derived yet
  PageReadiness readiness;
  Clock::time_point published = Clock::now();
  CounterSums sums;  // guarded by sums_mutex
  std::mutex sums_mutex;

  // Derived once for each Publish(), by whoever asks first.
  std::shared_ptr<const PageSnapshot> Snapshot(PageState& about) {
    std::shared_ptr<const BrokerStats> from;
    {
      const std::lock_guard lock(mutex);
      about.settings = settings;
      about.port = port;
      about.readiness = readiness;
      about.silent = std::chrono::duration_cast<Duration>(Clock::now() - published);
      about.sums = &sums;
      if (snapshot) return snapshot;
      from = stats;
    }
    auto made = std::make_shared<const PageSnapshot>(
        PageSnapshot{from, DeriveLinks(*from, settings.thresholds)});
    const std::lock_guard lock(mutex);
    if (stats == from) snapshot = made;
    return made;
  }

  PageAnswer AnswerTo(const PageRequest& request) {
    PageState about;
    const auto now = Snapshot(about);
    if (request.path != "/metrics") return Answer(request, *now, about);
    const std::lock_guard lock(sums_mutex);
    return Answer(request, *now, about);
  }

  void Wire() {
    // Not SO_REUSEPORT, which the library sets: a taken port must be an error.
    front.set_socket_options([](socket_t socket) {
      const int yes = 1;
      setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    });
    front.new_task_queue = [] { return new InlineQueue; };
    front.set_pre_routing_handler([this](const httplib::Request& from, httplib::Response& to) {
      PageAnswer answer = AnswerTo(RequestOf(from));
      to.status = answer.status;
      for (const auto& headers : {CommonHeaders(), answer.headers})
        for (const auto& [name, value] : headers) {
          to.headers.erase(name);
          to.set_header(name, value);
        }
      to.set_content(answer.body, answer.type);
      return httplib::Server::HandlerResponse::Handled;
    });
  }
};

PageServer::PageServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
PageServer::~PageServer() { Stop(); }

Result<std::unique_ptr<PageServer>> PageServer::Start(PageSettings settings) {
  DIRSYNC_CHECK(CheckSettings(settings));
  auto state = std::make_unique<State>();
  State* running = state.get();
  running->settings = std::move(settings);
  running->Wire();
  const std::string& address = running->settings.address;
  int port = running->settings.port;
  const bool bound = port == 0 ? (port = running->front.bind_to_any_port(address)) > 0
                               : running->front.bind_to_port(address, port);
  if (!bound)
    return Fail(ErrorCode::kIo, "page " + address + ":" + std::to_string(port) +
                                    ": it cannot be bound (is it taken?)");
  running->front.WidenQueue();
  running->port = static_cast<std::uint16_t>(port);
  running->workers = std::make_unique<httplib::ThreadPool>(kWorkers);
  DIRSYNC_TRY(reception, Reception::Start({}, [running](int socket, std::string head) {
                running->workers->enqueue([running, socket, text = std::move(head)]() mutable {
                  running->front.Serve(socket, std::move(text));
                });
              }));
  running->reception = std::move(reception);
  running->front.Give(running->reception.get());
  running->listener = std::thread([running] {
    running->front.listen_after_bind();
    running->ended = true;
  });
  return std::unique_ptr<PageServer>(new PageServer(std::move(state)));
}

void PageServer::Publish(std::shared_ptr<const BrokerStats> stats) {
  const std::lock_guard lock(state_->mutex);
  state_->stats = std::move(stats);
  state_->snapshot.reset();
  state_->published = Clock::now();
}

void PageServer::SetReadiness(PageReadiness readiness) {
  const std::lock_guard lock(state_->mutex);
  state_->readiness = std::move(readiness);
}

void PageServer::Stop() {
  if (state_->stopped.exchange(true)) return;
  // The listener may not have begun to listen: stop() then does nothing.
  while (!state_->front.is_running() && !state_->ended) std::this_thread::yield();
  state_->front.stop();
  state_->listener.join();
  state_->reception->Stop();
  state_->workers->shutdown();
}

std::uint16_t PageServer::port() const { return state_->port; }

}  // namespace dirsync
