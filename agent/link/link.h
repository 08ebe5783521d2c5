// The agent's end of a session with the broker: what is said, and what each answer changes here.
// Works on the site's Store and on nothing else: no socket, no thread, no clock of its own, so that
// the simulator runs it from a seed. Whatever depends on a commit is returned only after it.
//
//   loop: connected -> Connected(); message -> Handle(); local change, timer -> Pump(), Tick()
//         each returns messages to send, in order; connection lost -> Lost()
//
// Not thread-safe: same thread as every other user of the Store.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/service/store.h"
#include "proto/base/limits.h"
#include "proto/model/message.h"

namespace dirsync {

struct LinkSettings {
  std::string program;                         // shown in HELLO
  std::vector<std::string> subscribe = {"*"};  // "SITE", "SITE/INSTANCE" or "*": read these
  std::uint64_t credit_bytes = limits::kCreditBytes;
  Duration report_every = std::chrono::seconds(5);
  Duration canary_every = std::chrono::seconds(limits::kCanarySeconds);
};

enum class LinkPhase : std::uint8_t { kOffline = 1, kGreeting = 2, kOpen = 3, kRefused = 4 };

// Something that people, logs or `on_event` should hear of.
struct LinkEvent {
  std::string kind;  // "imported", "held", "quarantined", "needs-ranges", "full-copy", "restored" …
  std::string instance;
  std::string text;
  ErrorCode code = ErrorCode::kAlreadyApplied;  // kAlreadyApplied: no problem
};

// Not thread-safe, not copied; the Store outlives it.
// While a full copy is taken, its ranges wait in a step that the store has open: whoever else
// reads what a commit will rest on calls Store::Settle first. Link's own calls do.
class Link {
 public:
  Link(Store& store, LinkSettings settings);
  ~Link();

  // A connection stands: the HELLO to send. Errors: kNotJoined; storage errors.
  Result<std::vector<Message>> Connected();
  // One message from the broker. Deliveries are verified, judged, gated and applied as files are
  // (R8, R11, R17), with the cursor in the same commit (B9), then acked. Errors are of storage
  // only: the loop must close the store. What the broker says wrongly becomes an event.
  Result<std::vector<Message>> Handle(const Message& message);
  // Captures what changed in the directory since the last call, for each export instance whose
  // transport includes the broker, and publishes what the window allows. Call after every local
  // commit, and when an ack made room. Works offline too: then it only captures.
  Result<std::vector<Message>> Pump();
  // Whether a call of Pump() would go on with something that was put off, so that what the last
  // call returned could be sent first.
  bool has_work() const;
  // Timers: canaries, wants asked again, retries after QUOTA, full copies that went silent, report.
  Result<std::vector<Message>> Tick();
  void Lost();
  // No connection comes to be, and why; kNotPermitted: the broker's door stays closed to this site.
  void Unreachable(const Error& why);

  // Begins a full copy of the stream that import `instance` reads, by ranges (R2); goes on where a
  // killed one stopped. kNotFound, kUnreachable (offline: it begins when connected).
  Result<std::vector<Message>> TakeFull(const std::string& instance);
  // A request signed by this site for another one's agent; its nonce is the question's. The last
  // limits::kQuestionsOpen of them can be answered.
  Result<std::vector<Message>> Ask(const std::string& target, std::vector<std::string> words);

  // The streams that this site may read, as told since WELCOME.
  std::vector<StreamName> streams() const;
  LinkPhase phase() const;
  // Why kRefused or kOffline; kAlreadyApplied = no reason known.
  Error reason() const;
  AgentReport Report() const;
  // What was equal when the sums of import `instance` were last found so, in words that are the
  // same wherever they are read: "1,204 entries equal, 3 deletes held". Empty: there is no such
  // import.
  std::string EqualText(const std::string& instance) const;
  // Since the last call, oldest first.
  std::vector<LinkEvent> TakeEvents();
  // The newest reply to a question of Ask since the last call; nullopt: none.
  std::optional<AdminReply> TakeReply(const Nonce& question);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace dirsync
