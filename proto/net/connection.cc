#include "proto/net/connection.h"

#include "proto/base/limits.h"
#include "proto/net/zmq_context.h"

namespace dirsync {
namespace {

constexpr int kReconnectMs = 200;
constexpr int kReconnectMostMs = 5000;
constexpr int kFarewellMs = 500;
constexpr std::uint32_t kHandshakeMs = 10'000;

}  // namespace

struct Connection::State {
  ~State() { net::Unwatch(socket); }

  zmq::context_t context;
  zmq::socket_t socket;
  zmq::socket_t monitor;
};

Connection::Connection(std::unique_ptr<State> state) : state_(std::move(state)) {}
Connection::~Connection() = default;

Result<std::unique_ptr<Connection>> Connection::Open(const ConnectionSettings& settings) {
  try {
    auto state = std::make_unique<State>();
    state->socket = zmq::socket_t(state->context, zmq::socket_type::dealer);
    zmq::socket_t& socket = state->socket;
    net::SetCommon(socket, settings.message_bytes_max, kHandshakeMs);
    // Nothing waits for a connection that does not stand: the log is the buffer.
    socket.set(zmq::sockopt::immediate, true);
    socket.set(zmq::sockopt::sndhwm, static_cast<int>(limits::kMessagesUnderWay));
    if (settings.address.find('[') != std::string::npos) socket.set(zmq::sockopt::ipv6, true);
    socket.set(zmq::sockopt::reconnect_ivl, kReconnectMs);
    socket.set(zmq::sockopt::reconnect_ivl_max, kReconnectMostMs);
    socket.set(zmq::sockopt::curve_serverkey, std::string(settings.broker_key.view()));
    socket.set(zmq::sockopt::curve_publickey, std::string(settings.keys.public_key.view()));
    socket.set(zmq::sockopt::curve_secretkey, settings.keys.secret);
    state->monitor = net::Watch(state->context, socket, "connection", net::kAllEvents);
    socket.connect(settings.address);
    return std::unique_ptr<Connection>(new Connection(std::move(state)));
  } catch (const zmq::error_t& error) {
    return std::unexpected(net::ZmqError("connect to", settings.address, error.num()));
  }
}

int Connection::descriptor() const { return state_->socket.get(zmq::sockopt::fd); }
int Connection::monitor_descriptor() const { return state_->monitor.get(zmq::sockopt::fd); }

bool Connection::IsWaiting() const {
  return net::IsReadable(state_->socket) || net::IsReadable(state_->monitor);
}

std::optional<Result<Message>> Connection::Receive() {
  auto frames = net::ReceiveFrames(state_->socket);
  if (!frames) return std::nullopt;
  if (frames->size() > 2)
    return Result<Message>(Fail(ErrorCode::kBadRecord, "receive: more than two frames"));
  return net::DecodeFrames(*frames, 0);
}

Result<> Connection::Send(const Message& message) {
  if (net::SendFrames(state_->socket, EncodeMessage(message)) == 0) return {};
  return Fail(ErrorCode::kBusy, "send: not connected");
}

Result<> Connection::SendLast(const Message& message) {
  state_->socket.set(zmq::sockopt::linger, kFarewellMs);
  return Send(message);
}

std::optional<ConnectionState> Connection::TakeState(std::string& why) {
  while (auto event = net::TakeEvent(state_->monitor)) {
    why = net::RefusalOf(*event);
    if (event->event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) return ConnectionState::kConnected;
    if (event->event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) return ConnectionState::kRefused;
    if (event->event == ZMQ_EVENT_DISCONNECTED || !why.empty()) return ConnectionState::kConnecting;
  }
  return std::nullopt;
}

}  // namespace dirsync
