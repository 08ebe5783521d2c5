// The page's views. Each is a whole HTML document that needs no script: page.js only keeps it
// fresh. Everything in it comes from one snapshot.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "broker/core/link_state.h"

namespace dirsync {

// What one request looks at.
struct PageSnapshot {
  std::shared_ptr<const BrokerStats> stats;
  LinkOverview overview;  // of `stats`
};

// The worst thing, what needs attention, and every site with every other.
std::string OverviewPage(const PageSnapshot& snapshot);
// What waits for a person: held, quarantined, refused, diverged.
std::string WaitingPage(const PageSnapshot& snapshot);
// The logs, who holds them, and when they will be full.
std::string StoragePage(const PageSnapshot& snapshot);
// The roster: sites, keys, sessions; joins that wait.
std::string SitesPage(const PageSnapshot& snapshot);
// Restores, resyncs, approvals, refusals.
std::string TimelinePage(const PageSnapshot& snapshot);
// One link; nullopt: there is none.
std::optional<std::string> LinkPage(const PageSnapshot& snapshot, const std::string& stream,
                                    const std::string& reader);
// One site's links, both ways; nullopt: there is no such site.
std::optional<std::string> SitePage(const PageSnapshot& snapshot, const std::string& site);
// For 400, 404, 405: what was wrong.
std::string ErrorPage(const PageSnapshot& snapshot, std::string_view title, std::string_view text);

}  // namespace dirsync
