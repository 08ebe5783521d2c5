#include "broker/page/metric_writer.h"

#include <array>
#include <cstdio>

#include "proto/base/text.h"

namespace dirsync {
namespace {

constexpr std::size_t kLabelBytes = 128;

std::string_view KindName(MetricWriter::Kind kind) {
  switch (kind) {
    case MetricWriter::Kind::kCounter:
      return "counter";
    case MetricWriter::Kind::kGauge:
      return "gauge";
    case MetricWriter::Kind::kHistogram:
      return "histogram";
    case MetricWriter::Kind::kSummary:
      return "summary";
  }
  return "untyped";
}

// value / unit, exactly; `unit` is a power of ten.
std::string Quotient(std::uint64_t value, std::uint64_t unit) {
  std::string text = std::to_string(value / unit);
  std::string rest = std::to_string(unit + value % unit).substr(1);
  while (rest.ends_with('0')) rest.pop_back();
  return rest.empty() ? text : text + "." + rest;
}

}  // namespace

std::string LabelText(std::string_view value) {
  std::string out;
  for (char c : Printable(value, kLabelBytes)) {
    if (c == '\\' || c == '"') out += '\\';
    out += c;
  }
  return out;
}

void MetricWriter::Family(std::string_view name, Kind kind, std::string_view help) {
  name_ = name.starts_with("process_") ? "" : "dirsync_broker_";
  name_ += name;
  text_.append("# HELP ").append(name_).append(" ").append(help).append("\n# TYPE ");
  text_.append(name_).append(" ").append(KindName(kind)).append("\n");
}

void MetricWriter::Begin(const Labels& labels, std::string_view suffix) {
  text_.append(name_).append(suffix);
  char before = '{';
  for (const auto& [label, value] : labels) {
    text_ += before;
    text_.append(label).append("=\"").append(LabelText(value)).append("\"");
    before = ',';
  }
  if (!labels.empty()) text_ += '}';
  text_ += ' ';
}

void MetricWriter::Sample(std::uint64_t value, const Labels& labels) {
  Begin(labels);
  text_.append(std::to_string(value)).append("\n");
}

void MetricWriter::SampleTime(Instant time, const Labels& labels) {
  constexpr std::int64_t kMillis = 1000;
  const std::int64_t ms = ToMillis(time);
  std::array<char, 40> text;
  std::snprintf(text.data(), text.size(), "%lld.%03lld\n", static_cast<long long>(ms / kMillis),
                static_cast<long long>(ms % kMillis));
  Begin(labels);
  text_ += text.data();
}

void MetricWriter::Samples(const Histogram& histogram, std::uint64_t unit) {
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < histogram.bounds().size(); ++i) {
    below += histogram.counts()[i];
    Begin({{"le", Quotient(histogram.bounds()[i], unit)}}, "_bucket");
    text_.append(std::to_string(below)).append("\n");
  }
  Begin({{"le", "+Inf"}}, "_bucket");
  text_.append(std::to_string(histogram.count())).append("\n");
  Samples(histogram.count(), histogram.sum(), unit, {});
}

void MetricWriter::Samples(std::uint64_t count, std::uint64_t sum, std::uint64_t unit,
                           const Labels& labels) {
  Begin(labels, "_sum");
  text_.append(Quotient(sum, unit)).append("\n");
  Begin(labels, "_count");
  text_.append(std::to_string(count)).append("\n");
}

}  // namespace dirsync
