// The simulated wire: a broker machine, a link per site, and sessions between them whose messages
// are under way until a schedule delivers them, late, or never. One thread, from one seed.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/link/link.h"
#include "broker/core/broker.h"
#include "tests/sim/deployment.h"

namespace dirsync::sim {

// One connection. Messages of a dropped one may still reach the broker for a while, as those in a
// socket's queue do; nothing more comes back to the site.
struct Session {
  SessionId id = 0;
  std::size_t site = 0;
  bool open = true;  // the site's end still listens
  std::deque<Message> up;
  std::deque<Message> down;
};

class Network {
 public:
  explicit Network(Deployment& deployment);

  // Steps of a schedule. Those of a site may die as Deployment's steps do.
  void Connect(std::size_t site);
  void Drop(std::size_t site);                   // what is under way to the site is lost
  void Partition(std::size_t site, bool apart);  // apart: cannot connect
  void PumpSite(std::size_t site);               // local changes are captured and published
  void TickSite(std::size_t site);
  void Up(std::size_t most);  // the broker takes up to so many waiting messages
  void Down(std::size_t site, std::size_t most);
  void TickBroker();
  void Resync(std::size_t site);  // takes one of its imports whole

  // The broker's machine.
  void CrashBroker();  // unsynced commits may be lost; all sessions end
  void BackupBroker();
  void RestoreBroker();  // to the backup: the log went back
  void LoseBroker();     // an empty store, with the roster only
  // The organisation signs a site's entry anew, with a serial that it never used before.
  void ChangeRoster(std::size_t site);
  // Everybody's roster is the broker's, once all is settled.
  void CheckRosters();
  // A copy of the site's store that somebody starts on a second machine, for a few messages.
  // `told` sees the copy's rows before it is stopped.
  void Clone(std::size_t site, const std::function<void(const storage::ReadView&)>& told);

  // The store was opened again (after a death, a restore): its link begins anew.
  void Relink(std::size_t site);

  // Everything connected, delivered, captured and applied, held deletes approved, until nothing
  // moves any more; false when that takes more than `rounds`.
  bool Settle(std::size_t rounds);

  // Where everybody stands, into the trace.
  void Explain();

  struct Counts {
    std::uint64_t messages = 0, drops = 0, broker_crashes = 0, broker_restores = 0, clones = 0;
    std::uint64_t stored = 0, duplicates = 0, refused = 0, ranges = 0;
  };
  const Counts& counts() const { return counts_; }
  // I2: what was answered STORED and is not in the log any more although the broker's store was
  // not put back.
  std::vector<std::string> TakeProblems();

 private:
  struct Stored {
    StreamName stream;
    Position position;
  };
  void OpenBroker();
  void JoinAll();
  bool Commit(storage::Transaction& transaction, bool sync = true);
  void Send(std::vector<Outgoing> out);
  void Push(std::size_t site, Result<std::vector<Message>> messages);
  void PumpBroker();
  void CheckStored();
  Session* SessionOf(std::size_t site);
  template <class F>
  void SiteStep(std::size_t site, const char* what, F&& step);

  Deployment& deployment_;
  std::shared_ptr<storage::MemoryStorage> storage_;
  storage::MemoryStorage::Map backup_;
  std::optional<IdSource> ids_;
  std::unique_ptr<Broker> broker_;
  BrokerSettings settings_;
  std::optional<SigningKey> organization_;
  std::vector<SignedRosterEntry> roster_;
  Instant now_ = FromMillis(1'800'000'000'000);
  SessionId next_session_ = 1;
  std::vector<std::unique_ptr<Session>> sessions_;
  std::vector<std::unique_ptr<Link>> links_;
  std::vector<bool> apart_;
  std::vector<Stored> stored_;  // answered since the broker's store was last put back
  std::vector<std::string> problems_;
  Counts counts_;
  bool calm_ = false;  // faults stopped
};

}  // namespace dirsync::sim
