// OpenLDAP's syncrepl (RFC 4533) under the row of one change, where slapd and libldap are
// installed: a provider and a refreshAndPersist consumer, mdb, each commit synced.
#pragma once

#include <string>
#include <vector>

namespace dirsync::bench {

// `changes` of one person each of `people`, one after the other: milliseconds from the provider's
// answer until a persistent search at the consumer shows it, which is one hop on loopback behind
// its commit. In clear, without TLS. Empty: not installed, or it said why not.
std::vector<double> RunSyncrepl(const std::string& folder, int people, int changes);

}  // namespace dirsync::bench
