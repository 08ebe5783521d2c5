#include "proto/net/zmq_context.h"

#include <cstring>

#include "proto/base/limits.h"
#include "proto/base/text.h"

namespace dirsync {
namespace {

constexpr const char* kZapAddress = "inproc://zeromq.zap.01";
constexpr std::size_t kZapFrames = 7;  // version, request, domain, address, id, mechanism, key
constexpr int kEventsWaiting = 100'000;
constexpr std::size_t kFrameCost = 64;  // bytes that an empty frame counts
constexpr std::size_t kFramesKept = 4;  // route, header, payload, and one too many

// One request of ZeroMQ's (RFC 27) and its answer.
void AnswerOne(zmq::socket_t& socket, ListenerContext::State& state,
               std::vector<zmq::message_t>& frames) {
  const auto text = [&](std::size_t i) { return frames[i].to_string_view(); };
  std::optional<TransportKey> key;
  bool allowed = false;
  if (frames.size() == kZapFrames && text(0) == "1.0" && text(5) == "CURVE")
    key = TransportKey::FromBytes(text(6));
  if (key) {
    const std::lock_guard lock(state.mutex);
    const auto allow = state.allow.find(std::string(text(2)));
    allowed = allow != state.allow.end() && allow->second(*key);
  }
  const std::string request = frames.size() > 1 ? std::string(text(1)) : std::string();
  const std::string user = key ? key->hex() : std::string();
  const std::string parts[] = {"1.0", request, allowed ? "200" : "400", "", user, ""};
  for (std::size_t i = 0; i < std::size(parts); ++i)
    socket.send(zmq::buffer(parts[i]),
                i + 1 < std::size(parts) ? zmq::send_flags::sndmore : zmq::send_flags::none);
}

void Handle(zmq::socket_t socket, ListenerContext::State& state) {
  for (;;) {
    std::vector<zmq::message_t> frames;
    try {
      do {
        frames.emplace_back();
        if (!socket.recv(frames.back())) return;
      } while (frames.back().more());
      AnswerOne(socket, state, frames);
    } catch (const zmq::error_t&) {
      return;  // the context ends
    }
  }
}

// What ZeroMQ holds until it has sent it: a header or a payload.
struct Held {
  Held(std::shared_ptr<net::UnderWay> counted, std::uint64_t count)
      : under_way(std::move(counted)), cost(count) {
    if (under_way) under_way->Add(cost);
  }
  ~Held() {
    if (under_way) under_way->Subtract(cost);
  }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

  std::string header;
  Payload payload;
  std::shared_ptr<net::UnderWay> under_way;
  std::uint64_t cost;
};

void FreeHeld(void*, void* hint) { delete static_cast<Held*>(hint); }

int SendFrame(zmq::socket_t& socket, zmq::message_t& frame, bool more) {
  const int flags = ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0);
  return zmq_msg_send(frame.handle(), socket.handle(), flags) >= 0 ? 0 : zmq_errno();
}

}  // namespace

ListenerContext::ListenerContext(std::unique_ptr<State> state) : state_(std::move(state)) {}

ListenerContext::~ListenerContext() {
  state_->context.shutdown();
  if (state_->handler.joinable()) state_->handler.join();
}

Result<std::unique_ptr<ListenerContext>> ListenerContext::Make() {
  if (zmq_has("curve") == 0)
    return Fail(ErrorCode::kInternal, "start ZeroMQ: it was built without CURVE");
  auto state = std::make_unique<State>();
  try {
    zmq::socket_t socket(state->context, zmq::socket_type::rep);
    socket.set(zmq::sockopt::linger, 0);
    socket.bind(kZapAddress);
    state->handler = std::thread(Handle, std::move(socket), std::ref(*state));
  } catch (const zmq::error_t& error) {
    return std::unexpected(net::ZmqError("start", "the handler of handshakes", error.num()));
  }
  return std::unique_ptr<ListenerContext>(new ListenerContext(std::move(state)));
}

void ListenerContext::Admit(const std::string& domain,
                            std::function<bool(const TransportKey&)> allow) {
  const std::lock_guard lock(state_->mutex);
  state_->allow[domain] = std::move(allow);
}

