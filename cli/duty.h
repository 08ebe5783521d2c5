// What commands for people on duty look at: the links of a broker or of a site.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/context.h"
#include "cli/serving.h"

namespace dirsync::cli {

struct DutyView {
  std::optional<BrokerStats> broker;  // as of now; nullopt: a site's store
  LinkOverview overview;
  std::string here;  // "Site1" or "the broker"
  Instant now{};
  bool running = true;  // false: no process has the store open; links are as the store has them
};

// Of the process that answers; else read from the site's store. Errors: OpenStore's.
Result<DutyView> LookAround(Context& context, const LinkThresholds& thresholds = {});
// Whether a broker answers; else its store is looked at.
bool BrokerRuns(Context& context);
// The stats of the broker that answers, or as its store has them while none runs. kNotFound: not
// the store of a broker.
Result<BrokerStats> StatsOfBroker(Context& context, std::string_view command);

// "Site1 to Site2", "Site1 to all".
std::string PairOf(const LinkView& view);
// "4 s ago", "never".
std::string AgoText(Instant time, Instant now);
// Links from the worst down.
std::vector<const LinkView*> WorstLinks(const LinkOverview& overview);
// A table of all links, the worst first.
void PrintLinks(Context& context, const DutyView& view);
// "dirsync sites approve Site2, or dirsync sites refuse Site2 (at the broker)"; the place only if
// it is not `here`.
std::string NextText(const std::string& command, const std::string& alternative,
                     const std::string& at, const std::string& here);
// "next: dirsync agent run (at Site2)" on stderr, if there is something to do.
void PrintNext(Context& context, const LinkOverview& overview, const std::string& here);

}  // namespace dirsync::cli
