#include "broker/loop/broker_store.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "proto/base/bytes.h"
#include "proto/base/text.h"
#include "proto/daemon/key_file.h"
#include "proto/daemon/machine.h"
#include "proto/model/dn.h"
#include "storage/key.h"
#include "storage/rocksdb_storage.h"
#include "storage/transaction.h"

namespace dirsync {
namespace {

constexpr std::uint8_t kFormat = 1;

std::string BrokerKey() { return storage::MetaKey("broker"); }
std::string TransportPath(const std::string& path) { return path + "/keys/transport.key"; }
std::string OrganizationPath(const std::string& path) { return path + "/keys/organization.key"; }

Result<> MakeFolder(const std::string& path, unsigned mode) {
  if (mkdir(path.c_str(), mode) == 0 || errno == EEXIST) return {};
  return Fail(errno == ENOSPC ? ErrorCode::kDiskFull : ErrorCode::kIo,
              "make folder " + Printable(path) + ": " + std::strerror(errno));
}

bool Exists(const std::string& path) {
  struct stat info{};
  return stat(path.c_str(), &info) == 0;
}

}  // namespace

bool BrokerStore::IsThere(const std::string& path) {
  // A site's store that has joined has a transport key too, but a site's key besides.
  return Exists(path + "/db") && Exists(TransportPath(path)) && !Exists(path + "/keys/site.key");
}

Result<std::unique_ptr<BrokerStore>> BrokerStore::Create(const std::string& path,
                                                         const std::string& organization) {
  if (!organization.empty()) DIRSYNC_CHECK(CheckName("organisation", organization));
  if (Exists(path + "/db"))
    return Fail(ErrorCode::kExists, "make broker store " + Printable(path) + ": a store is there",
                "choose another folder, or use the one that is there");
  DIRSYNC_CHECK(MakeFolder(path, 0750));
  DIRSYNC_CHECK(MakeFolder(path + "/keys", 0700));
  // What an earlier attempt left is used: a key is never thrown away.
  if (!HasKeyFile(TransportPath(path)))
    DIRSYNC_CHECK(WriteKeyFile(TransportPath(path), MachineRandom(32)));
  if (!HasKeyFile(OrganizationPath(path)))
    DIRSYNC_CHECK(WriteKeyFile(OrganizationPath(path), MachineRandom(32)));
  DIRSYNC_TRY(seed, ReadKeyFile(OrganizationPath(path), "the organisation's key"));
  const auto key = SigningKey::FromSeed(seed);
  {
    DIRSYNC_TRY(storage, storage::OpenRocksdb({.path = path + "/db", .create = true}));
    std::string row;
    RowWriter writer(row);
    writer.U8(kFormat);
    writer.Bytes(organization);
    writer.Id(key->public_key());
    storage::WriteBatch batch;
    batch.Put(BrokerKey(), std::move(row));
    DIRSYNC_CHECK(storage->Commit(batch));
    DIRSYNC_CHECK(storage->Sync());
  }
  return Open(path);
}

Result<std::unique_ptr<BrokerStore>> BrokerStore::Open(const std::string& path) {
  if (!Exists(path + "/db"))
    return Fail(ErrorCode::kNotFound, "open broker store " + Printable(path) + ": there is none",
                "dirsync organization init NAME --store " + Printable(path));
  if (Exists(path + "/keys/site.key"))
    return Fail(ErrorCode::kWrongKind,
                "open broker store " + Printable(path) + ": it is the store of a site",
                "name the broker's store with --store");
  std::unique_ptr<BrokerStore> store(new BrokerStore());
  store->path_ = path;
  DIRSYNC_TRY(secret, ReadKeyFile(TransportPath(path), "the broker's key"));
  DIRSYNC_TRY(keys, TransportKeysFrom(secret));
  store->keys_ = keys;
  DIRSYNC_TRY(storage, storage::OpenRocksdb({.path = path + "/db"}));
  store->storage_ = std::move(storage);
  DIRSYNC_TRY(row, store->storage_->Get(BrokerKey()));
  if (!row)
    return Fail(ErrorCode::kWrongKind,
                "open broker store " + Printable(path) + ": it holds no broker");
  RowReader reader(*row);
  const std::uint8_t format = reader.U8();
  store->organization_ = std::string(reader.Bytes());
  store->organization_key_ = reader.Id<PublicKey>();
  if (format != kFormat || !reader.ok() || !reader.at_end())
    return Fail(ErrorCode::kCorrupt, "open broker store " + Printable(path) + ": broken row");
  if (HasKeyFile(OrganizationPath(path))) {
    DIRSYNC_TRY(key, ReadOrganizationKey(OrganizationPath(path), store->organization_key_));
    store->signing_key_ = std::move(key);
  }
  return store;
}

Result<SigningKey> ReadOrganizationKey(const std::string& path, const PublicKey& expected) {
  DIRSYNC_TRY(seed, ReadKeyFile(path, "the organisation's key"));
  auto key = SigningKey::FromSeed(seed);
  if (!key) return Fail(ErrorCode::kCorrupt, "read the organisation's key: not 32 bytes");
  if (key->public_key() != expected)
    return Fail(ErrorCode::kKeyChanged, "read the organisation's key " + Printable(path) +
                                            ": its fingerprint is " +
                                            Fingerprint(key->public_key()) + ", that of the " +
                                            "organisation is " + Fingerprint(expected));
  return std::move(*key);
}

}  // namespace dirsync
