// The agent's session with its broker: the connection, and the link that speaks over it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/link/link.h"
#include "agent/service/store.h"
#include "proto/net/connection.h"
#include "proto/trust/membership.h"

namespace dirsync {

struct SessionSettings {
  LinkSettings link;
  std::string address;  // instead of the membership's; empty: that one
};

// Begins when the site has joined an organisation, and again when it joins another. Not
// thread-safe.
class BrokerSession {
 public:
  using Clock = std::chrono::steady_clock;

  BrokerSession(Store& store, SessionSettings settings, std::function<void(LinkEvent)> tell);

  // Takes what has come, sends what there is to say, looks at what has changed in the store and at
  // the clock. Never waits. Call when a descriptor is readable, after commits, and after
  // timeout_ms(). Errors are of the store only: it must be closed.
  Result<> Turn(Clock::time_point now);
  std::vector<int> descriptors() const;
  int timeout_ms(Clock::time_point now) const;

  // Says BYE, so that the broker knows at once and not by silence. The session is over then.
  void Leave();

  // Whether what goes both ways is the broker's now: a session is open, or was a moment ago.
  bool carries(Clock::time_point now) const;
  Link& link() { return link_; }
  // Sends what a call of the link returned.
  void Send(const std::vector<Message>& messages);

 private:
  Result<> FollowMembership(Clock::time_point now);
  void Connect(const Membership& membership);
  Result<> TakeState(Clock::time_point now);
  Result<> Greet(Clock::time_point now);
  Result<bool> Receive(Clock::time_point now);
  Result<> LookAtSilence(Clock::time_point now);
  Result<> SendResult(Result<std::vector<Message>> messages);
  void Lose(Clock::time_point now);
  void BackOff(Clock::time_point now);
  void TellEvents();
  bool IsDue(Clock::time_point at, Clock::time_point now) const { return at <= now; }

  Store& store_;
  SessionSettings settings_;
  std::function<void(LinkEvent)> tell_;
  Link link_;
  std::unique_ptr<Connection> connection_;
  std::optional<Membership> membership_;
  std::optional<std::uint64_t> seen_commits_;
  bool connected_ = false;
  bool refused_ = false;  // the connection is of no more use: another one reads the keys anew
  bool more_ = false;     // the last turn ended before everything was taken
  std::string why_not_;
  Clock::time_point heard_{};      // of the broker, last
  Clock::time_point pinged_{};     // last
  Clock::time_point open_last_{};  // when a session was seen open
  Clock::time_point tick_at_{};
  Clock::time_point greet_at_{};  // again then, when a greeting or session ended without a new one
  std::chrono::milliseconds back_off_;
};

}  // namespace dirsync
