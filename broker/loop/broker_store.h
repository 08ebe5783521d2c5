// A broker's store, opened: its rows, its keys, the organisation it serves.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "proto/base/crypto.h"
#include "proto/base/error.h"
#include "proto/net/transport_key_pair.h"
#include "storage/storage.h"

namespace dirsync {

// Folder layout: STORE/db (RocksDB), STORE/keys/transport.key, STORE/keys/organization.key (both
// mode 0600; the latter may be kept elsewhere). Not thread-safe.
class BrokerStore {
 public:
  // Makes folder, keys and the organisation's row. `organization` empty: that of the first site.
  // Errors: kExists, kInvalid (name), kIo, kDiskFull.
  static Result<std::unique_ptr<BrokerStore>> Create(const std::string& path,
                                                     const std::string& organization);
  // Errors: kNotFound (hint: organization init), kWrongKind (a site's store), kLocked,
  // kNewerFormat, kCorrupt, kIo, kConfiguration (key file missing or readable by others).
  static Result<std::unique_ptr<BrokerStore>> Open(const std::string& path);
  // Whether a broker's store is, or was begun, in this folder.
  static bool IsThere(const std::string& path);

  storage::Storage& storage() { return *storage_; }
  const std::string& path() const { return path_; }
  const TransportKeyPair& transport_keys() const { return keys_; }
  const std::string& organization() const { return organization_; }
  const PublicKey& organization_key() const { return organization_key_; }
  // The secret one; nullopt: it is kept elsewhere.
  const std::optional<SigningKey>& signing_key() const { return signing_key_; }

 private:
  BrokerStore() = default;
  std::string path_;
  std::unique_ptr<storage::Storage> storage_;
  TransportKeyPair keys_;
  std::string organization_;
  PublicKey organization_key_;
  std::optional<SigningKey> signing_key_;
};

// The organisation's key from a file of its own. Errors: of ReadKeyFile; kKeyChanged when it is not
// that of `expected`.
Result<SigningKey> ReadOrganizationKey(const std::string& path, const PublicKey& expected);

}  // namespace dirsync
