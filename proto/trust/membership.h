// What a site's store remembers of the organisation it joined: the pins behind all trust (R6).
#pragma once

#include <optional>
#include <string>

#include "proto/base/error.h"
#include "proto/base/ids.h"
#include "storage/transaction.h"

namespace dirsync {

struct Membership {
  std::string organization;
  PublicKey organization_key;  // signs the roster; never changed but by a new join
  std::string broker_address;  // "tcp://broker.example:7600"
  TransportKey broker_key;
  auto operator<=>(const Membership&) const = default;
};

// nullopt: this site has not joined. Errors: kCorrupt, kIo.
Result<std::optional<Membership>> LoadMembership(const storage::ReadView& view);
void StoreMembership(storage::Transaction& transaction, const Membership& membership);

}  // namespace dirsync
