#include "proto/net/listener.h"

#include <algorithm>
#include <chrono>
#include <map>

#include "proto/base/crypto.h"
#include "proto/base/limits.h"
#include "proto/net/zmq_context.h"

namespace dirsync {
namespace {

constexpr int kReceiveMost = 32;  // messages of one peer that wait here: the rest waits at the peer
constexpr int kBacklog = 1024;
// Refuse who cannot be asked about. The library knows this option; its header names it only to
// builds with drafts.
constexpr int kZapEnforceDomain = 93;
constexpr std::chrono::milliseconds kSelfTest{10'000};
constexpr int kSelfTests = 5;  // a busy machine may let a handshake run out of time
constexpr std::size_t kRefusalsKept = 4096;
constexpr std::uint32_t kRetrySeconds = 30;  // for who sent what is no message

enum class Greeting : std::uint8_t { kAccepted, kRefused, kNoAnswer };

Greeting WaitFor(zmq::socket_t& monitor) {
  const auto deadline = std::chrono::steady_clock::now() + kSelfTest;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return Greeting::kNoAnswer;
    zmq::pollitem_t item{monitor.handle(), 0, ZMQ_POLLIN, 0};
    zmq::poll(&item, 1, left);
    while (auto event = net::TakeEvent(monitor)) {
      if (event->event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) return Greeting::kAccepted;
      if (!net::RefusalOf(*event).empty() || event->event == ZMQ_EVENT_DISCONNECTED)
        return Greeting::kRefused;
    }
  }
}

// How the listener at `address` greets `client`.
Greeting Greet(zmq::context_t& context, zmq::socket_t& client, const std::string& address,
               const std::string& name) {
  zmq::socket_t monitor = net::Watch(context, client, name, net::kAllEvents);
  client.connect(address);
  const Greeting greeting = WaitFor(monitor);
  net::Unwatch(client);
  return greeting;
}

std::unexpected<Error> NotSafe(const std::string& what) {
  return Fail(ErrorCode::kInternal, "listen: the self-test failed: " + what + "; nothing is served",
              "report it: this machine's ZeroMQ does not check who connects");
}

// Where a client on this machine reaches what is bound to `address`.
std::string LocalAddress(std::string address) {
  for (const auto& [any, local] :
       {std::pair<std::string_view, std::string_view>{"0.0.0.0", "127.0.0.1"}, {"[::]", "[::1]"}})
    if (const auto at = address.find(any); at != std::string::npos)
      address.replace(at, any.size(), local);
  return address;
}

zmq::socket_t MakeRouter(zmq::context_t& context, const ListenerSettings& settings) {
  zmq::socket_t socket(context, zmq::socket_type::router);
  net::SetCommon(socket, settings.message_bytes_max, settings.handshake_ms);
  socket.set(zmq::sockopt::router_mandatory, true);  // what cannot be sent is said, not dropped
  socket.set(zmq::sockopt::rcvhwm, kReceiveMost);
  socket.set(zmq::sockopt::sndhwm, static_cast<int>(limits::kMessagesUnderWay));
  socket.set(zmq::sockopt::backlog, kBacklog);
  if (settings.address.find('[') != std::string::npos) socket.set(zmq::sockopt::ipv6, true);
  socket.set(zmq::sockopt::curve_server, true);
  socket.set(zmq::sockopt::curve_secretkey, settings.keys.secret);
  socket.set(zmq::sockopt::zap_domain, settings.zap_domain);
  const int enforce = 1;
  if (zmq_setsockopt(socket.handle(), kZapEnforceDomain, &enforce, sizeof enforce) != 0)
    throw zmq::error_t();
  return socket;
}

// Proves that who may not come in does not, and that who may does.
class SelfTest {
 public:
  SelfTest(ListenerContext& context, const ListenerSettings& settings, std::string address)
      : zmq_(context.state().context), settings_(settings), address_(std::move(address)) {}

  Result<> Run(const TransportKeyPair& stranger, const TransportKeyPair& guest, bool anybody) {
    if (GreetAs(nullptr, "plain", Greeting::kRefused) != Greeting::kRefused)
      return NotSafe("a client without CURVE was not refused");
    if (!anybody && GreetAs(&stranger, "stranger", Greeting::kRefused) != Greeting::kRefused)
      return NotSafe("a key that nobody knows was not refused");
    if (GreetAs(&guest, "guest", Greeting::kAccepted) != Greeting::kAccepted)
      return NotSafe("a key that may come in was refused: the handler does not answer");
    return {};
  }

