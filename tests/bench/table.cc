#include "tests/bench/table.h"

#include <algorithm>
#include <cstdio>

namespace dirsync::bench {

double Since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void PrintHead() {
  Print({"what", "figure", "against (same run)", "ratio", "goal", "verdict"});
  Print({"---", "---", "---", "---", "---", "---"});
}

void Print(const Row& row) {
  std::printf("| %-42s | %14s | %-36s | %6s | %-22s | %s |\n", row.what.c_str(), row.figure.c_str(),
              row.against.c_str(), row.ratio.c_str(), row.goal.c_str(), row.verdict.c_str());
  std::fflush(stdout);
}

std::string Verdict(bool met) { return met ? "met" : "MISSED"; }

std::string Fixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

double Percentile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  const auto at = static_cast<std::size_t>(share * static_cast<double>(values.size() - 1) + 0.5);
  return values[std::min(at, values.size() - 1)];
}

}  // namespace dirsync::bench
