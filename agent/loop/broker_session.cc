#include "agent/loop/broker_session.h"

#include <algorithm>
#include <utility>

#include "agent/loop/join.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"

namespace dirsync {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kTick{500};
constexpr milliseconds kBackOffFirst{500};
constexpr milliseconds kBackOffMost{60'000};
constexpr std::chrono::seconds kGreetingPatience{15};
constexpr std::chrono::seconds kCarriesFor{15};
constexpr std::chrono::seconds kPing{limits::kHeartbeatSeconds};
constexpr int kMessagesATurn = 64;  // then commands have their turn

}  // namespace

BrokerSession::BrokerSession(Store& store, SessionSettings settings,
                             std::function<void(LinkEvent)> tell)
    : store_(store),
      settings_(std::move(settings)),
      tell_(std::move(tell)),
      link_(store, settings_.link),
      back_off_(kBackOffFirst) {}

Result<> BrokerSession::Turn(Clock::time_point now) {
  if (std::exchange(refused_, false)) {
    const Clock::time_point at = greet_at_;
    connection_.reset();
    Lose(now);
    greet_at_ = at;
    if (IsDue(at, now)) BackOff(now);
  }
  DIRSYNC_CHECK(FollowMembership(now));
  if (!membership_) return {};
  DIRSYNC_CHECK(TakeState(now));
  more_ = false;
  int left = kMessagesATurn;
  for (bool received = true; received && left > 0; --left) {
    DIRSYNC_TRY(another, Receive(now));
    received = another;
  }
  more_ = more_ || left == 0;
  // A capture works without a broker too, and costs little where nothing has changed.
  if (seen_commits_ != store_.commits() || link_.has_work()) {
    DIRSYNC_CHECK(SendResult(link_.Pump()));
    seen_commits_ = store_.commits();
  }
  DIRSYNC_CHECK(LookAtSilence(now));
  if (IsDue(tick_at_, now)) {
    tick_at_ = now + kTick;
    DIRSYNC_CHECK(SendResult(link_.Tick()));
  }
  if (link_.phase() == LinkPhase::kOpen) {
    open_last_ = now;
    back_off_ = kBackOffFirst;
  }
  TellEvents();
  return {};
}

// Joining, or joining anew, is a command like any: it shows in the store.
Result<> BrokerSession::FollowMembership(Clock::time_point now) {
  if (seen_commits_ == store_.commits() && (connection_ || !membership_)) return {};
  DIRSYNC_TRY(membership, LoadMembership(store_.storage()));
  if (!membership || membership_ != membership) {
    connection_.reset();
    Lose(now);
    membership_ = std::move(membership);
    open_last_ = now;
    if (!membership_) seen_commits_ = store_.commits();
  }
  if (membership_ && !connection_ && IsDue(greet_at_, now)) Connect(*membership_);
  return {};
}

void BrokerSession::Connect(const Membership& membership) {
  const std::string address =
      settings_.address.empty() ? membership.broker_address : settings_.address;
  auto opened = [&]() -> Result<std::unique_ptr<Connection>> {
    DIRSYNC_TRY(keys, TransportKeysOf(store_));
    return Connection::Open({.address = address,
                             .broker_key = membership.broker_key,
                             .keys = std::move(keys),
                             .message_bytes_max = limits::kMessageBytes});
  }();
  if (opened) {
    connection_ = std::move(*opened);
    return;
  }
  if (std::exchange(why_not_, opened.error().message) != opened.error().message)
    tell_({"unreachable", "", opened.error().message, opened.error().code});
  BackOff(Clock::now());
}

void BrokerSession::BackOff(Clock::time_point now) {
  greet_at_ = now + back_off_;
  back_off_ = std::min(back_off_ * 2, kBackOffMost);
}

// ZeroMQ makes the connection again by itself; each new one is greeted.
Result<> BrokerSession::TakeState(Clock::time_point now) {
  if (!connection_) return {};
  std::string why;
  while (const auto state = connection_->TakeState(why)) {
    if (*state == ConnectionState::kConnected) {
      why_not_.clear();
      Lose(now);
      connected_ = true;
      DIRSYNC_CHECK(Greet(now));
      continue;
    }
    const bool was = connected_;
    Lose(now);
    // A site that was given new keys, or was approved again, is let in with what it has now.
    refused_ = refused_ || *state == ConnectionState::kRefused;
    if (was)
      tell_({"disconnected", "", "the connection to the broker is gone", ErrorCode::kUnreachable});
    if (why.empty()) continue;
    Error closed{ErrorCode::kUnreachable, "the broker's door stays closed: " + why, ""};
    if (*state == ConnectionState::kRefused) {
      closed.code = ErrorCode::kNotPermitted;
      closed.message +=
          "; the key of this server is no active site's: the site was revoked, or another server "
          "took its place";
      closed.hint =
          "stop this server if another took its place; else: dirsync join INVITATION --replaces";
    }
    link_.Unreachable(closed);
    if (std::exchange(why_not_, why) != why)
      tell_({"unreachable", "", closed.message, closed.code});
  }
  return {};
}

Result<> BrokerSession::Greet(Clock::time_point now) {
  heard_ = now;
  greet_at_ = now + kGreetingPatience;
  return SendResult(link_.Connected());
}

Result<bool> BrokerSession::Receive(Clock::time_point now) {
  if (!connection_) return false;
  const auto message = connection_->Receive();
  if (!message) return false;
  heard_ = now;
  if (!*message) {
    tell_({"bad-message", "", message->error().message, message->error().code});
    return true;
  }
  const LinkPhase before = link_.phase();
  DIRSYNC_CHECK(SendResult(link_.Handle(**message)));
  const LinkPhase after = link_.phase();
  if (before != after && after == LinkPhase::kOpen)
    tell_({"connected", "", "a session with the broker is open", ErrorCode::kAlreadyApplied});
  if (before != after && (after == LinkPhase::kOffline || after == LinkPhase::kRefused))
    BackOff(now);
  refused_ = refused_ || (before != after && after == LinkPhase::kRefused);
  return true;
}

// A session that ended while the connection stands is greeted anew; a broker that says nothing, or
// does not answer a greeting, is looked for on another connection.
Result<> BrokerSession::LookAtSilence(Clock::time_point now) {
  if (!connected_) return {};
  const bool open = link_.phase() == LinkPhase::kOpen;
  const bool silent = open && now - heard_ > std::chrono::seconds(limits::kSessionSilenceSeconds);
  // A broker with nothing to say is asked whether it is there.
  if (open && !silent && now - std::max(heard_, pinged_) > kPing) {
    pinged_ = now;
    Send({Ping{}});
  }
  if (open && !silent) return {};
  if (!open && !IsDue(greet_at_, now)) return {};
  if (silent) tell_({"silent", "", "the broker says nothing any more", ErrorCode::kUnreachable});
  // A connection that stands and carries nothing may do so for ever: another one is opened.
  refused_ = silent || link_.phase() == LinkPhase::kGreeting;
  link_.Lost();
  return refused_ ? Result<>() : Greet(now);
}

Result<> BrokerSession::SendResult(Result<std::vector<Message>> messages) {
  if (!messages) return std::unexpected(messages.error());
  Send(*messages);
  return {};
}

// What cannot be sent is not kept: the link says it again after the next WELCOME.
void BrokerSession::Send(const std::vector<Message>& messages) {
  for (const Message& message : messages) {
    // Sending may take the sign away that something came in: it is looked for once more.
    more_ = true;
    if (connection_ && connected_ && connection_->Send(message)) continue;
    if (connected_) Lose(Clock::now());
    return;
  }
}

void BrokerSession::Lose(Clock::time_point now) {
  if (std::exchange(connected_, false)) greet_at_ = now;
  link_.Lost();
}

void BrokerSession::Leave() {
  if (connection_ && link_.phase() == LinkPhase::kOpen)
    static_cast<void>(
        connection_->SendLast(Bye{ErrorCode::kUnreachable, "the agent of this site stops", 0}));
  connection_.reset();
  Lose(Clock::now());
}

void BrokerSession::TellEvents() {
  for (LinkEvent& event : link_.TakeEvents()) tell_(std::move(event));
}

std::vector<int> BrokerSession::descriptors() const {
  if (!connection_) return {};
  return {connection_->descriptor(), connection_->monitor_descriptor()};
}

int BrokerSession::timeout_ms(Clock::time_point now) const {
  if (!membership_) return seen_commits_ == store_.commits() ? -1 : 0;
  if (more_ || seen_commits_ != store_.commits()) return 0;
  const auto left = std::chrono::duration_cast<milliseconds>(tick_at_ - now).count() + 1;
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, kTick.count()));
}

bool BrokerSession::carries(Clock::time_point now) const {
  return membership_ && (link_.phase() == LinkPhase::kOpen || now - open_last_ < kCarriesFor);
}

}  // namespace dirsync
