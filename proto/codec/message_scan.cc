#include "proto/codec/message_scan.h"

#include <cstdint>
#include <string>

#include "proto/base/limits.h"
#include "proto/codec/wire_field.h"

namespace dirsync::codec {
namespace {

constexpr std::uint32_t kLastBody = 23;

// A repeated field of a body, or one within a field of it, by the numbers of
// proto/wire/message.proto.
struct Rule {
  std::uint32_t body = 0;
  std::uint32_t field = 0;
  std::uint32_t inner = 0;  // 0: `field` itself
  std::size_t most = 0;     // in the whole message
};
constexpr Rule kRules[] = {
    {1, 7, 0, limits::kStreamsPerSite},     // HELLO: produced
    {2, 7, 0, limits::kStreamsPerSite},     // WELCOME: produced
    {2, 7, 5, limits::kSites},              // their readers
    {7, 1, 0, limits::kStreamsPerMessage},  // STREAMS: logs
    {13, 4, 0, limits::kWantIds},           // ACK: wants
    {18, 1, 0, limits::kRosterPerMessage},  // ROSTER: entries
    {19, 7, 0, limits::kDomainsPerSite},    // JOIN: domains
    {20, 4, 1, limits::kRosterPerMessage},  // JOINED: entries of its roster
    {21, 5, 0, limits::kRequestWords},      // ADMIN: words
    {23, 4, 0, 2 * limits::kReportInstances},
};

std::unexpected<Error> Bad(ErrorCode code, std::string cause) {
  return Fail(code, "scan message: " + std::move(cause));
}

// Adds the fields with that number to `count`.
Result<> Count(std::string_view message, std::uint32_t number, std::size_t most,
               std::size_t& count) {
  RowReader reader(message);
  for (WireField field; !reader.at_end();) {
    if (!NextField(reader, field)) return Bad(ErrorCode::kBadRecord, "no protobuf");
    if (field.number == number && field.delimited && ++count > most)
      return Bad(ErrorCode::kTooLarge, "more than " + std::to_string(most) + " parts");
  }
  return {};
}

Result<> CountInside(std::string_view message, const Rule& rule) {
  std::size_t count = 0;
  RowReader reader(message);
  for (WireField field; !reader.at_end();) {
    if (!NextField(reader, field)) return Bad(ErrorCode::kBadRecord, "no protobuf");
    if (field.number == rule.field && field.delimited)
      DIRSYNC_CHECK(Count(field.bytes, rule.inner, rule.most, count));
  }
  return {};
}

Result<> ScanBody(std::uint32_t body, std::string_view bytes) {
  for (const Rule& rule : kRules) {
    if (rule.body != body) continue;
    std::size_t count = 0;
    DIRSYNC_CHECK(rule.inner == 0 ? Count(bytes, rule.field, rule.most, count)
                                  : CountInside(bytes, rule));
  }
  return {};
}

}  // namespace

Result<> ScanHeader(std::string_view header) {
  bool has_body = false;
  RowReader reader(header);
  for (WireField field; !reader.at_end();) {
    if (!NextField(reader, field)) return Bad(ErrorCode::kBadRecord, "no protobuf");
    if (field.number > kLastBody || !field.delimited) continue;
    // Each would take the place of the one before, and be built for it.
    if (has_body) return Bad(ErrorCode::kBadRecord, "two bodies");
    has_body = true;
    DIRSYNC_CHECK(ScanBody(field.number, field.bytes));
  }
  return {};
}

}  // namespace dirsync::codec