 private:
  // Once more where the answer was not the one wanted; but who came in by mistake came in.
  Greeting GreetAs(const TransportKeyPair* keys, const std::string& name, Greeting wanted) {
    Greeting greeting = Greeting::kNoAnswer;
    for (int attempt = 0; attempt < kSelfTests; ++attempt) {
      greeting = GreetWith(keys, name + std::to_string(attempt));
      if (greeting == wanted || greeting == Greeting::kAccepted) break;
    }
    return greeting;
  }

  Greeting GreetWith(const TransportKeyPair* keys, const std::string& name) {
    zmq::socket_t client(zmq_, zmq::socket_type::dealer);
    net::SetCommon(client, settings_.message_bytes_max, settings_.handshake_ms);
    if (address_.find('[') != std::string::npos) client.set(zmq::sockopt::ipv6, true);
    if (keys != nullptr) {
      client.set(zmq::sockopt::curve_serverkey, std::string(settings_.keys.public_key.view()));
      client.set(zmq::sockopt::curve_publickey, std::string(keys->public_key.view()));
      client.set(zmq::sockopt::curve_secretkey, keys->secret);
    }
    return Greet(zmq_, client, address_, name + "." + settings_.zap_domain);
  }

  zmq::context_t& zmq_;
  const ListenerSettings& settings_;
  const std::string address_;
};

}  // namespace

struct Listener::State {
  struct Peer {
    std::string route;
    TransportKey key;
    std::uint64_t used = 0;  // when, in messages
    bool ended = false;      // by a message that could not be decoded
    std::shared_ptr<net::UnderWay> under_way;
  };

  zmq::socket_t socket;
  zmq::socket_t monitor;
  std::string address;
  std::map<std::string, std::uint64_t> session_of;  // by routing id
  std::map<std::uint64_t, Peer> peers;              // by session
  std::map<TransportKey, std::shared_ptr<net::UnderWay>> of_key;
  std::uint64_t next_session = 1;
  std::uint64_t messages = 0;
  std::vector<std::string> refusals;
  std::vector<std::uint64_t> ended;  // not told yet

