// A member of the organisation that says whatever it likes, and batches made by hand.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "proto/codec/batch_header.h"
#include "tests/e2e/broker_world.h"
#include "tests/e2e/sites_faults.h"

namespace dirsync::e2e {

// Running sites, and Evil: known to the organisation by `sites add`, and by no agent of its own.
class AbuseFaults : public SitesFaults {
 public:
  static constexpr const char* kEvil = "Evil";

  static StreamName StreamOf(const std::string& instance) { return {"Testorg", kEvil, instance}; }

  // A batch of `stream` at 1/`sequence`, whose payload is `body` as it is: validly signed by `key`,
  // as the header says that `signer` did. `claim`: of the size decompressed; 0: not compressed.
  struct Place {
    Sequence sequence = 2;
    Digest previous;
    BatchKind kind = BatchKind::kChanges;
  };
  static std::string ByHand(const StreamName& stream, const Place& place, std::string_view body,
                            std::uint32_t claim = 0, const SigningKey& key = TestKey(kEvil),
                            const PublicKey& signer = TestKey(kEvil).public_key());
  // A head that fits the stream; changes may follow.
  static std::string HeadOf(const StreamName& stream);
  static std::string Delimited(int field, std::string_view bytes);

 protected:
  // One real site beside it, or more.
  void BeginWithEvil(int sites = 1);
  SiteClient Connect(const std::string& site);
  // Begins a stream of Evil's that Site1 then reads: the full copy that it asks for holds nobody.
  // Or, if `range` is given, that. The stream stands at 1.
  SignedStream Begin(SiteClient& evil, const std::string& instance,
                     const std::function<std::string(const Place&)>& range = {});
  using SitesFaults::Begin;
  // Tells `stored` as the batch at `place`.
  static PublishOutcome Tell(SiteClient& client, const StreamName& stream, const Place& place,
                             std::string stored, const Digest* digest = nullptr);
  // Site1's export stands in the broker's log.
  void UntilTold();
  // The sequence that Site1 has applied of Evil's stream; 0: nothing.
  std::uint64_t AppliedOf(const std::string& instance);
  // A counter of refusals, as `broker stats` shows it.
  std::uint64_t Refusals(const std::string& reason);

  TransportKey broker_key_;
};

}  // namespace dirsync::e2e
