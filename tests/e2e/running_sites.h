// An organisation as real processes: a broker and the agents of its sites, joined, on loopback.
#pragma once

#include <poll.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tests/e2e/process.h"
#include "tests/e2e/server.h"

namespace dirsync::e2e {

// Calls `done` every few milliseconds until it says so; false: not in time.
template <class Done>
bool Until(Done&& done, std::chrono::milliseconds patience = std::chrono::seconds(120),
           int pause_ms = 20) {
  using Clock = std::chrono::steady_clock;
  for (const auto end = Clock::now() + patience; Clock::now() < end; poll(nullptr, 0, pause_ms))
    if (done()) return true;
  return done();
}

// Site 0 is the broker; the others are Site1, Site2 … with domain site1.test … and one export, OUT.
// In a folder of its own, which goes with it, as do the processes.
class RunningSites {
 public:
  // `host`: where the broker listens. `agent_options`: behind `agent run`.
  RunningSites(std::string dirsync, int sites, std::string host = "127.0.0.1",
               std::vector<std::string> agent_options = {});
  ~RunningSites();
  RunningSites(const RunningSites&) = delete;
  RunningSites& operator=(const RunningSites&) = delete;

  // Makes the stores, starts the broker, joins, starts the agents. What was wrong; empty: nothing.
  std::string SetUp(const std::vector<std::string>& export_options = {});
  // One more site, likewise; its number is sites() + 1.
  std::string AddSite(const std::vector<std::string>& export_options = {});
  // Its addresses stay those of the first start: agents know them.
  bool StartBroker(std::uint64_t dies_at = 0);
  // Waits until it takes commands, unless it is to die.
  void StartAgent(int site, std::uint64_t dies_at = 0);

  int sites() const { return static_cast<int>(servers_.size()) - 1; }
  Server& server(int site) { return *servers_[static_cast<std::size_t>(site)]; }
  const std::string& folder() const { return folder_; }
  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  std::string Store(int site) const {
    return Path(site == 0 ? "broker" : "site" + std::to_string(site));
  }
  static std::string NameOf(int site) { return "Site" + std::to_string(site); }
  const std::string& address() const { return address_; }  // of the broker
  std::string Log(int site) const;                         // all runs
  // How often `text` stands in it.
  std::size_t Said(int site, const std::string& text) const;

  Outcome Command(int site, std::vector<std::string> words) const;
  // Whom `site` knows of `origin`, or has of its own: name -> Display-Name. nullopt: it failed.
  using Book = std::map<std::string, std::string>;
  std::optional<Book> BookOf(int site, int origin) const;
  // Whether everybody knows what everybody has.
  bool InStep() const;
  // Its output as JSON; discarded (is_discarded()) if it failed.
  nlohmann::json Json(int site, std::vector<std::string> words) const;

 private:
  std::vector<std::string> BrokerArguments(const std::string& listen,
                                           const std::string& door) const;

  std::string dirsync_;
  int wanted_;
  std::string host_;
  std::vector<std::string> agent_options_;
  std::string folder_;
  std::string address_;
  std::vector<std::unique_ptr<Server>> servers_;
};

}  // namespace dirsync::e2e
