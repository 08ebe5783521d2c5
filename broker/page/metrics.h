// /metrics: what Prometheus scrapes. Labels are streams, or reading sites, or words of bounded
// lists; never both ends of a link (those are in the API), never anything of a directory.
#pragma once

#include <string>
#include <string_view>

#include "broker/page/counter_sums.h"
#include "broker/page/pages.h"

namespace dirsync {

// `sums` is updated from the snapshot first. `program`: version text for build_info.
std::string MetricsText(const PageSnapshot& snapshot, CounterSums& sums, std::string_view program,
                        bool ready);

}  // namespace dirsync
