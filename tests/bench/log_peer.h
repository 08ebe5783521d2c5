// A connection to a broker that publishes or reads 64 KiB batches as fast as it can, in the clear
// or with CURVE. Blocks: a thread for each.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <zmq.hpp>

#include "proto/model/message.h"

namespace dirsync::bench {

// Where a broker listens; no key: in the clear.
struct BrokerDoor {
  std::string address;
  std::optional<TransportKey> key;
};

class LogPeer {
 public:
  // Greets. Ends the program when it is not answered.
  LogPeer(const BrokerDoor& door, const std::string& site);

  void Say(const Message& message);
  // The next message.
  Message Hear();
  // The next one of its kind; others are dropped.
  template <class M>
  M Await() {
    for (;;) {
      Message message = Hear();
      if (auto* wanted = std::get_if<M>(&message)) return std::move(*wanted);
    }
  }

  // Publishes all, no more than `window` of them unanswered.
  void PublishAll(const std::vector<dirsync::Publish>& batches, std::size_t window);
  // Reads and acks what follows `from`, up to `last`.
  void Subscribe(const StreamName& stream, const Position& from);
  void ReadUpTo(const StreamName& stream, Sequence last);

 private:
  zmq::context_t context_;
  zmq::socket_t socket_;
};

}  // namespace dirsync::bench
