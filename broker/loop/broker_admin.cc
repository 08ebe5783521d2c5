#include "broker/loop/broker_admin.h"

#include "broker/core/broker.h"
#include "proto/base/text.h"
#include "proto/daemon/machine.h"

namespace dirsync {
namespace {

class StoredBroker : public BrokerAdmin {
 public:
  explicit StoredBroker(std::unique_ptr<BrokerStore> store)
      : store_(std::move(store)), ids_(DigestOf(MachineRandom(32))) {}

  BrokerStore& store() override { return *store_; }

  BrokerStats Stats() override {
    auto broker = Open();
    return broker ? (*broker)->Stats(store_->storage(), MachineTime()) : BrokerStats{};
  }

  Result<Invitation> Invite() override {
    return Fail(ErrorCode::kUnreachable, "invite: the broker does not run, so nobody could come",
                "dirsync broker run --store " + Printable(store_->path()));
  }

  Result<> Take(const SignedRosterEntry& entry) override {
    return Write([&](Broker& broker, storage::Transaction& transaction) {
      std::vector<Outgoing> nobody;
      return broker.TakeRoster(transaction, entry, MachineTime(), nobody);
    });
  }

  Result<> CheckTake(const SignedRosterEntry& entry) override {
    DIRSYNC_TRY(broker, Open());
    return broker->CheckRoster(store_->storage(), entry);
  }

  Result<> Refuse(const std::string& site) override {
    return Write([&](Broker& broker, storage::Transaction& transaction) {
      return broker.RefuseJoin(transaction, site, MachineTime());
    });
  }

 private:
  Result<std::unique_ptr<Broker>> Open() {
    BrokerSettings settings;
    settings.organization = store_->organization();
    settings.organization_key = store_->organization_key();
    return Broker::Open(store_->storage(), settings, ids_);
  }

  template <class F>
  Result<> Write(F&& change) {
    DIRSYNC_TRY(broker, Open());
    storage::Transaction transaction(store_->storage());
    DIRSYNC_CHECK(change(*broker, transaction));
    DIRSYNC_CHECK(store_->storage().Commit(transaction.Take()));
    return store_->storage().Sync();
  }

  std::unique_ptr<BrokerStore> store_;
  IdSource ids_;
};

}  // namespace

std::unique_ptr<BrokerAdmin> AdminOver(std::unique_ptr<BrokerStore> store) {
  return std::make_unique<StoredBroker>(std::move(store));
}

}  // namespace dirsync
