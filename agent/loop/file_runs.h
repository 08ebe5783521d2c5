// The instances of a site, run by files in folders: what arrives in IN is imported, what has
// changed is exported to OUT. (One site's OUT, carried, is another's IN.)
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "agent/core/instance.h"
#include "agent/core/reader_state.h"
#include "agent/core/site_policy.h"
#include "agent/file/sync_file.h"
#include "agent/link/link.h"
#include "agent/loop/exchange_folder.h"
#include "agent/service/store.h"

namespace dirsync {

// Not thread-safe.
class FileRuns {
 public:
  using Clock = ExchangeFolder::Clock;
  // `in` and `out` may be empty: nothing is imported, exported. `tell` hears of everything that was
  // done or refused. Errors: ExchangeFolder::Open's.
  static Result<std::unique_ptr<FileRuns>> Open(Store& store, const std::string& in,
                                                const std::string& out,
                                                std::function<void(LinkEvent)> tell);

  // Readable: call Import. -1: nothing is watched.
  int descriptor() const { return in_ ? in_->descriptor() : -1; }
  // Takes what has arrived and tries every file that may fit now: one that came too early waits
  // until the position of its stream moves (R14); one that is refused goes to bad/, once nobody
  // writes it any more. What fails is told, and left for the next call.
  void Import(Clock::time_point now);
  // Runs each export that goes by file and is not paused; with `by_broker`, those that go both ways
  // are the broker's now. Instances without a file of their own write OUT/SITE.INSTANCE. Whether
  // all went; what did not is worth another call.
  bool Export(bool by_broker);

 private:
  // What became of a file.
  enum class Fate : std::uint8_t { kApplied, kKnown, kWaits, kRefused };
  struct Outcome {
    Fate fate = Fate::kWaits;
    std::optional<Error> error;
  };
  // A waiting file, looked into.
  struct Candidate {
    ExchangeFolder::Waiting file;
    bool ours = false;
    FileHeader header;
  };
  // Where its stream stood; for one over a limit also what that was, and when it is tried again.
  struct Early {
    Position cursor;
    SiteLimits limits;
    Instant again{};
    bool suspect = false;  // it waits for a person
  };
  FileRuns(Store& store, std::string out, std::function<void(LinkEvent)> tell)
      : store_(store), out_(std::move(out)), tell_(std::move(tell)) {}

  Result<bool> ImportOnce(Clock::time_point now);
  Result<std::optional<Candidate>> Look(const ExchangeFolder::Waiting& file);
  Result<InstanceSettings> InstanceFor(const Candidate& candidate);
  Outcome Try(const Candidate& candidate);
  Result<bool> MayFitNow(const Candidate& candidate, const std::optional<ReaderState>& reader);
  void Remember(const Candidate& candidate, const std::optional<ReaderState>& reader,
                const Outcome& outcome);
  Outcome Run(const InstanceSettings& instance, const Candidate& candidate);
  Result<bool> Settle(const Candidate& candidate, const Outcome& outcome);
  bool ExportOne(InstanceSettings instance);
  void Tell(std::string kind, const std::string& instance, std::string text, ErrorCode code);

  Store& store_;
  std::string out_;
  std::function<void(LinkEvent)> tell_;
  std::unique_ptr<ExchangeFolder> in_;
  // How things stood when a file did not fit, by path: nothing changes until they are others.
  std::map<std::string, Early> early_;
  std::map<std::string, std::string> told_;  // last error told, by instance or path
};

}  // namespace dirsync