  std::uint64_t SessionOf(const std::string& route, const TransportKey& key, bool decoded);
  std::shared_ptr<net::UnderWay> Counter(const TransportKey& key);
  void Forget(std::uint64_t session);
  void Refuse(std::string reason) {
    if (refusals.size() < kRefusalsKept) refusals.push_back(std::move(reason));
  }
};

// A routing id can be claimed by whoever comes next: another key is another session. So is what can
// be `decoded` behind what could not be.
std::uint64_t Listener::State::SessionOf(const std::string& route, const TransportKey& key,
                                         bool decoded) {
  ++messages;
  const auto found = session_of.find(route);
  if (found != session_of.end()) {
    Peer& peer = peers[found->second];
    peer.used = messages;
    if (peer.key == key && !(peer.ended && decoded)) return found->second;
    Forget(found->second);
  }
  if (peers.size() >= 2 * limits::kSessions)
    Forget(std::ranges::min_element(peers, {}, [](const auto& row) {
             return row.second.used;
           })->first);
  const std::uint64_t session = next_session++;
  session_of[route] = session;
  peers[session] = {route, key, messages, false, Counter(key)};
  return session;
}

// Of another connection: those before it may hold what they were sent until TCP gives them up.
std::shared_ptr<net::UnderWay> Listener::State::Counter(const TransportKey& key) {
  if (of_key.size() >= 2 * limits::kSessions)
    std::erase_if(of_key, [](const auto& row) { return row.second.use_count() == 1; });
  std::shared_ptr<net::UnderWay>& all = of_key[key];
  if (!all) all = std::make_shared<net::UnderWay>();
  auto counter = std::make_shared<net::UnderWay>();
  counter->of_key = all;
  return counter;
}

void Listener::State::Forget(std::uint64_t session) {
  const auto peer = peers.find(session);
  if (peer == peers.end()) return;
  session_of.erase(peer->second.route);
  peers.erase(peer);
}

Listener::Listener(std::unique_ptr<State> state) : state_(std::move(state)) {}
Listener::~Listener() { net::Unwatch(state_->socket); }

Result<std::unique_ptr<Listener>> Listener::Bind(ListenerContext& context,
                                                 const ListenerSettings& settings,
                                                 std::function<bool(const TransportKey&)> allow,
                                                 std::string_view random, bool anybody) {
  if (settings.zap_domain.empty())
    return Fail(ErrorCode::kInternal, "listen: without a domain ZeroMQ would ask nobody");
  DIRSYNC_TRY(stranger, TransportKeysFrom(random));
  DIRSYNC_TRY(guest, TransportKeysFrom(DigestOf(random).view()));
  const TransportKey guest_key = guest.public_key;
  // Before the socket is bound: nobody comes in unasked, not even for a moment.
  context.Admit(settings.zap_domain, [allow, guest_key](const TransportKey& key) {
    return key == guest_key || allow(key);
  });
  try {
    zmq::context_t& zmq = context.state().context;
    zmq::socket_t socket = MakeRouter(zmq, settings);
    zmq::socket_t monitor =
        net::Watch(zmq, socket, "listener." + settings.zap_domain, net::kRefusals);
    socket.bind(settings.address);
    std::string address = socket.get(zmq::sockopt::last_endpoint);
    SelfTest test(context, settings, LocalAddress(address));
    DIRSYNC_CHECK(test.Run(stranger, guest, anybody));
    context.Admit(settings.zap_domain, std::move(allow));
    auto state = std::make_unique<State>(
        State{std::move(socket), std::move(monitor), std::move(address), {}, {}, {}, 1, 0, {}, {}});
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

bool Listener::IsWaiting() const {
  return net::IsReadable(state_->socket) || net::IsReadable(state_->monitor);
}

std::optional<Received> Listener::Receive() {
  ReceiveBudget budget;
  return Receive(budget);
}

std::optional<Received> Listener::Receive(ReceiveBudget& budget) {
  while (budget.messages > 0 && budget.bytes > 0) {
    std::size_t bytes = 0;
    auto frames = net::ReceiveFrames(state_->socket, &bytes);
    if (!frames) return std::nullopt;
    --budget.messages;
    budget.bytes -= std::min(budget.bytes, bytes);
    const char* user =
        frames->size() < 2 ? nullptr : zmq_msg_gets((*frames)[1].handle(), "User-Id");
    const auto key = TransportKey::FromHex(user == nullptr ? "" : user);
    if (!key) {
      state_->Refuse(frames->size() < 2 ? "message-frames" : "message-no-user");
      continue;
    }
    const bool whole = frames->size() <= 3;
    auto message = whole ? net::DecodeFrames(*frames, 1)
                         : Fail(ErrorCode::kBadRecord, "receive: more than two frames");
    const std::uint64_t session =
        state_->SessionOf((*frames)[0].to_string(), *key, message.has_value());
    if (message) return Received{session, *key, std::move(*message)};
    state_->Refuse("message-" +
                   (whole ? std::string(InfoOf(message.error().code).text) : "frames"));
    EndRefused(session, message.error());
  }
  return std::nullopt;
}

// The first refusal is answered; a peer that goes on is not worth an answer each.
void Listener::EndRefused(std::uint64_t session, const Error& why) {
  State::Peer& peer = state_->peers.at(session);
  if (peer.ended) return;
  static_cast<void>(Send(session, Bye{why.code, why.message, kRetrySeconds}));
  peer.ended = true;
  state_->ended.push_back(session);
}

std::vector<std::uint64_t> Listener::TakeEnded() { return std::exchange(state_->ended, {}); }

Result<> Listener::Send(std::uint64_t session, const Message& message) {
  const auto peer = state_->peers.find(session);
  if (peer == state_->peers.end() || peer->second.ended)
    return Fail(ErrorCode::kUnreachable, "send: that connection is gone");
  WireMessage wire = EncodeMessage(message);
  if (UnderWay(session) + net::CostOf(wire) > limits::kPeerBytes)
    return Fail(ErrorCode::kBusy, "send: too much waits for the peer already");
  const std::string& route = peer->second.route;
  zmq::message_t id(route.data(), route.size());
  int error = zmq_msg_send(id.handle(), state_->socket.handle(), ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0
                  ? zmq_errno()
                  : 0;
  if (error == 0) error = net::SendFrames(state_->socket, std::move(wire), peer->second.under_way);
  if (error == 0) return {};
  if (error == EAGAIN) return Fail(ErrorCode::kBusy, "send: the peer takes nothing now");
  return Fail(ErrorCode::kUnreachable, "send: that connection is gone");
}

std::uint64_t Listener::UnderWay(std::uint64_t session) const {
  const auto peer = state_->peers.find(session);
  if (peer == state_->peers.end()) return 0;
  const net::UnderWay& own = *peer->second.under_way;
  const std::uint64_t all = own.of_key->bytes.load(std::memory_order_relaxed);
  return std::max(own.bytes.load(std::memory_order_relaxed),
                  all - std::min<std::uint64_t>(all, limits::kPeerBytes));
}

void Listener::Close(std::uint64_t session) { state_->Forget(session); }

std::vector<std::string> Listener::TakeRefusals() {
  while (auto event = net::TakeEvent(state_->monitor))
    if (std::string reason = net::RefusalOf(*event); !reason.empty())
      state_->Refuse("handshake-" + reason);
  return std::exchange(state_->refusals, {});
}

}  // namespace dirsync
