#include "agent/core/producer_state.h"

#include <algorithm>
#include <utility>

#include "proto/base/bytes.h"
#include "proto/base/limits.h"

namespace dirsync {
namespace {

constexpr std::uint8_t kFormat = 1;

void PutEpoch(RowWriter& writer, const Epoch& epoch) {
  writer.Varint(epoch.counter);
  writer.Id(epoch.id);
}

Epoch TakeEpoch(RowReader& reader) {
  Epoch epoch;
  epoch.counter = reader.Varint();
  epoch.id = reader.Id<EpochId>();
  return epoch;
}

void PutPosition(RowWriter& writer, const Position& position) {
  PutEpoch(writer, position.epoch);
  writer.Varint(position.sequence);
  writer.Id(position.digest);
}

Position TakePosition(RowReader& reader) {
  Position position;
  position.epoch = TakeEpoch(reader);
  position.sequence = reader.Varint();
  position.digest = reader.Id<Digest>();
  return position;
}

void PutTerms(RowWriter& writer, const StreamTerms& terms) {
  writer.Id(terms.hash_key);
  writer.Bytes(terms.address_type);
  writer.Varint(terms.attributes.size());
  for (const std::string& name : terms.attributes) writer.Bytes(name);
}

StreamTerms TakeTerms(RowReader& reader) {
  StreamTerms terms;
  terms.hash_key = reader.Id<HashKey>();
  terms.address_type = reader.Bytes();
  const std::uint64_t count = reader.Varint();
  for (std::uint64_t i = 0; i < count && reader.ok(); ++i)
    terms.attributes.emplace_back(reader.Bytes());
  return terms;
}

void PutCompare(RowWriter& writer, const std::optional<CompareJob>& job) {
  writer.U8(job.has_value());
  if (!job) return;
  writer.Varint(job->usn_at_start);
  writer.U8(job->first_scan);
  writer.U8(static_cast<std::uint8_t>(job->stage));
  writer.Id(job->after);
}

std::optional<CompareJob> TakeCompare(RowReader& reader) {
  if (reader.U8() == 0) return std::nullopt;
  CompareJob job;
  job.usn_at_start = reader.Varint();
  job.first_scan = reader.U8() != 0;
  job.stage = static_cast<CompareStage>(reader.U8());
  job.after = reader.Id<EntryId>();
  return job;
}

bool IsSound(const ProducerState& state) {
  const bool stage = !state.compare || (state.compare->stage >= CompareStage::kContainers &&
                                        state.compare->stage <= CompareStage::kRest);
  return stage && state.number != 0 && state.trimmed <= state.sequence;
}

void DropRange(storage::Transaction& transaction, const std::string& lower,
               const std::string& upper) {
  const auto cursor = transaction.Scan(lower, upper);
  for (; cursor->Valid(); cursor->Next()) transaction.Delete(std::string(cursor->Key()));
}

}  // namespace

std::string EncodeProducer(const ProducerState& state) {
  std::string row;
  RowWriter writer(row);
  writer.U8(kFormat);
  writer.U32Big(state.number);
  writer.Bytes(state.name.organization);
  writer.Bytes(state.name.site);
  writer.Bytes(state.name.instance);
  PutPosition(writer, state.position());
  PutPosition(writer, state.previous_epoch);
  PutTerms(writer, state.terms);
  writer.Id(state.scope);
  writer.Varint(state.mark);
  writer.U64Big(state.sum.high);
  writer.U64Big(state.sum.low);
  writer.Varint(state.rows);
  writer.Varint(state.trimmed);
  writer.Varint(state.outbox_bytes);
  writer.U8(state.seen);
  PutCompare(writer, state.compare);
  return row;
}

Result<ProducerState> DecodeProducer(std::string_view row) {
  RowReader reader(row);
  const std::uint8_t format = reader.U8();
  ProducerState state;
  state.number = reader.U32Big();
  state.name.organization = reader.Bytes();
  state.name.site = reader.Bytes();
  state.name.instance = reader.Bytes();
  const Position position = TakePosition(reader);
  state.epoch = position.epoch;
  state.sequence = position.sequence;
  state.digest = position.digest;
  state.previous_epoch = TakePosition(reader);
  state.terms = TakeTerms(reader);
  state.scope = reader.Id<Digest>();
  state.mark = reader.Varint();
  state.sum.high = reader.U64Big();
  state.sum.low = reader.U64Big();
  state.rows = reader.Varint();
  state.trimmed = reader.Varint();
  state.outbox_bytes = reader.Varint();
  state.seen = reader.U8() != 0;
  state.compare = TakeCompare(reader);
  if (format == kFormat && reader.ok() && reader.at_end() && IsSound(state)) return state;
  return Fail(ErrorCode::kCorrupt, "read state of a stream: damaged or of an unknown format");
}

Result<std::optional<ProducerState>> LoadProducer(const storage::ReadView& view,
                                                  storage::StreamNumber number) {
  DIRSYNC_TRY(row, view.Get(storage::StreamKey(number)));
  if (!row) return std::nullopt;
  DIRSYNC_TRY(state, DecodeProducer(*row));
  return std::optional<ProducerState>(std::move(state));
}

void StoreProducer(storage::Transaction& transaction, const ProducerState& state) {
  transaction.Put(storage::StreamKey(state.number), EncodeProducer(state));
}

ProducerState NewProducer(storage::StreamNumber number, StreamName name, std::uint64_t counter,
                          IdSource& ids) {
  ProducerState state;
  state.number = number;
  state.name = std::move(name);
  state.epoch = {counter == 0 ? 1 : counter, ids.NextEpochId()};
  state.terms.hash_key = ids.NextHashKey();
  return state;
}

Result<> BeginEpoch(storage::Transaction& transaction, ProducerState& state, IdSource& ids) {
  const auto [outbox, outbox_end] = storage::StreamRange(storage::Table::kOutbox, state.number);
  DropRange(transaction, outbox, outbox_end);
  const auto [digest, digest_end] = storage::StreamRange(storage::Table::kDigest, state.number);
  DropRange(transaction, digest, digest_end);
  // Nobody can stand in an epoch that never had its START: START names the last one that had.
  if (state.sequence > 0) state.previous_epoch = state.position();
  state.epoch = {state.epoch.counter + 1, ids.NextEpochId()};
  state.sequence = 0;
  state.digest = {};
  state.trimmed = 0;
  state.outbox_bytes = 0;
  state.seen = false;
  return {};
}

void TakeWants(storage::Transaction& transaction, const ProducerState& state,
               const std::vector<EntryId>& ids) {
  const std::size_t count = std::min(ids.size(), limits::kWantIds);
  for (std::size_t i = 0; i < count; ++i)
    transaction.Put(storage::WantedKey(state.number, ids[i]), {});
}

}  // namespace dirsync
