#include "cli/progress.h"

#include <algorithm>

#include "cli/json.h"
#include "cli/output.h"
#include "proto/base/text.h"

namespace dirsync::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::size_t kBarCells = 24;

milliseconds Interval(ProgressMeter::Style style) {
  switch (style) {
    case ProgressMeter::Style::kBar:
      return milliseconds(100);
    case ProgressMeter::Style::kJson:
      return milliseconds(1000);
    default:
      return milliseconds(60'000);
  }
}

std::string TimeLeft(const Progress& progress, double rate) {
  if (progress.total <= progress.done || rate <= 0) return "";
  const double left = static_cast<double>(progress.total - progress.done) / rate;
  return ", " + Clocked(static_cast<std::uint64_t>(left) + 1) + " left";
}

std::uint64_t Percent(const Progress& progress) {
  if (progress.total == 0) return 0;
  return std::min(progress.done, progress.total) * 100 / progress.total;
}

}  // namespace

std::string Clocked(std::uint64_t seconds) {
  const std::uint64_t hours = seconds / 3600;
  const std::uint64_t minutes = seconds / 60 % 60;
  auto two = [](std::uint64_t n) { return (n < 10 ? "0" : "") + std::to_string(n); };
  if (hours == 0) return std::to_string(minutes) + ":" + two(seconds % 60);
  return std::to_string(hours) + ":" + two(minutes) + ":" + two(seconds % 60);
}

ProgressMeter::ProgressMeter(std::ostream& err, Style style, Clock clock)
    : err_(err), style_(style), clock_(std::move(clock)) {}

void ProgressMeter::Update(const Progress& progress) {
  if (style_ == Style::kNone) return;
  const auto now = clock_();
  if (progress.what != what_) {
    what_ = progress.what;
    begun_ = shown_ = now;
    begun_at_ = progress.done;
    return;  // short jobs show nothing
  }
  if (now - shown_ < Interval(style_)) return;
  shown_ = now;
  const double seconds = std::chrono::duration<double>(now - begun_).count();
  const double rate =
      seconds > 0
          ? static_cast<double>(progress.done - std::min(progress.done, begun_at_)) / seconds
          : 0;
  if (style_ == Style::kJson) {
    err_ << JsonObject()
                .Text("progress", progress.what)
                .Number("done", progress.done)
                .Number("total", progress.total)
                .Number("rate", static_cast<std::uint64_t>(rate))
                .Finish()
         << std::endl;
  } else if (style_ == Style::kBar) {
    err_ << '\r' << BarLine(progress, rate) << "\x1b[K" << std::flush;
    drawn_ = true;
  } else {
    err_ << TextLine(progress, rate) << std::endl;
  }
}

void ProgressMeter::Clear() {
  if (drawn_) err_ << "\r\x1b[K" << std::flush;
  drawn_ = false;
}

std::string ProgressMeter::BarLine(const Progress& progress, double rate) const {
  if (progress.total == 0) return TextLine(progress, rate);
  const std::size_t full = kBarCells * Percent(progress) / 100;
  return Printable(progress.what, 40) + " [" + std::string(full, '#') +
         std::string(kBarCells - full, '.') + "] " + std::to_string(Percent(progress)) + " %, " +
         Grouped(static_cast<std::uint64_t>(rate)) + "/s" + TimeLeft(progress, rate);
}

std::string ProgressMeter::TextLine(const Progress& progress, double rate) const {
  std::string text = Printable(progress.what, 256) + ": " + Grouped(progress.done);
  if (progress.total > 0)
    text += " of " + Grouped(progress.total) + " (" + std::to_string(Percent(progress)) + " %)";
  return text + ", " + Grouped(static_cast<std::uint64_t>(rate)) + "/s" + TimeLeft(progress, rate);
}

}  // namespace dirsync::cli
