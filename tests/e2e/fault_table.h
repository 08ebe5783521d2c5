// The table of faults that faults_e2e prints: which fault of the catalogue, what was done, and the
// figure that came of it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace dirsync::e2e {

// One row; `number` as in the catalogue, "T7". Of a test that has failed so far it is marked so.
void Row(const std::string& number, const std::string& done, const std::string& figure);
// All of them, in the catalogue's order.
void PrintTable();

// How much of everything: 1 in ctest, more by hand (DIRSYNC_FAULTS=N).
std::uint64_t Effort();

// Of a running process.
struct ProcessUse {
  std::uint64_t resident = 0;  // bytes
  std::uint64_t peak = 0;      // bytes, since it began
  std::uint64_t descriptors = 0;
};
ProcessUse UseOf(pid_t pid);

// The p-th percentile, p in 0..100. REQUIRES some.
double Percentile(std::vector<double> values, double p);

std::string Text(double value, int decimals = 1);
std::string Mib(std::uint64_t bytes);  // "12.3 MiB"
inline double Milliseconds(std::chrono::steady_clock::duration time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

}  // namespace dirsync::e2e
