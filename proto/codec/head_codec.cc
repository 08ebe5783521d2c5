#include "proto/codec/head_codec.h"

#include <algorithm>

#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "proto/codec/change_codec.h"
#include "proto/codec/wire_id.h"
#include "proto/model/dn.h"
#include "proto/wire/batch.pb.h"

namespace dirsync::codec {
namespace {

constexpr std::size_t kAddressTypeBytes = 16;
constexpr std::size_t kHeadBytes = 128 * limits::kKiB;
static_assert(kHeadBytes > limits::kToldAttributes * (limits::kAttributeNameBytes + 3) + 4096);

std::unexpected<Error> Bad(std::string cause) {
  return Fail(ErrorCode::kBadRecord, "head: " + std::move(cause));
}

void FillRun(const RunTotals& run, wire::Run& out) {
  FillId(run.run, out.mutable_run());
  for (const auto& [entry_class, totals] : run.by_class) {
    wire::ClassTotals& row = *out.add_classes();
    row.set_entry_class(static_cast<std::uint32_t>(entry_class));
    row.set_adds(totals.adds);
    row.set_modifies(totals.modifies);
    row.set_renames(totals.renames);
    row.set_deletes(totals.deletes);
    row.set_retargets(totals.retargets);
  }
}

Result<> ParseRun(const wire::Run& message, RunTotals& run) {
  if (!ParseId(message.run(), run.run)) return Bad("run is not of 16 bytes");
  std::uint32_t before = 0;
  for (const wire::ClassTotals& row : message.classes()) {
    if (row.entry_class() <= before || row.entry_class() > 4)
      return Bad("classes of the run are unknown or not ascending");
    before = row.entry_class();
    run.by_class[static_cast<EntryClass>(before)] = {row.adds(), row.modifies(), row.renames(),
                                                     row.deletes(), row.retargets()};
  }
  return {};
}

void FillPosition(const Position& position, wire::Position& out) {
  out.set_epoch_counter(position.epoch.counter);
  FillId(position.epoch.id, out.mutable_epoch_id());
  out.set_sequence(position.sequence);
  FillId(position.digest, out.mutable_digest());
}

Result<> ParsePosition(const wire::Position& message, Position& position) {
  position.epoch.counter = message.epoch_counter();
  position.sequence = message.sequence();
  if (!ParseId(message.epoch_id(), position.epoch.id)) return Bad("epoch is not of 16 bytes");
  if (!ParseId(message.digest(), position.digest)) return Bad("digest is not of 32 bytes");
  return {};
}

void FillBounds(const RangeBounds& range, wire::Bounds& out) {
  out.set_rank_after(range.rank_after);
  FillId(range.after, out.mutable_after());
  out.set_rank_last(range.rank_last);
  FillId(range.last, out.mutable_last());
  out.set_end(range.end);
}

Result<> ParseBounds(const wire::Bounds& message, RangeBounds& range) {
  if (message.rank_after() > UINT8_MAX || message.rank_last() > UINT8_MAX)
    return Bad("a rank of the range over 255");
  range.rank_after = static_cast<std::uint8_t>(message.rank_after());
  range.rank_last = static_cast<std::uint8_t>(message.rank_last());
  range.end = message.end();
  if (!ParseId(message.after(), range.after) || !ParseId(message.last(), range.last))
    return Bad("bounds of the range are not of 16 bytes");
  return {};
}

Result<> CheckTerms(const StreamTerms& terms) {
  if (terms.address_type.size() > kAddressTypeBytes ||
      (!terms.address_type.empty() && !IsAttributeName(terms.address_type)))
    return Bad("address type \"" + Printable(terms.address_type, 80) + "\"");
  if (terms.attributes.size() > limits::kToldAttributes)
    return Bad("more than 1024 told attributes");
  for (const std::string& name : terms.attributes)
    if (name != "*" && !IsAttributeName(name))
      return Bad("told attribute \"" + Printable(name, 80) + "\"");
  return {};
}

}  // namespace

std::string EncodeHead(const Batch& batch) {
  wire::BatchHead head;
  head.mutable_stream()->set_organization(batch.stream.organization);
  head.mutable_stream()->set_site(batch.stream.site);
  head.mutable_stream()->set_instance(batch.stream.instance);
  head.set_time_ms(ToMillis(batch.time));
  wire::Terms& terms = *head.mutable_terms();
  FillId(batch.terms.hash_key, terms.mutable_hash_key());
  terms.set_address_type(batch.terms.address_type);
  for (const std::string& name : batch.terms.attributes) terms.add_attributes(name);
  FillRun(batch.run, *head.mutable_run());
  head.mutable_sum_after()->set_high(batch.sum_after.high);
  head.mutable_sum_after()->set_low(batch.sum_after.low);
  head.set_rows_after(batch.rows_after);
  if (batch.previous_epoch != Position{})
    FillPosition(batch.previous_epoch, *head.mutable_previous_epoch());
  if (batch.kind == BatchKind::kRange) FillBounds(batch.range, *head.mutable_range());
  return head.SerializeAsString();
}

Result<> ParseHead(std::string_view encoded, Batch& batch) {
  // Its repeated fields have no other bound than the size of the whole.
  if (encoded.size() > kHeadBytes) return Bad("over 128 KiB");
  wire::BatchHead head;
  if (!head.ParseFromArray(encoded.data(), static_cast<int>(encoded.size())))
    return Bad("no message of a head");
  batch.stream = {head.stream().organization(), head.stream().site(), head.stream().instance()};
  batch.time = FromMillis(head.time_ms());
  if (!ParseId(head.terms().hash_key(), batch.terms.hash_key))
    return Bad("hash key is not of 16 bytes");
  batch.terms.address_type = head.terms().address_type();
  batch.terms.attributes.assign(head.terms().attributes().begin(), head.terms().attributes().end());
  DIRSYNC_CHECK(ParseRun(head.run(), batch.run));
  batch.sum_after = {head.sum_after().high(), head.sum_after().low()};
  batch.rows_after = head.rows_after();
  DIRSYNC_CHECK(ParsePosition(head.previous_epoch(), batch.previous_epoch));
  if (batch.kind == BatchKind::kRange) DIRSYNC_CHECK(ParseBounds(head.range(), batch.range));
  return CheckHead(batch);
}

Result<> CheckHead(const Batch& batch) {
  for (const std::string* part :
       {&batch.stream.organization, &batch.stream.site, &batch.stream.instance})
    if (Result<> name = CheckName("stream name", *part); !name) return Bad(name.error().message);
  for (const auto& [entry_class, totals] : batch.run.by_class)
    if (ClassName(entry_class) == "unknown") return Bad("unknown class in the run's totals");
  return CheckTerms(batch.terms);
}

}  // namespace dirsync::codec
