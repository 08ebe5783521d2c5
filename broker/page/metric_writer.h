// Writes metrics in the text format that Prometheus scrapes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/core/histogram.h"
#include "proto/base/time.h"

namespace dirsync {

class MetricWriter {
 public:
  enum class Kind { kCounter, kGauge, kHistogram, kSummary };
  using Labels = std::vector<std::pair<std::string_view, std::string_view>>;

  // Begins a family; its samples follow. `name` without "dirsync_broker_". A counter's ends with
  // "_total", as it must.
  void Family(std::string_view name, Kind kind, std::string_view help);
  void Sample(std::uint64_t value, const Labels& labels = {});
  void SampleTime(Instant time, const Labels& labels = {});  // seconds with milliseconds; 0 as 0
  // The samples of a histogram without labels; `unit`: how much of its values is 1 here.
  void Samples(const Histogram& histogram, std::uint64_t unit);
  // Of a summary without quantiles: how many, and their sum.
  void Samples(std::uint64_t count, std::uint64_t sum, std::uint64_t unit, const Labels& labels);
  std::string Take() { return std::move(text_); }

 private:
  void Begin(const Labels& labels, std::string_view suffix = "");
  std::string name_;
  std::string text_;
};

// As a label's value stands between quotes: valid UTF-8, at most 128 bytes, \ " and line ends
// escaped.
std::string LabelText(std::string_view value);

}  // namespace dirsync
