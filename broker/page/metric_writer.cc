#include "broker/page/metric_writer.h"

#include <array>
#include <cstdio>

#include "proto/base/text.h"

namespace dirsync {
namespace {

constexpr std::size_t kLabelBytes = 128;

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
  text_.append(name_).append(kind == Kind::kCounter ? " counter\n" : " gauge\n");
}

void MetricWriter::Begin(const Labels& labels) {
  text_ += name_;
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

}  // namespace dirsync
