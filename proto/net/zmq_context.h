// The inside of a ListenerContext, and what the sockets have in common. Internal to proto/net.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>
#include <zmq.hpp>

#include "proto/codec/message_codec.h"
#include "proto/net/listener_context.h"
#include "proto/net/transport_key_pair.h"

namespace dirsync {

struct ListenerContext::State {
  zmq::context_t context;
  std::mutex mutex;  // of `allow`
  std::map<std::string, std::function<bool(const TransportKey&)>> allow;
  std::thread handler;
};

namespace net {

// What a monitor tells of a socket.
struct SocketEvent {
  std::uint16_t event = 0;
  std::uint32_t value = 0;
};
inline constexpr int kRefusals = ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                                 ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                                 ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL;
inline constexpr int kAllEvents =
    kRefusals | ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED;
// Begins to watch `socket`; the returned one receives its `events`.
zmq::socket_t Watch(zmq::context_t& context, zmq::socket_t& socket, const std::string& name,
                    int events);
// Ends it. Before the socket that Watch returned is closed: ZeroMQ's own thread, which serves all
// connections, would wait for ever for somebody to take the next event.
void Unwatch(zmq::socket_t& socket);
// The next event; nullopt: none now.
std::optional<SocketEvent> TakeEvent(zmq::socket_t& monitor);
// For logs and counters: "auth", "protocol", "no-detail"; empty: no refused handshake.
std::string RefusalOf(const SocketEvent& event);

// Settings that both ends share; sizes and times as in their settings. ZeroMQ's heartbeats stay off
// (DECISIONS.md, 60): who is silent is found by pings, whose machine is gone by TCP.
void SetCommon(zmq::socket_t& socket, std::size_t message_bytes_max, std::uint32_t handshake_ms);

// Whether something can be received.
bool IsReadable(zmq::socket_t& socket);
// All frames of a message that is waiting, but no more than a few: one too many shows that it is
// not ours. `bytes` takes those of all of them, and something for each. nullopt: none.
std::optional<std::vector<zmq::message_t>> ReceiveFrames(zmq::socket_t& socket,
                                                         std::size_t* bytes = nullptr);
// Header frame and payload frame. REQUIRES 1 or 2 frames from `first` on.
Result<Message> DecodeFrames(std::vector<zmq::message_t>& frames, std::size_t first);
// Bytes that ZeroMQ holds for a peer: of one connection, and of all connections of its key. Taken
// off again by ZeroMQ's thread.
struct UnderWay {
  std::atomic<std::uint64_t> bytes{0};
  std::shared_ptr<UnderWay> of_key;  // null: this is it

  // Of this and, if there is one, of its key. Thread-safe.
  void Add(std::uint64_t more) {
    bytes.fetch_add(more, std::memory_order_relaxed);
    if (of_key) of_key->Add(more);
  }
  // What Add() was given, once ZeroMQ holds it no more.
  void Subtract(std::uint64_t less) {
    bytes.fetch_sub(less, std::memory_order_relaxed);
    if (of_key) of_key->Subtract(less);
  }
};
// What a message counts there.
std::uint64_t CostOf(const WireMessage& wire);

// Frames of a message; neither is copied, and both live until ZeroMQ has sent them, counted in
// `under_way` if there is one. Returns 0 or ZeroMQ's error number.
int SendFrames(zmq::socket_t& socket, WireMessage wire,
               const std::shared_ptr<UnderWay>& under_way = nullptr);

// By ZeroMQ's error number: kIo (address), kConfiguration (not an address), kInternal.
Error ZmqError(const std::string& operation, const std::string& object, int number);

}  // namespace net
}  // namespace dirsync
