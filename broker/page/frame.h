// What all views share: head, navigation, the verdict, marks and links.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "broker/page/html.h"
#include "broker/page/pages.h"

namespace dirsync {

// A whole document around `body`. `path` of the view, for the navigation ("/waiting").
std::string Framed(const PageSnapshot& snapshot, std::string_view path, std::string_view title,
                   std::string_view body);

// "✓ in-sync" in the colour of its severity: sign and word, never colour alone.
void AddState(Html& html, const LinkView& view);
// The sign alone.
std::string_view LinkStateSign(LinkState state);
std::string LinkUrl(const LinkView& view);
std::string SiteUrl(std::string_view site);
// "Site1 → Site2" as a link to its view.
void AddPair(Html& html, const LinkView& view);
// One row of a table of links; it may stand for `alike` further ones.
struct LinkRow {
  const LinkView* view = nullptr;
  std::uint64_t alike = 0;
};
// State, pair, reason, age, what waits, command; rows beyond some hundreds are only counted.
void AddLinkTable(Html& html, const PageSnapshot& snapshot, const std::vector<LinkRow>& rows,
                  std::string_view caption);
std::vector<LinkRow> RowsOf(const std::vector<const LinkView*>& views);
// One row, the worst, for all that are in the same state: when a site is away, all its links are.
std::vector<LinkRow> Grouped(const std::vector<const LinkView*>& views);
// A table of events, at most `limit` rows.
void AddEvents(Html& html, const BrokerStats& stats, const std::vector<const BrokerEvent*>& events,
               std::string_view caption);
// Links from the worst severity down; equal ones in the order of the stats.
std::vector<const LinkView*> WorstFirst(const LinkOverview& overview, Severity least);

}  // namespace dirsync
