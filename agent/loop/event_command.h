// `on_event`: a program of the operator's that hears of every event. Run without a shell; the facts
// are in its environment (DIRSYNC_EVENT, DIRSYNC_INSTANCE, DIRSYNC_CODE, DIRSYNC_TEXT,
// DIRSYNC_SITE, DIRSYNC_TIME), and as one JSON object on its standard input.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "agent/link/link.h"

namespace dirsync {

// Never waits: one program runs at a time, the others queue. Not thread-safe.
class EventCommand {
 public:
  using Clock = std::chrono::steady_clock;
  // `words`: the program and its arguments; empty: events go nowhere.
  EventCommand(std::vector<std::string> words, std::string site)
      : words_(std::move(words)), site_(std::move(site)) {}
  ~EventCommand();  // kills the one that runs
  EventCommand(const EventCommand&) = delete;
  EventCommand& operator=(const EventCommand&) = delete;

  // Beyond limits::kEventsWaiting the oldest is dropped, and counted in the next one's text.
  void Add(const LinkEvent& event, Instant now);
  // Looks whether the program ended (it is killed after limits::kEventSeconds) and starts the next.
  // Call on SIGCHLD, and after timeout_ms(). Returns a line for the log when something was wrong
  // with it; empty: nothing was.
  std::string Step(Clock::time_point now);
  int timeout_ms(Clock::time_point now) const;  // -1: none runs

 private:
  struct Facts {
    LinkEvent event;
    Instant time{};
  };
  std::string Start(const Facts& facts, Clock::time_point now);

  std::vector<std::string> words_;
  std::string site_;
  std::deque<Facts> waiting_;
  std::uint64_t dropped_ = 0;
  pid_t running_ = 0;
  bool killed_ = false;
  Clock::time_point deadline_{};
};

}  // namespace dirsync
