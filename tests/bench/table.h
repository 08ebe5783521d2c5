// The table that the benchmarks of the network print.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace dirsync::bench {

using Clock = std::chrono::steady_clock;

double Since(Clock::time_point start);

// One row: a figure, what it is held against in the same run, and what was aimed at.
struct Row {
  std::string what;
  std::string figure;
  std::string against;
  std::string ratio;
  std::string goal;
  std::string verdict;  // "met", "MISSED", or why nothing can be said
};
void PrintHead();
void Print(const Row& row);
// "met" or "MISSED".
std::string Verdict(bool met);

// "12.3"
std::string Fixed(double value, int digits);
// The value that `share` of all are not above. REQUIRES !values.empty().
double Percentile(std::vector<double> values, double share);

}  // namespace dirsync::bench
