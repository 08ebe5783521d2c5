#include "tests/e2e/fault_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <tuple>

namespace dirsync::e2e {
namespace {

struct Line {
  int number = 0;
  std::string done;
  std::string figure;
};
std::vector<Line>& Lines() {
  static std::vector<Line> lines;
  return lines;
}

}  // namespace

void Row(const std::string& number, const std::string& done, const std::string& figure) {
  const bool failed = ::testing::Test::HasFailure();
  Lines().push_back({std::atoi(number.c_str() + 1), done, (failed ? "FAILED: " : "") + figure});
}

void PrintTable() {
  std::ranges::stable_sort(Lines(), {}, &Line::number);
  std::size_t width = 0;
  for (const Line& line : Lines()) width = std::max(width, line.done.size());
  std::printf("\n%-4s  %-*s  %s\n", "T", static_cast<int>(width), "what was done", "figure");
  for (const Line& line : Lines())
    std::printf("T%-3d  %-*s  %s\n", line.number, static_cast<int>(width), line.done.c_str(),
                line.figure.c_str());
}

std::uint64_t Effort() {
  const char* text = std::getenv("DIRSYNC_FAULTS");
  const std::uint64_t effort = text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
  return std::max<std::uint64_t>(1, effort);
}

ProcessUse UseOf(pid_t pid) {
  ProcessUse use;
  const std::string folder = "/proc/" + std::to_string(pid);
  std::ifstream status(folder + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) use.peak = std::strtoull(line.c_str() + 6, nullptr, 10) * 1024;
    if (line.starts_with("VmRSS:"))
      use.resident = std::strtoull(line.c_str() + 6, nullptr, 10) * 1024;
  }
  std::error_code ignored;
  for (const auto& descriptor : std::filesystem::directory_iterator(folder + "/fd", ignored))
    use.descriptors += descriptor.path().empty() ? 0 : 1;
  return use;
}

double Percentile(std::vector<double> values, double p) {
  std::ranges::sort(values);
  const auto at = static_cast<std::size_t>(p / 100 * static_cast<double>(values.size() - 1) + 0.5);
  return values[at];
}

std::string Text(double value, int decimals) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

std::string Mib(std::uint64_t bytes) {
  return Text(static_cast<double>(bytes) / (1024.0 * 1024.0)) + " MiB";
}

}  // namespace dirsync::e2e
