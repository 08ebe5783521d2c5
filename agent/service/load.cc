// load: LDIF content records as local entries, in commits of many, resumed where a killed one
// stopped. Groups come in two passes of their own, since members may stand behind them.
#include <algorithm>

#include "agent/file/ldif.h"
#include "agent/service/bulk.h"
#include "agent/service/bulk_steps.h"
#include "agent/service/ldif_entry.h"
#include "proto/base/bytes.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "storage/key.h"

namespace dirsync {
namespace {

constexpr std::size_t kNotesKept = 100;
constexpr std::size_t kProgressEvery = 8192;
constexpr std::size_t kIdentityBytes = 64 * limits::kKiB;

enum class Pass : std::uint8_t { kEntries = 1, kGroups = 2, kMembers = 3 };

// Which file a killed load was reading: its size and both ends.
Result<std::string> IdentityOf(ByteSource& source) {
  std::string bytes = std::to_string(source.size()) + "\n";
  DIRSYNC_CHECK(source.Read(0, kIdentityBytes, bytes));
  std::uint64_t tail = source.size() > kIdentityBytes ? source.size() - kIdentityBytes : 0;
  DIRSYNC_CHECK(source.Read(tail, kIdentityBytes, bytes));
  return DigestOf(bytes).hex();
}

// Not of one record: everything else is skipped with it.
bool EndsLoad(ErrorCode code) {
  return code == ErrorCode::kIo || code == ErrorCode::kCorrupt || code == ErrorCode::kDiskFull;
}

class Load {
 public:
  Load(Store& store, ByteSource& source, bool replace,
       const std::function<void(const Progress&)>& progress, bool dry_run)
      : store_(store),
        source_(source),
        replace_(replace),
        progress_(progress),
        dry_run_(dry_run),
        ids_(MakeIds(store.world())),
        steps_(store) {}

  Result<LoadReport> Run();

 private:
  Result<> Resume();
  Result<> RunPass(Pass pass);
  Result<> TakeRecord(LdifRecord& record);
  Result<> TakeEntry(LdifEntry fresh, const LdifRecord& record);
  Result<> TakeExisting(const Entry& held, const LdifEntry& fresh);
  Result<> TakeMembers(const LdifEntry& group, std::uint64_t line);
  Result<std::string> MemberOf(const std::string& written);
  Result<std::optional<Entry>> Find(const LdifEntry& fresh);
  void Skip(std::uint64_t line, const std::string& reason);
  Result<> Commit(std::uint64_t offset);
  Directory& directory();

