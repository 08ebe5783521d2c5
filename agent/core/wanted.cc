#include "agent/core/wanted.h"

#include "proto/base/bytes.h"

namespace dirsync {
namespace {

constexpr std::uint8_t kVersion = 1;

}  // namespace

void PutWanted(storage::Transaction& transaction, storage::StreamNumber number, const EntryId& id,
               const Version& version) {
  std::string value;
  RowWriter writer(value);
  writer.U8(kVersion);
  writer.Varint(version.epoch_counter);
  writer.Varint(version.sequence);
  transaction.Put(storage::WantedKey(number, id), std::move(value));
}

Result<Version> DecodeWanted(std::string_view value) {
  RowReader reader(value);
  const std::uint8_t format = reader.U8();
  const std::uint64_t counter = reader.Varint();
  const Version version{counter, reader.Varint()};
  if (format != kVersion || !reader.ok() || !reader.at_end())
    return Fail(ErrorCode::kCorrupt, "read wanted row: damaged or of an unknown format");
  return version;
}

Result<> DropAnswered(storage::Transaction& transaction, storage::StreamNumber number,
                      const Version& version) {
  const auto range = storage::StreamRange(storage::Table::kWanted, number);
  auto cursor = transaction.Scan(range.first, range.second);
  for (; cursor->Valid(); cursor->Next()) {
    DIRSYNC_TRY(wanted, DecodeWanted(cursor->Value()));
    if (wanted <= version) transaction.Delete(std::string(cursor->Key()));
  }
  return cursor->status();
}

Result<bool> IsAnyWanted(const storage::ReadView& view, storage::StreamNumber number) {
  const auto range = storage::StreamRange(storage::Table::kWanted, number);
  auto cursor = view.Scan(range.first, range.second);
  const bool any = cursor->Valid();
  DIRSYNC_CHECK(cursor->status());
  return any;
}

}  // namespace dirsync
