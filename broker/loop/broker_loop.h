// The broker's process: sockets, commits, clock. Decides nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "broker/core/broker_settings.h"
#include "broker/loop/broker_admin.h"
#include "broker/page/page_server.h"
#include "proto/daemon/command_call.h"
#include "proto/daemon/log.h"
#include "storage/disk_space.h"

namespace dirsync {

// What may change while it runs.
struct BrokerLimits {
  BrokerSettings settings;
  storage::SoftMark disk;
  LogLevel log_level = LogLevel::kInfo;
};

struct BrokerProcess {
  std::string store;                            // folder; made when it is empty
  std::string listen = "tcp://127.0.0.1:7600";  // port 0: a free one
  std::string door = "tcp://127.0.0.1:7601";
  // What invitations name instead of the addresses above: where agents really reach them.
  std::string public_address;
  std::string public_door;
  std::optional<PageSettings> page;
  BrokerLimits limits;
  Log* log = nullptr;  // outlives it
  // Runs a client's command on the broker and finishes the call.
  std::function<void(BrokerAdmin& admin, CommandCall& call, const std::function<bool()>& stop)>
      answer;
  // Told once all is bound: what scripts wait for.
  std::function<void(const std::string& address, const std::string& door, std::uint16_t page)>
      ready;
  // SIGHUP: new limits, or why the old ones stay.
  std::function<Result<BrokerLimits>()> reload;
};

// Serves until SIGTERM or SIGINT, then says BYE to every session and closes the store. Nothing is
// answered before it is durable (B6, R19). After a write that found the disk full the store is
// closed and opened again, as after a crash (R30). Errors: of BrokerStore, Listener, PageServer;
// and of any other failed commit or sync, after which what is on disk is not known: the process
// must end.
Result<> RunBroker(const BrokerProcess& process);

}  // namespace dirsync
