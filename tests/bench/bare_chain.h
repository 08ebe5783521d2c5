// The floor of one change: three processes over TCP, each with a RocksDB that writes as many rows
// as ours do and syncs them, and nothing else. No encryption, no signature, no protocol.
#pragma once

#include <string>
#include <vector>

namespace dirsync::bench {

// The processes behind the first one; each serves until its peer says so.
int RunBareBroker(const std::string& folder, const std::string& in, const std::string& out);
int RunBareReader(const std::string& folder, const std::string& in, const std::string& stamps);

// `count` changes, one after the other: milliseconds from where the first process begins to write
// until the last one's sync has returned. `self`: the program that runs the processes above.
std::vector<double> RunBareChain(const std::string& self, const std::string& folder, int count);

}  // namespace dirsync::bench
