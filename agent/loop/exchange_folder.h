// The folders of files that arrive: IN, and in it waiting/, done/ and bad/. A file that comes is
// first taken from IN to waiting/, a folder of the agent's own, so that nobody changes what it is
// while it is looked at; from there it goes to done/, or to bad/ with the reason beside it.
//
// Names come from other machines: they are parts of a path only after a check, and links, devices
// and folders are never followed, opened or moved.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "proto/base/error.h"

namespace dirsync {

// Not thread-safe.
class ExchangeFolder {
 public:
  using Clock = std::chrono::steady_clock;

  // Makes what is missing (mode 0750; waiting/, done/ and bad/ 0700) and watches IN; where that
  // cannot be done, it is polled only. Errors: kIo, kNotFound (IN's own parent).
  static Result<std::unique_ptr<ExchangeFolder>> Open(const std::string& in);
  ~ExchangeFolder();
  ExchangeFolder(const ExchangeFolder&) = delete;
  ExchangeFolder& operator=(const ExchangeFolder&) = delete;

  // Readable: something may have arrived. -1: not watched.
  int descriptor() const { return watch_; }
  // Takes what has arrived into waiting/; at most limits::kCarriedFiles wait at one time, the
  // others stay in IN. Whether anything came. Errors: kIo, kDiskFull.
  Result<bool> TakeArrived(Clock::time_point now);

  struct Waiting {
    std::string path;
    std::string name;      // in waiting/: as it arrived, or with "~2" …
    bool settled = false;  // has not changed for limits::kSettleSeconds: nobody writes it any more
  };
  // In order of their names.
  Result<std::vector<Waiting>> ListWaiting(Clock::time_point now);
  // Out of waiting/. Older files of done/ beyond limits::kDoneFiles are removed. Errors: kIo,
  // kDiskFull.
  Result<> MoveToDone(const Waiting& file);
  // With FILE.reason beside it.
  Result<> MoveToBad(const Waiting& file, const Error& error);

 private:
  // What tells whether a file has changed.
  struct Seen {
    std::uint64_t inode = 0;
    std::int64_t bytes = 0;
    std::int64_t changed_ns = 0;
    Clock::time_point since;
  };
  explicit ExchangeFolder(std::string in) : in_(std::move(in)) {}
  Result<> Move(const std::string& from, const std::string& to_folder, const std::string& name,
                std::string* moved);
  void PruneDone();

  std::string in_;
  int watch_ = -1;
  std::map<std::string, Seen> seen_;  // by name in waiting/
};

}  // namespace dirsync
