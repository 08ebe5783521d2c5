#include "agent/core/instance.h"

#include <algorithm>
#include <utility>

#include "proto/base/bytes.h"
#include "proto/base/crypto.h"
#include "proto/base/text.h"
#include "storage/key.h"

namespace dirsync {
namespace {

constexpr std::uint8_t kFormat = 2;  // 1: before there were transports

using Texts = std::vector<std::string>;

void PutTexts(RowWriter& writer, const Texts& texts) {
  writer.Varint(texts.size());
  for (const std::string& text : texts) writer.Bytes(text);
}

Texts TakeTexts(RowReader& reader) {
  const std::uint64_t count = reader.Varint();
  Texts texts;
  for (std::uint64_t i = 0; i < count && reader.ok(); ++i) texts.emplace_back(reader.Bytes());
  return texts;
}

void PutClasses(RowWriter& writer, const std::vector<EntryClass>& classes) {
  writer.Varint(classes.size());
  for (EntryClass entry_class : classes) writer.U8(static_cast<std::uint8_t>(entry_class));
}

std::vector<EntryClass> TakeClasses(RowReader& reader) {
  const std::uint64_t count = reader.Varint();
  std::vector<EntryClass> classes;
  for (std::uint64_t i = 0; i < count && reader.ok(); ++i)
    classes.push_back(static_cast<EntryClass>(reader.U8()));
  return classes;
}

bool IsClass(EntryClass entry_class) {
  return entry_class >= EntryClass::kContainer && entry_class <= EntryClass::kDistributionList;
}

bool IsSound(const InstanceSettings& settings) {
  return std::ranges::all_of(settings.classes, IsClass) && IsClass(settings.import_class) &&
         settings.join >= JoinBy::kAddress && settings.join <= JoinBy::kNone &&
         settings.transport >= Transport::kFile && settings.transport <= Transport::kBoth;
}

void PutImport(RowWriter& writer, const InstanceSettings& settings) {
  writer.Bytes(settings.import_file);
  writer.Bytes(settings.import_container);
  PutTexts(writer, settings.domains);
  writer.Bytes(settings.target);
  writer.U8(static_cast<std::uint8_t>(settings.join));
  writer.U8(settings.max_deletes.has_value());
  if (settings.max_deletes) {
    writer.Varint(settings.max_deletes->count);
    writer.U8(settings.max_deletes->percent);
  }
  writer.Bytes(settings.display_name_format);
  writer.U8(settings.mv_append);
  writer.U8(static_cast<std::uint8_t>(settings.import_class));
  writer.Bytes(settings.home_server);
  writer.U8(settings.complete);
}

void TakeImport(RowReader& reader, InstanceSettings& settings) {
  settings.import_file = reader.Bytes();
  settings.import_container = reader.Bytes();
  settings.domains = TakeTexts(reader);
  settings.target = reader.Bytes();
  settings.join = static_cast<JoinBy>(reader.U8());
  if (reader.U8() != 0) {
    DeleteBudget budget;
    budget.count = reader.Varint();
    budget.percent = reader.U8() != 0;
    settings.max_deletes = budget;
  }
  settings.display_name_format = reader.Bytes();
  settings.mv_append = reader.U8() != 0;
  settings.import_class = static_cast<EntryClass>(reader.U8());
  settings.home_server = reader.Bytes();
  settings.complete = reader.U8() != 0;
}

// Ascending, each once: an order that says nothing must not ask for a compare.
Texts Normal(Texts texts) {
  std::ranges::sort(texts);
  const auto [first, last] = std::ranges::unique(texts);
  texts.erase(first, last);
  return texts;
}

Texts Folded(Texts texts) {
  for (std::string& text : texts) text = FoldName(text);
  return texts;
}

Result<std::uint32_t> DecodeNumber(std::string_view series, std::string_view row) {
  RowReader reader(row);
  const std::uint32_t number = reader.U32Big();
  if (reader.ok() && reader.at_end() && number != 0) return number;
  return Fail(ErrorCode::kCorrupt,
              "read number of \"" + Printable(series) + "\": damaged row in the store");
}

}  // namespace

std::string EncodeInstance(const InstanceSettings& settings) {
  std::string row;
  RowWriter writer(row);
  writer.U8(kFormat);
  writer.Bytes(settings.name);
  writer.U8(settings.exports);
  writer.U8(settings.imports);
  writer.Bytes(settings.export_file);
  PutTexts(writer, settings.containers);
  writer.U8(settings.subs);
  PutTexts(writer, settings.attributes);
  PutClasses(writer, settings.classes);
  writer.Bytes(settings.filter);
  writer.Bytes(settings.address_type);
  writer.Bytes(settings.server);
  writer.U8(settings.hidden);
  PutTexts(writer, settings.readers);
  PutImport(writer, settings);
  writer.U8(static_cast<std::uint8_t>(settings.transport));
  writer.U8(settings.paused);
  return row;
}

Result<InstanceSettings> DecodeInstance(std::string_view row) {
  RowReader reader(row);
  const std::uint8_t format = reader.U8();
  InstanceSettings settings;
  settings.name = reader.Bytes();
  settings.exports = reader.U8() != 0;
  settings.imports = reader.U8() != 0;
  settings.export_file = reader.Bytes();
  settings.containers = TakeTexts(reader);
  settings.subs = reader.U8() != 0;
  settings.attributes = TakeTexts(reader);
  settings.classes = TakeClasses(reader);
  settings.filter = reader.Bytes();
  settings.address_type = reader.Bytes();
  settings.server = reader.Bytes();
  settings.hidden = reader.U8() != 0;
  settings.readers = TakeTexts(reader);
  TakeImport(reader, settings);
  if (format >= 2) {
    settings.transport = static_cast<Transport>(reader.U8());
    settings.paused = reader.U8() != 0;
  }
  const bool known = format >= 1 && format <= kFormat;
  if (known && reader.ok() && reader.at_end() && IsSound(settings)) return settings;
  return Fail(ErrorCode::kCorrupt, "read settings of an instance: damaged or of an unknown format");
}

Result<InstanceSettings> LoadInstance(const storage::ReadView& view, std::string_view name) {
  DIRSYNC_TRY(row, view.Get(storage::InstanceKey(FoldName(name))));
  if (row) return DecodeInstance(*row);
  DIRSYNC_TRY(all, ListInstances(view));
  Texts names;
  for (const InstanceSettings& settings : all) names.push_back(settings.name);
  const Texts near = Nearest(name, names);
  std::string hint = near.empty()
                         ? "`dirsync instance list` shows what is there; `dirsync instance set`"
                           " makes a new one"
                         : "did you mean " + Join(near, " or ") + "?";
  return Fail(ErrorCode::kNotFound, "find instance \"" + Printable(name) + "\": no such instance",
              std::move(hint));
}

Result<std::vector<InstanceSettings>> ListInstances(const storage::ReadView& view) {
  const auto [lower, upper] = storage::TableRange(storage::Table::kInstance);
  std::vector<InstanceSettings> all;
  const auto cursor = view.Scan(lower, upper);
  for (; cursor->Valid(); cursor->Next()) {
    DIRSYNC_TRY(settings, DecodeInstance(cursor->Value()));
    all.push_back(std::move(settings));
  }
  DIRSYNC_CHECK(cursor->status());
  return all;
}

void StoreInstance(storage::Transaction& transaction, const InstanceSettings& settings) {
  transaction.Put(storage::InstanceKey(FoldName(settings.name)), EncodeInstance(settings));
}

Digest ScopeDigest(const InstanceSettings& settings, std::string_view address_type) {
  std::string text;
  RowWriter writer(text);
  PutTexts(writer, Normal(Folded(settings.containers)));
  writer.U8(settings.subs);
  PutTexts(writer, Normal(settings.attributes));
  std::vector<EntryClass> classes = settings.classes;
  std::ranges::sort(classes);
  const auto [first, last] = std::ranges::unique(classes);
  classes.erase(first, last);
  PutClasses(writer, classes);
  writer.Bytes(settings.filter);
  writer.Bytes(ToUpperAscii(address_type));
  writer.Bytes(FoldName(settings.server));
  writer.U8(settings.hidden);
  return DigestOf(text);
}

Result<std::uint32_t> NumberOf(storage::Transaction& transaction, std::string_view series) {
  DIRSYNC_TRY(known, FindNumber(transaction, series));
  if (known) return *known;
  const auto [lower, upper] = storage::TableRange(storage::Table::kNumber);
  std::uint32_t highest = 0;
  const auto cursor = transaction.Scan(lower, upper);
  for (; cursor->Valid(); cursor->Next()) {
    DIRSYNC_TRY(number, DecodeNumber(cursor->Key().substr(1), cursor->Value()));
    highest = std::max(highest, number);
  }
  DIRSYNC_CHECK(cursor->status());
  std::string row;
  RowWriter(row).U32Big(highest + 1);
  transaction.Put(storage::NumberKey(FoldName(series)), std::move(row));
  return highest + 1;
}

Result<std::optional<std::uint32_t>> FindNumber(const storage::ReadView& view,
                                                std::string_view series) {
  DIRSYNC_TRY(row, view.Get(storage::NumberKey(FoldName(series))));
  if (!row) return std::nullopt;
  DIRSYNC_TRY(number, DecodeNumber(series, *row));
  return std::optional<std::uint32_t>(number);
}

}  // namespace dirsync
