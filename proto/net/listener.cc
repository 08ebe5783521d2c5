#include "proto/net/listener.h"

#include <chrono>
#include <map>

#include "proto/base/limits.h"
#include "proto/net/zmq_context.h"

namespace dirsync {
namespace {

constexpr int kReceiveMost = 32;  // messages of one peer that wait here: the rest waits at the peer
constexpr int kBacklog = 1024;
// Refuse who cannot be asked about. The library knows this option; its header names it only to
// builds with drafts.
constexpr int kZapEnforceDomain = 93;
constexpr std::chrono::milliseconds kSelfTest{3000};
constexpr std::size_t kRefusalsKept = 4096;

// What the socket of a stranger meets: whether its handshake was refused in time.
bool IsRefused(zmq::context_t& context, zmq::socket_t& stranger, const std::string& address,
               const std::string& name) {
  zmq::socket_t monitor = net::Watch(context, stranger, name);
  stranger.connect(address);
  const auto deadline = std::chrono::steady_clock::now() + kSelfTest;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    zmq::pollitem_t item{monitor.handle(), 0, ZMQ_POLLIN, 0};
    zmq::poll(&item, 1, left);
    while (auto event = net::TakeEvent(monitor)) {
      if (event->event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) return false;
      if (!net::RefusalOf(*event).empty() || event->event == ZMQ_EVENT_DISCONNECTED) return true;
    }
  }
}

std::unexpected<Error> NotSafe(const std::string& who) {
  return Fail(ErrorCode::kInternal,
              "listen: the self-test failed: " + who + " was not refused; nothing is served",
              "report it: this machine's ZeroMQ does not check who connects");
}

}  // namespace

struct Listener::State {
  ListenerContext& context;
  zmq::socket_t socket;
  zmq::socket_t monitor;
  std::string address;
  std::map<std::string, std::uint64_t> session_of;  // by routing id
  std::map<std::uint64_t, std::string> routes;
  std::map<std::uint64_t, std::uint64_t> used;  // by session: when, in messages
  std::uint64_t next_session = 1;
  std::uint64_t messages = 0;
  std::vector<std::string> refusals;

  std::uint64_t SessionOf(const std::string& route);
  void Forget(std::uint64_t session);
  void Refuse(std::string reason) {
    if (refusals.size() < kRefusalsKept) refusals.push_back(std::move(reason));
  }
};

std::uint64_t Listener::State::SessionOf(const std::string& route) {
  ++messages;
  const auto found = session_of.find(route);
  if (found != session_of.end()) {
    used[found->second] = messages;
    return found->second;
  }
  if (routes.size() >= 2 * limits::kSessions) {
    auto oldest = used.begin();
    for (auto it = used.begin(); it != used.end(); ++it)
      if (it->second < oldest->second) oldest = it;
    Forget(oldest->first);
  }
  const std::uint64_t session = next_session++;
  session_of[route] = session;
  routes[session] = route;
  used[session] = messages;
  return session;
}

void Listener::State::Forget(std::uint64_t session) {
  const auto route = routes.find(session);
  if (route == routes.end()) return;
  session_of.erase(route->second);
  routes.erase(route);
  used.erase(session);
}

Listener::Listener(std::unique_ptr<State> state) : state_(std::move(state)) {}
Listener::~Listener() = default;

