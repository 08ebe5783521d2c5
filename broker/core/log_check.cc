#include "broker/core/log_check.h"

#include "proto/base/crypto.h"
#include "proto/codec/batch_codec.h"
#include "proto/trust/roster.h"

namespace dirsync {
namespace {

class Checker {
 public:
  Checker(const LogState& state, const std::optional<PublicKey>& key, const Position& from)
      : state_(state), key_(key), before_(from) {}
  void Take(const LogBatch& batch) {
    ++check_.batches;
    check_.bytes += batch.payload->size();
    if (DigestOf(*batch.payload) != batch.position.digest)
      Fault(batch.position, "its bytes have another digest");
    if (const auto header = PeekBatch(*batch.payload)) {
      CheckHeader(batch.position, *header);
    } else {
      Fault(batch.position, header.error().message);
    }
    CheckSignature(batch);
    before_ = batch.position;
  }
  // The last batch looked at must be the tail.
  void Finish() {
    if (state_.tail.sequence > 0 && before_ != state_.tail)
      Fault(before_,
            "the log ends here, and not at sequence " + std::to_string(state_.tail.sequence));
  }
  void Fault(const Position& at, const std::string& what) {
    if (check_.faults.size() == LogCheck::kFaultsMost) return;
    check_.faults.push_back("sequence " + std::to_string(at.sequence) + " of epoch " +
                            std::to_string(at.epoch.counter) + ": " + what);
  }
  const Position& before() const { return before_; }
  LogCheck Result() { return std::move(check_); }

 private:
  void CheckHeader(const Position& at, const BatchHeader& header) {
    if (header.epoch != at.epoch || header.sequence != at.sequence)
      Fault(at, "it says that it is sequence " + std::to_string(header.sequence) + " of epoch " +
                    std::to_string(header.epoch.counter));
    if (header.stream_digest != DigestOf(state_.stream.ToString()))
      Fault(at, "it is of another stream");
    // Sequence 1 begins an epoch: it has no predecessor there (R17).
    if (at.epoch == before_.epoch && at.sequence != before_.sequence + 1)
      Fault(at, "it follows sequence " + std::to_string(before_.sequence));
    if (at.epoch == before_.epoch && header.previous != before_.digest)
      Fault(at, "it names another predecessor");
    if (at.epoch != before_.epoch && at.sequence != 1 && before_.sequence > 0)
      Fault(at, "its epoch does not begin at sequence 1");
  }
  void CheckSignature(const LogBatch& batch) {
    if (!key_) return;
    const auto decoded = DecodeBatch(*batch.payload, *key_);
    if (decoded) return;
    if (decoded.error().code == ErrorCode::kKeyChanged) {
      ++check_.other_key;
    } else {
      Fault(batch.position, decoded.error().message);
    }
  }

  const LogState& state_;
  const std::optional<PublicKey>& key_;
  Position before_;
  LogCheck check_;
};

}  // namespace

Result<LogCheck> CheckLog(const storage::ReadView& view, const LogState& state,
                          const Position& from, const std::function<bool()>& stop) {
  std::optional<PublicKey> key;
  DIRSYNC_TRY(site, FindSite(view, state.stream.site));
  if (site) key = site->signing_key;
  Checker checker(state, key, from);
  while (checker.before() != state.tail) {
    if (stop && stop()) return Fail(ErrorCode::kInterrupted, "log verify: interrupted");
    const auto read = StreamLog::Read(view, state, checker.before(), limits::kStepBytes);
    if (!read && read.error().code == ErrorCode::kIo) return std::unexpected(read.error());
    if (!read) checker.Fault(checker.before(), read.error().message);
    if (!read || read->empty()) break;
    for (const LogBatch& batch : *read) checker.Take(batch);
  }
  checker.Finish();
  return checker.Result();
}

Result<Position> LastBatches(const storage::ReadView& view, const LogState& state,
                             std::uint64_t batches) {
  if (state.tail.sequence <= batches || state.batches() <= batches) return state.base;
  Position before{state.tail.epoch, state.tail.sequence - batches - 1, {}};
  DIRSYNC_TRY(mark, StreamLog::After(view, state, before));
  return mark ? mark->position : state.base;
}

}  // namespace dirsync
