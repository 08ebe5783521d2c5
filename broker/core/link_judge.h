// The rules behind link_state.h: facts of one link in, its word, sentence and command out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "broker/core/link_state.h"

namespace dirsync {

// One end of a link. Offline ends keep what they reported last.
struct LinkEnd {
  std::string site;
  bool online = true;
  Instant heard{};  // 0 = not known
  SiteState state = SiteState::kActive;
  bool asks_to_join = false;  // once more, and waits for approval
  Instant restored{};         // when it was last put back from a copy; 0 = not known to be
  std::optional<InstanceReport> report;
};

// Everything that a rule may look at.
struct LinkFacts {
  StreamName stream;
  LinkEnd producer, reader;
  std::optional<SubscribeOutcome> refused;
  bool needs_ranges = false;
  // The end that looks has an agent without a session; why, if known. Nothing: whoever is offline
  // has none.
  std::optional<std::string> cut_off;
  bool stopped = false;  // the broker does not run: nobody can be connected
  std::uint64_t lag_batches = 0, lag_bytes = 0;
  Instant oldest_unacked{};
  Instant canary{};  // 0 = not known
  Instant now{};
};

// The first rule that holds, in the order of LinkState from the worst; none: in-sync.
LinkView JudgeLink(const LinkFacts& facts, const LinkThresholds& thresholds);

// What a problem that an agent reports does to its links; nullopt: nothing (no problem).
std::optional<LinkState> StateOfProblem(ErrorCode code);

// `word` as a shell takes it, harmless on a terminal.
std::string ShellWord(std::string_view word);

}  // namespace dirsync
