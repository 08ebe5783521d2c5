// A broker and the agents of its sites, as processes, in a folder of their own.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "proto/base/ids.h"
#include "tests/bench/timed_agent.h"
#include "tests/e2e/process.h"
#include "tests/e2e/server.h"

namespace dirsync::bench {

// What a benchmark is given.
struct Programs {
  std::string self;     // this program: also the agent's
  std::string dirsync;  // the command
  std::string folder;   // for everything that is written
};

// Polls until `done`; false: not within `patience`.
bool Until(const std::function<bool()>& done, std::chrono::seconds patience);
// Lets `milliseconds` pass.
void Pause(int milliseconds);

// KiB from /proc/PID/status: "VmHWM", "VmRSS"; 0: not there.
std::uint64_t MemoryKib(int pid, const std::string& what);

// Ends the program when a step of setting up fails: there is nothing to measure then.
class NetworkWorld {
 public:
  // An organisation and its running broker. `name`: of a folder within that of `programs`.
  NetworkWorld(const Programs& programs, const std::string& name);
  ~NetworkWorld();  // stops all, removes the folder
  NetworkWorld(const NetworkWorld&) = delete;
  NetworkWorld& operator=(const NetworkWorld&) = delete;

  // Makes a site, which joins. Its agent does not run.
  void AddSite(const std::string& site);
  // A site that this program plays itself: in the roster, with the keys of signed_batches.h.
  void Enroll(const std::string& site) const;
  TransportKey BrokerKey() const;
  void StartAgent(const std::string& site);
  // A command at a site ("broker": at the broker); what it prints.
  std::string Command(const std::string& site, std::vector<std::string> words) const;
  // The same, handed to the running agent without a process of its own. Exit status.
  int Ask(const std::string& site, std::vector<std::string> words) const;

  Stamps& stamps(const std::string& site) { return *stamps_.at(site); }
  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  const std::string& address() const { return address_; }
  e2e::Server& broker() { return *servers_.at("broker"); }
  // Where it listened before. REQUIRES that it does not run.
  void StartBroker();
  std::uint64_t PeakMib(const std::string& server) const;
  std::uint64_t BrokerKib() const;  // resident now

 private:
  Programs programs_;
  std::string folder_;
  std::string address_ = "tcp://127.0.0.1:*";
  std::string door_ = "tcp://127.0.0.1:*";
  std::map<std::string, std::unique_ptr<e2e::Server>> servers_;
  std::map<std::string, Stamps*> stamps_;
};

}  // namespace dirsync::bench
