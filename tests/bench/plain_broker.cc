#include "tests/bench/plain_broker.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <zmq.hpp>

#include "broker/core/broker.h"
#include "proto/codec/roster_codec.h"
#include "proto/daemon/machine.h"
#include "proto/net/zmq_context.h"
#include "storage/rocksdb_storage.h"
#include "tests/bench/signed_batches.h"

namespace dirsync::bench {
namespace {

// As broker/loop/broker_loop.cc has them.
constexpr std::size_t kMessagesMost = 512;
constexpr std::size_t kCommitBytes = 4 * limits::kMiB;
constexpr std::uint64_t kPumpBytes = 8 * limits::kMiB;

template <class T>
T Must(Result<T> result) {
  if (result) {
    if constexpr (std::is_void_v<T>) {
      return;
    } else {
      return std::move(*result);
    }
  }
  std::fprintf(stderr, "%s\n", result.error().ToString().c_str());
  std::exit(1);
}

class PlainBroker {
 public:
  PlainBroker(const std::string& folder, int sites)
      : ids_(DigestOf(folder)), socket_(context_, zmq::socket_type::router) {
    storage_ = Must(storage::OpenRocksdb({.path = folder, .create = true}));
    const SigningKey organization = SigningKeyOf("organization");
    BrokerSettings settings;
    settings.organization = "Testorg";
    settings.organization_key = organization.public_key();
    broker_ = Must(Broker::Open(*storage_, settings, ids_));
    for (int i = 1; i <= sites; ++i) Enroll("Site" + std::to_string(i), organization);
    net::SetCommon(socket_, limits::kMessageBytes, 2000);
    socket_.set(zmq::sockopt::sndhwm, static_cast<int>(limits::kMessagesUnderWay));
    socket_.bind("tcp://127.0.0.1:*");
  }
  std::string address() { return socket_.get(zmq::sockopt::last_endpoint); }

  void Serve() {
    for (;;) {
      // Its readers take what they are sent.
      for (const SessionId session : broker_->Loaded()) broker_->SetUnderWay(session, 0);
      const bool taken = Take();
      std::vector<Outgoing> out;
      const bool more = Must(broker_->Pump(*storage_, MachineTime(), kPumpBytes, out));
      Send(out);
      if (taken || more || net::IsReadable(socket_)) continue;
      zmq::pollitem_t item{socket_.handle(), 0, ZMQ_POLLIN, 0};
      zmq::poll(&item, 1, std::chrono::milliseconds(1000));
    }
  }

 private:
  void Enroll(const std::string& site, const SigningKey& organization) {
    RosterEntry entry;
    entry.organization = "Testorg";
    entry.site = site;
    entry.server = "V";
    entry.signing_key = SigningKeyOf(site).public_key();
    entry.transport_key = TransportKeysOf(site).public_key;
    entry.serial = 1;
    keys_[site] = entry.transport_key;
    storage::Transaction transaction(*storage_);
    std::vector<Outgoing> out;
    Must(
        broker_->TakeRoster(transaction, SignRosterEntry(entry, organization), MachineTime(), out));
    Must(storage_->Commit(transaction.Take()));
  }

  // Everything that waits, in one commit and one sync; then the answers.
  bool Take() {
    storage::Transaction transaction(*storage_);
    std::vector<Outgoing> out;
    std::size_t bytes = 0;
    std::size_t count = 0;
    for (; count < kMessagesMost && bytes < kCommitBytes; ++count) {
      auto frames = net::ReceiveFrames(socket_);
      if (!frames) break;
      const std::string site = frames->front().to_string();
      const SessionId session = 1 + std::strtoull(site.c_str() + 4, nullptr, 10);
      sites_[session] = site;
      const Incoming incoming{session, keys_.at(site), Must(net::DecodeFrames(*frames, 1))};
      if (const auto* publish = std::get_if<Publish>(&incoming.message); publish != nullptr)
        bytes += publish->payload->size();
      Must(broker_->Handle(transaction, incoming, MachineTime(), out));
    }
    if (transaction.rows() > 0) {
      Must(storage_->Commit(transaction.Take()));
      Must(storage_->Sync());
    }
    Send(out);
    return count > 0;
  }

  void Send(const std::vector<Outgoing>& out) {
    for (const Outgoing& outgoing : out) {
      const std::string& site = sites_.at(outgoing.session);
      zmq::message_t route(site.data(), site.size());
      if (zmq_msg_send(route.handle(), socket_.handle(), ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0 ||
          net::SendFrames(socket_, EncodeMessage(outgoing.message)) != 0) {
        std::fprintf(stderr, "send to %s: %s\n", site.c_str(), zmq_strerror(zmq_errno()));
        std::exit(1);
      }
    }
  }

  IdSource ids_;
  std::unique_ptr<storage::Storage> storage_;
  std::unique_ptr<Broker> broker_;
  std::map<std::string, TransportKey> keys_;
  std::map<SessionId, std::string> sites_;
  zmq::context_t context_;
  zmq::socket_t socket_;
};

}  // namespace

int RunPlainBroker(const std::string& folder, int sites, const std::string& ready) {
  PlainBroker broker(folder, sites);
  std::ofstream(ready + ".part") << broker.address();
  std::filesystem::rename(ready + ".part", ready);
  broker.Serve();
  return 0;
}

}  // namespace dirsync::bench