Result<std::unique_ptr<Listener>> Listener::Bind(ListenerContext& context,
                                                 const ListenerSettings& settings,
                                                 std::function<bool(const TransportKey&)> allow,
                                                 std::string_view random, bool anybody) {
  if (settings.zap_domain.empty())
    return Fail(ErrorCode::kInternal, "listen: without a domain ZeroMQ would ask nobody");
  DIRSYNC_TRY(stranger_keys, TransportKeysFrom(random));
  context.Admit(settings.zap_domain, std::move(allow));
  zmq::context_t& zmq = context.state().context;
  try {
    zmq::socket_t socket(zmq, zmq::socket_type::router);
    net::SetCommon(socket, settings.message_bytes_max, settings.handshake_ms,
                   settings.heartbeat_ms);
    socket.set(zmq::sockopt::router_mandatory, true);
    socket.set(zmq::sockopt::rcvhwm, kReceiveMost);
    socket.set(zmq::sockopt::sndhwm, 0);  // the broker's credit is the bound
    socket.set(zmq::sockopt::backlog, kBacklog);
    socket.set(zmq::sockopt::curve_server, true);
    socket.set(zmq::sockopt::curve_secretkey, settings.keys.secret);
    socket.set(zmq::sockopt::zap_domain, settings.zap_domain);
    const int enforce = 1;
    if (zmq_setsockopt(socket.handle(), kZapEnforceDomain, &enforce, sizeof enforce) != 0)
      throw zmq::error_t();
    zmq::socket_t monitor = net::Watch(zmq, socket, "listener." + settings.zap_domain);
    socket.bind(settings.address);
    std::string address = socket.get(zmq::sockopt::last_endpoint);
    auto state = std::make_unique<State>(
        State{context, std::move(socket), std::move(monitor), address, {}, {}, {}, 1, 0, {}});
    std::string reachable = address;
    if (const auto any = reachable.find("0.0.0.0"); any != std::string::npos)
      reachable.replace(any, 7, "127.0.0.1");
    zmq::socket_t plain(zmq, zmq::socket_type::dealer);
    net::SetCommon(plain, settings.message_bytes_max, settings.handshake_ms, 0);
    if (!IsRefused(zmq, plain, reachable, "plain." + settings.zap_domain))
      return NotSafe("a client without CURVE");
    if (!anybody) {
      zmq::socket_t stranger(zmq, zmq::socket_type::dealer);
      net::SetCommon(stranger, settings.message_bytes_max, settings.handshake_ms, 0);
      stranger.set(zmq::sockopt::curve_serverkey, std::string(settings.keys.public_key.view()));
      stranger.set(zmq::sockopt::curve_publickey, std::string(stranger_keys.public_key.view()));
      stranger.set(zmq::sockopt::curve_secretkey, stranger_keys.secret);
      if (!IsRefused(zmq, stranger, reachable, "stranger." + settings.zap_domain))
        return NotSafe("a key that nobody knows");
    }
    std::unique_ptr<Listener> listener(new Listener(std::move(state)));
    static_cast<void>(listener->TakeRefusals());  // those were our own
    return listener;
  } catch (const zmq::error_t& error) {
    return std::unexpected(net::ZmqError("listen on", settings.address, error.num()));
  }
}

const std::string& Listener::address() const { return state_->address; }

std::vector<int> Listener::descriptors() const {
  return {state_->socket.get(zmq::sockopt::fd), state_->monitor.get(zmq::sockopt::fd)};
}

std::optional<Received> Listener::Receive() {
  while (auto frames = net::ReceiveFrames(state_->socket)) {
    if (frames->size() < 2 || frames->size() > 3) {
      state_->Refuse("message-frames");
      continue;
    }
    const std::uint64_t session = state_->SessionOf((*frames)[0].to_string());
    const char* user = zmq_msg_gets((*frames)[1].handle(), "User-Id");
    const auto key = TransportKey::FromHex(user == nullptr ? "" : user);
    if (!key) {
      state_->Refuse("message-no-user");
      continue;
    }
    auto message = net::DecodeFrames(*frames, 1);
    if (!message) {
      state_->Refuse("message-" + std::string(InfoOf(message.error().code).text));
      static_cast<void>(Send(session, Bye{message.error().code, message.error().message, 30}));
      Close(session);
      continue;
    }
    return Received{session, *key, std::move(*message)};
  }
  return std::nullopt;
}

Result<> Listener::Send(std::uint64_t session, const Message& message) {
  const auto route = state_->routes.find(session);
  if (route == state_->routes.end())
    return Fail(ErrorCode::kUnreachable, "send: that connection is gone");
  zmq::message_t id(route->second.data(), route->second.size());
  int error = zmq_msg_send(id.handle(), state_->socket.handle(), ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0
                  ? zmq_errno()
                  : 0;
  if (error == 0) error = net::SendFrames(state_->socket, message);
  if (error == 0) return {};
  if (error == EAGAIN) return Fail(ErrorCode::kBusy, "send: the peer takes nothing now");
  return Fail(ErrorCode::kUnreachable, "send: that connection is gone");
}

void Listener::Close(std::uint64_t session) { state_->Forget(session); }

std::vector<std::string> Listener::TakeRefusals() {
  while (auto event = net::TakeEvent(state_->monitor))
    if (std::string reason = net::RefusalOf(*event); !reason.empty())
      state_->Refuse("handshake-" + reason);
  return std::exchange(state_->refusals, {});
}

}  // namespace dirsync