namespace net {

zmq::socket_t Watch(zmq::context_t& context, zmq::socket_t& socket, const std::string& name,
                    int events) {
  const std::string address = "inproc://monitor." + name;
  if (zmq_socket_monitor(socket.handle(), address.c_str(), events) != 0) throw zmq::error_t();
  zmq::socket_t monitor(context, zmq::socket_type::pair);
  monitor.set(zmq::sockopt::linger, 0);
  // ZeroMQ's own thread, which serves all connections, waits when this is full.
  monitor.set(zmq::sockopt::rcvhwm, kEventsWaiting);
  monitor.connect(address);
  return monitor;
}

void Unwatch(zmq::socket_t& socket) {
  if (socket.handle() != nullptr)
    static_cast<void>(zmq_socket_monitor(socket.handle(), nullptr, 0));
}

std::optional<SocketEvent> TakeEvent(zmq::socket_t& monitor) {
  auto frames = ReceiveFrames(monitor);
  if (!frames || (*frames)[0].size() < 6) return std::nullopt;
  SocketEvent event;
  std::memcpy(&event.event, (*frames)[0].data(), 2);
  std::memcpy(&event.value, static_cast<const char*>((*frames)[0].data()) + 2, 4);
  return event;
}

std::string RefusalOf(const SocketEvent& event) {
  switch (event.event) {
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
      return "auth";
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
      return "protocol";
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
      return "no-detail";
    default:
      return {};
  }
}

void SetCommon(zmq::socket_t& socket, std::size_t message_bytes_max, std::uint32_t handshake_ms) {
  socket.set(zmq::sockopt::linger, 0);
  socket.set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(message_bytes_max));
  socket.set(zmq::sockopt::handshake_ivl, static_cast<int>(handshake_ms));
  // A heartbeat into a connection that ended while nobody took its messages ends the process.
  socket.set(zmq::sockopt::heartbeat_ivl, 0);
  // A machine that answers nothing: found by probes where nothing is under way, else by what is.
  constexpr int kSeconds = static_cast<int>(limits::kDeadPeerSeconds);
  socket.set(zmq::sockopt::tcp_keepalive, 1);
  socket.set(zmq::sockopt::tcp_keepalive_idle, kSeconds / 2);
  socket.set(zmq::sockopt::tcp_keepalive_intvl, kSeconds / 6);
  socket.set(zmq::sockopt::tcp_keepalive_cnt, 3);
  socket.set(zmq::sockopt::tcp_maxrt, 1000 * kSeconds);
}

bool IsReadable(zmq::socket_t& socket) {
  return (socket.get(zmq::sockopt::events) & ZMQ_POLLIN) != 0;
}

std::optional<std::vector<zmq::message_t>> ReceiveFrames(zmq::socket_t& socket,
                                                         std::size_t* bytes) {
  std::vector<zmq::message_t> frames;
  for (bool more = true; more;) {
    zmq::message_t frame;
    if (zmq_msg_recv(frame.handle(), socket.handle(), ZMQ_DONTWAIT) < 0) return std::nullopt;
    more = frame.more();
    if (bytes != nullptr) *bytes += frame.size() + kFrameCost;
    if (frames.size() < kFramesKept) frames.push_back(std::move(frame));
  }
  return frames;
}

Result<Message> DecodeFrames(std::vector<zmq::message_t>& frames, std::size_t first) {
  Payload payload;
  if (frames.size() > first + 1)
    payload = std::make_shared<const std::string>(frames[first + 1].to_string_view());
  return DecodeMessage(frames[first].to_string_view(), std::move(payload));
}

std::uint64_t CostOf(const WireMessage& wire) {
  return limits::kMessageCost + wire.header.size() + (wire.payload ? wire.payload->size() : 0);
}

int SendFrames(zmq::socket_t& socket, WireMessage wire,
               const std::shared_ptr<UnderWay>& under_way) {
  const bool more = wire.payload != nullptr;
  auto* first = new Held(under_way, limits::kMessageCost + wire.header.size());
  first->header = std::move(wire.header);
  zmq::message_t header(first->header.data(), first->header.size(), FreeHeld, first);
  if (const int error = SendFrame(socket, header, more); error != 0 || !more) return error;
  auto* second = new Held(under_way, wire.payload->size());
  second->payload = std::move(wire.payload);
  // ZeroMQ takes bytes that it may not write to as void*.
  zmq::message_t body(const_cast<char*>(second->payload->data()), second->payload->size(), FreeHeld,
                      second);
  return SendFrame(socket, body, false);
}

Error ZmqError(const std::string& operation, const std::string& object, int number) {
  const ErrorCode code = number == EADDRINUSE || number == EADDRNOTAVAIL || number == EACCES
                             ? ErrorCode::kIo
                         : number == EINVAL || number == ENODEV ? ErrorCode::kConfiguration
                                                                : ErrorCode::kInternal;
  return {code, operation + " " + Printable(object) + ": " + zmq_strerror(number),
          number == EADDRINUSE ? "another process listens there; choose another port" : ""};
}

}  // namespace net
}  // namespace dirsync
