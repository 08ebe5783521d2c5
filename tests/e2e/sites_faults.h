// What the tests of faults on running sites share.
#pragma once

#include <gmock/gmock.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "tests/e2e/fault_table.h"
#include "tests/e2e/running_sites.h"

namespace dirsync::e2e {

class SitesFaults : public ::testing::Test {
 protected:
  using Clock = std::chrono::steady_clock;

  void Begin(int sites, const std::string& host = "127.0.0.1") {
    world_ = std::make_unique<RunningSites>(DIRSYNC_PROGRAM, sites, host);
    ASSERT_EQ(world_->SetUp(), "");
  }
  void Must(int site, const std::vector<std::string>& words) {
    const Outcome outcome = world_->Command(site, words);
    EXPECT_EQ(outcome.exit_status, 0)
        << words[0] << ' ' << words[1] << ": " << outcome.output << outcome.errors;
  }
  // The n-th person of a kind at a site; all books hold those of all.
  static std::string Person(const std::string& kind, int site, int n) {
    return kind + std::to_string(site) + "x" + std::to_string(n);
  }
  void AddPeople(int site, const std::string& kind, int count) {
    for (int i = 1; i <= count; ++i) Must(site, {"mailbox", "add", Person(kind, site, i)});
  }
  // How many of the first `count` of them `site` does not know.
  int Missing(int site, int origin, const std::string& kind, int count) {
    const auto book = world_->BookOf(site, origin).value_or(RunningSites::Book{});
    int missing = 0;
    for (int i = 1; i <= count; ++i) missing += book.contains(Person(kind, origin, i)) ? 0 : 1;
    return missing;
  }
  // Milliseconds until all are in step; the test fails if they never are.
  double UntilInStep(std::chrono::seconds patience = std::chrono::seconds(120)) {
    const auto begin = Clock::now();
    EXPECT_TRUE(Until([&] { return world_->InStep(); }, patience)) << Logs();
    return Milliseconds(Clock::now() - begin);
  }
  double UntilSaid(int site, const std::string& text, std::size_t more_than = 0) {
    const auto begin = Clock::now();
    EXPECT_TRUE(
        Until([&] { return world_->Said(site, text) > more_than; }, std::chrono::seconds(120), 5))
        << text << " is not said\n"
        << Logs();
    return Milliseconds(Clock::now() - begin);
  }
  std::string Logs() const {
    std::string logs;
    for (int site = 0; site <= world_->sites(); ++site) {
      const std::string log = world_->Log(site);
      logs += "---- " + world_->Store(site) + "\n" +
              log.substr(log.size() - std::min<std::size_t>(log.size(), 4000));
    }
    return logs;
  }
  // The files of a site's store, of which no process has any open.
  void Copy(int site, const std::string& to) {
    std::filesystem::copy(world_->Store(site), world_->Path(to),
                          std::filesystem::copy_options::recursive);
  }
  void PutBack(int site, const std::string& from) {
    std::filesystem::remove_all(world_->Store(site));
    std::filesystem::copy(world_->Path(from), world_->Store(site),
                          std::filesystem::copy_options::recursive);
  }

  std::unique_ptr<RunningSites> world_;
};

}  // namespace dirsync::e2e
