// The stats as JSON: what the API serves and what commands print with --json. Fields are told in
// cli/JSON.md; further ones may be added.
#pragma once

#include <cstdint>
#include <string>

#include "broker/core/link_state.h"

namespace dirsync {

// One object: the sentence, counts, log, pending joins, refusals.
std::string StatusJson(const BrokerStats& stats, const LinkOverview& overview);
// An array, an object for each stream. `only`: that one stream, with its minutes (empty: all,
// without); an empty array if it is not there.
std::string StreamsJson(const BrokerStats& stats, const std::string& only = {});
// An array, an object for each link: state, reason, command, positions, counts. Empty `stream` or
// `reader`: any.
std::string ReadersJson(const BrokerStats& stats, const LinkOverview& overview,
                        const std::string& stream = {}, const std::string& reader = {});
// An array, newest first, of at most `limit` events with a number above `after`.
std::string EventsJson(const BrokerStats& stats, std::uint64_t after, std::size_t limit);
std::string SitesJson(const BrokerStats& stats);

// One link as ReadersJson has it, without what only a broker knows.
std::string LinkJson(const LinkView& view);
// "…Z" with quotes, or null.
std::string TimeJson(Instant time);

}  // namespace dirsync
