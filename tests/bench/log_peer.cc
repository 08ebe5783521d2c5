#include "tests/bench/log_peer.h"

#include <cstdio>
#include <cstdlib>

#include "proto/base/limits.h"
#include "proto/net/zmq_context.h"
#include "tests/bench/signed_batches.h"

namespace dirsync::bench {
namespace {

[[noreturn]] void Die(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  std::exit(1);
}

}  // namespace

LogPeer::LogPeer(const BrokerDoor& door, const std::string& site)
    : socket_(context_, zmq::socket_type::dealer) {
  net::SetCommon(socket_, limits::kMessageBytes, 10'000);
  socket_.set(zmq::sockopt::sndhwm, static_cast<int>(limits::kMessagesUnderWay));
  socket_.set(zmq::sockopt::rcvtimeo, 20'000);
  socket_.set(zmq::sockopt::routing_id, site);
  if (door.key) {
    const TransportKeyPair keys = TransportKeysOf(site);
    socket_.set(zmq::sockopt::curve_serverkey, std::string(door.key->view()));
    socket_.set(zmq::sockopt::curve_publickey, std::string(keys.public_key.view()));
    socket_.set(zmq::sockopt::curve_secretkey, keys.secret);
  }
  socket_.connect(door.address);
  Hello hello;
  hello.organization = "Testorg";
  hello.site = site;
  hello.program = "benchmark";
  Say(hello);
  Await<Welcome>();
}

void LogPeer::Say(const Message& message) {
  if (net::SendFrames(socket_, EncodeMessage(message)) != 0) Die("the broker takes nothing");
}

Message LogPeer::Hear() {
  auto frames = net::ReceiveFrames(socket_);
  while (!frames) {
    zmq::pollitem_t item{socket_.handle(), 0, ZMQ_POLLIN, 0};
    if (zmq::poll(&item, 1, std::chrono::milliseconds(20'000)) == 0) Die("the broker is silent");
    frames = net::ReceiveFrames(socket_);
  }
  auto message = net::DecodeFrames(*frames, 0);
  if (!message) Die(message.error().ToString());
  if (const auto* bye = std::get_if<Bye>(&*message)) Die("the broker says: " + bye->text);
  return std::move(*message);
}

void LogPeer::PublishAll(const std::vector<dirsync::Publish>& batches, std::size_t window) {
  std::size_t unanswered = 0;
  for (std::size_t next = 0; next < batches.size() || unanswered > 0;) {
    if (next < batches.size() && unanswered < window) {
      Say(batches[next++]);
      ++unanswered;
      continue;
    }
    if (Await<Published>().outcome != PublishOutcome::kStored) Die("a batch was not stored");
    --unanswered;
  }
}

void LogPeer::Subscribe(const StreamName& stream, const Position& from) {
  Say(Credit{limits::kCreditBytes});
  Say(dirsync::Subscribe{stream, from, {}});
  if (Await<Subscribed>().outcome != SubscribeOutcome::kGoesOn) Die("not subscribed");
}

void LogPeer::ReadUpTo(const StreamName& stream, Sequence last) {
  for (Sequence at = 0; at < last;) {
    const Deliver deliver = Await<Deliver>();
    at = deliver.position.sequence;
    Say(Credit{deliver.payload->size()});
    Say(Ack{stream, "", deliver.position, {}, false});
  }
}

}  // namespace dirsync::bench
