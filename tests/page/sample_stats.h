// Stats as a broker would have them, of any number of sites and with a link in every state: what
// the tests of the outlets, and page_demo, look at.
#pragma once

#include "broker/core/broker_stats.h"

namespace dirsync {

struct SampleChoice {
  int sites = 3;
  bool troubles = true;  // a link in every state; else all is well
  bool hostile = false;  // names and texts that would break a page, a terminal or a label
};
// Reproducible: the same for the same arguments.
BrokerStats SampleStats(const SampleChoice& choice, Instant now);

}  // namespace dirsync