  Store& store_;
  ByteSource& source_;
  bool replace_;
  const std::function<void(const Progress&)>& progress_;
  bool dry_run_;
  IdSource ids_;
  BulkSteps steps_;
  std::unique_ptr<storage::Transaction> transaction_;
  std::unique_ptr<Directory> directory_;
  std::string job_;
  Pass pass_ = Pass::kEntries;
  std::uint64_t offset_ = 0;
  bool groups_ = false;
  std::uint64_t taken_ = 0;
  IgnoredAttributes ignored_;
  LoadReport report_;
};

Directory& Load::directory() {
  if (!transaction_) {
    transaction_ = std::make_unique<storage::Transaction>(steps_.view());
    directory_ =
        std::make_unique<Directory>(*transaction_, store_.profile(), ids_, store_.world().Now());
  }
  return *directory_;
}

Result<LoadReport> Load::Run() {
  DIRSYNC_TRY(identity, IdentityOf(source_));
  job_ = storage::ProgressKey("load/" + identity);
  DIRSYNC_CHECK(Resume());
  for (Pass pass : {Pass::kEntries, Pass::kGroups, Pass::kMembers}) {
    if (pass < pass_ || (pass != Pass::kEntries && !groups_)) continue;
    DIRSYNC_CHECK(RunPass(pass));
    offset_ = 0;
  }
  if (!dry_run_) {
    directory();
    transaction_->Delete(job_);
    DIRSYNC_CHECK(steps_.Commit(*transaction_));
  }
  for (const auto& [name, count] : ignored_)
    report_.notes.push_back("ignored attribute " + Printable(name) + ": " + std::to_string(count) +
                            " values");
  return std::move(report_);
}

Result<> Load::Resume() {
  if (dry_run_) return {};
  DIRSYNC_TRY(row, store_.storage().Get(job_));
  if (!row) return {};
  RowReader in(*row);
  pass_ = static_cast<Pass>(in.U8());
  offset_ = in.Varint();
  groups_ = in.U8() != 0;
  report_.added = in.Varint();
  report_.unchanged = in.Varint();
  report_.skipped = in.Varint();
  report_.resumed = true;
  return {};
}

Result<> Load::Commit(std::uint64_t offset) {
  directory();
  if (dry_run_) {
    // Later records must see the earlier ones, so all of them stay in memory.
    if (transaction_->bytes() <= limits::kDryRunBytes) return {};
    return Fail(ErrorCode::kTooLarge, "dry run of a load: too much to hold in memory",
                "load into a copy: dirsync backup DIR, then dirsync --store COPY restore DIR");
  }
  std::string row;
  RowWriter out(row);
  out.U8(static_cast<std::uint8_t>(pass_));
  out.Varint(offset);
  out.U8(groups_ ? 1 : 0);
  out.Varint(report_.added);
  out.Varint(report_.unchanged);
  out.Varint(report_.skipped);
  transaction_->Put(job_, std::move(row));
  DIRSYNC_CHECK(store_.CheckRoom());
  DIRSYNC_CHECK(steps_.CommitStep(*transaction_));
  directory_.reset();
  transaction_.reset();
  return {};
}

Result<> Load::RunPass(Pass pass) {
  pass_ = pass;
  DIRSYNC_CHECK(ReadLdif(source_, offset_, [&](LdifRecord& record) { return TakeRecord(record); }));
  return Commit(source_.size());
}

Result<> Load::TakeRecord(LdifRecord& record) {
  if (progress_ && ++taken_ % kProgressEvery == 0)
    progress_({"loading", record.offset, source_.size()});
  IgnoredAttributes unused;
  auto fresh = ToEntry(store_.profile(), record, pass_ == Pass::kEntries ? ignored_ : unused);
  if (!fresh) {
    if (pass_ == Pass::kEntries) Skip(record.line, fresh.error().message);
    return {};
  }
  bool group = fresh->entry.entry_class == EntryClass::kDistributionList;
  groups_ = groups_ || group;
  if (group != (pass_ != Pass::kEntries)) return {};
  auto done = pass_ == Pass::kMembers ? TakeMembers(*fresh, record.line)
                                      : TakeEntry(std::move(*fresh), record);
  if (!done) {
    if (EndsLoad(done.error().code)) return done;
    Skip(record.line, done.error().message);
  }
  if (!transaction_ || !BulkSteps::IsFull(*transaction_)) return {};
  return Commit(record.offset);
}

void Load::Skip(std::uint64_t line, const std::string& reason) {
  ++report_.skipped;
  if (report_.notes.size() < kNotesKept)
    report_.notes.push_back("line " + std::to_string(line) + ": " + reason);
}

// Most entries are new and are handed over; only for one that is there the record is read again.
Result<> Load::TakeEntry(LdifEntry fresh, const LdifRecord& record) {
  auto added = directory().Add(std::move(fresh.entry));
  if (added) {
    ++report_.added;
    return {};
  }
  if (added.error().code != ErrorCode::kExists) return std::unexpected(added.error());
  IgnoredAttributes counted;
  DIRSYNC_TRY(again, ToEntry(store_.profile(), record, counted));
  DIRSYNC_TRY(held, Find(again));
  if (!held) return std::unexpected(added.error());
  return TakeExisting(*held, again);
}

// The entry that stands where the record would.
Result<std::optional<Entry>> Load::Find(const LdifEntry& fresh) {
  EntryStore& entries = directory().entries();
  Dn base = store_.profile().basepoint();
  EntryId parent;
  if (!fresh.entry.container.empty()) {
    DIRSYNC_TRY(dn, ContainerDn(base, fresh.entry.container));
    DIRSYNC_TRY(container, entries.ContainerAt(base, dn));
    parent = container;
  }
  DIRSYNC_TRY(id, entries.FindChild(parent, fresh.entry.name));
  if (!id) return std::nullopt;
  return entries.Get(*id);
}

Result<> Load::TakeExisting(const Entry& held, const LdifEntry& fresh) {
  EntryEdit edit;
  for (const Attribute& attribute : fresh.entry.attributes) {
    const Attribute* has = held.attributes.Find(attribute.name);
    bool same = has != nullptr && std::ranges::all_of(attribute.values, [&](const std::string& v) {
                  return std::ranges::find(has->values, v) != has->values.end();
                });
    if (!same) edit.set.push_back(attribute);
  }
  if (edit.set.empty()) {
    ++report_.unchanged;
    return {};
  }
  if (!replace_)
    return Fail(ErrorCode::kExists, Printable(fresh.entry.name) + " is there with another " +
                                        edit.set.front().name + " (load --replace overwrites)");
  DIRSYNC_CHECK(directory().Edit(held, edit));
  ++report_.added;
  return {};
}

Result<std::string> Load::MemberOf(const std::string& written) {
  if (auto reference = Reference::Parse(written)) return reference->ToString();
  DIRSYNC_TRY(dn, DnOfLdap(store_.profile(), written));
  DIRSYNC_TRY(entry, directory().Resolve(dn.ToString()));
  if (entry.origin) return entry.origin->ToString();
  return Reference{store_.profile().site, entry.id}.ToString();
}

// A member that is not known is skipped alone: the group has the others.
Result<> Load::TakeMembers(const LdifEntry& group, std::uint64_t line) {
  if (group.members.empty()) return {};
  DIRSYNC_TRY(held, Find(group));
  if (!held) return {};
  EntryEdit edit;
  edit.add_values.push_back({std::string(attribute::kMember), {}});
  for (const std::string& written : group.members) {
    auto member = MemberOf(written);
    if (member) {
      edit.add_values.back().values.push_back(std::move(*member));
    } else if (EndsLoad(member.error().code)) {
      return std::unexpected(std::move(member).error());
    } else {
      Skip(line, "member of " + Printable(group.entry.name) + ": " + member.error().message);
    }
  }
  if (edit.add_values.back().values.empty()) return {};
  DIRSYNC_CHECK(directory().Edit(*held, edit));
  return {};
}

}  // namespace

Result<LoadReport> LoadLdif(Store& store, const std::string& file, bool replace,
                            const std::function<void(const Progress&)>& progress, bool dry_run) {
  DIRSYNC_TRY(source, store.world().files().Open(file));
  return Load(store, *source, replace, progress, dry_run).Run();
}

}  // namespace dirsync
