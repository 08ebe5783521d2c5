#include "agent/core/apply_context.h"

#include <utility>

#include "proto/base/bytes.h"
#include "proto/base/crypto.h"

namespace dirsync {
namespace {

constexpr std::string_view kAdhocOwner = "\x01";  // value of an owner row; of streams: empty

std::pair<std::string, std::string> OwnerRange(const EntryId& local) {
  std::string key = storage::OwnerKey(local, 0);
  key.resize(key.size() - sizeof(storage::StreamNumber));
  return storage::PrefixRange(std::move(key));
}

Result<bool> HasRows(const storage::ReadView& view, const std::pair<std::string, std::string>& of) {
  auto cursor = view.Scan(of.first, of.second);
  const bool any = cursor->Valid();
  DIRSYNC_CHECK(cursor->status());
  return any;
}

}  // namespace

ApplyContext::ApplyContext(storage::Transaction& open, const ApplyInput& settings, ApplySource from,
                           ReaderState& reader, ApplyCounts& totals)
    : transaction(open),
      input(settings),
      source(std::move(from)),
      state(reader),
      counts(totals),
      entries(open, settings.now),
      basepoint(settings.profile.basepoint()) {}

Result<> ApplyContext::Open() {
  using storage::StreamRange;
  using storage::Table;
  DIRSYNC_TRY(alias, HasRows(transaction, storage::TableRange(Table::kAlias)));
  DIRSYNC_TRY(wanted, HasRows(transaction, StreamRange(Table::kWanted, state.number)));
  DIRSYNC_TRY(quarantine, HasRows(transaction, StreamRange(Table::kQuarantine, state.number)));
  any_alias = alias;
  any_wanted = wanted;
  any_quarantine = quarantine;
  if (state.source == SourceKind::kForeign) return {};
  DIRSYNC_TRY(limits, LimitsOf(transaction, source.site));
  taken = std::move(limits.attributes);
  return {};
}

Result<EntryId> ApplyContext::LocalIdFor(const EntryId& id) const {
  const EntryId derived = LocalIdOf(source.site, id);
  if (!any_alias) return derived;
  DIRSYNC_TRY(row, transaction.Get(storage::AliasKey(derived)));
  if (!row) return derived;
  const std::optional<EntryId> adopted = EntryId::FromBytes(*row);
  if (!adopted)
    return Fail(ErrorCode::kCorrupt, "read alias of " + derived.hex() + ": its value is no id");
  return *adopted;
}

Result<EntryId> ApplyContext::ImportContainer() {
  if (import_container_) return *import_container_;
  DIRSYNC_TRY(dn, ContainerDn(basepoint, input.settings.import_container));
  DIRSYNC_TRY(id, MakeContainer(dn));
  import_container_ = id;
  return id;
}

Result<EntryId> ApplyContext::MakeContainer(const Dn& dn) {
  Result<EntryId> found = entries.ContainerAt(basepoint, dn);
  if (found || found.error().code != ErrorCode::kNotFound) return found;
  if (dn.parts.size() <= basepoint.parts.size()) return found;
  DIRSYNC_TRY(parent, MakeContainer(dn.Parent()));
  Entry container;
  container.entry_class = EntryClass::kContainer;
  container.parent = parent;
  container.name = dn.parts.back().value;
  // The id follows from the name, so that a repeated import makes the same one. A container that
  // was made so and renamed since keeps its id: then the next number is taken.
  for (int attempt = 1;; ++attempt) {
    std::string text = "container";
    if (attempt > 1) text += std::to_string(attempt);
    container.id = DerivedId(text + dn.Folded());
    DIRSYNC_TRY(held, entries.Get(container.id));
    if (!held || held->is_deleted()) break;
  }
  DIRSYNC_CHECK(entries.Insert(container));
  return container.id;
}

Result<EntryId> ApplyContext::ParentFor(const EntryId& told) {
  if (told.is_zero()) return ImportContainer();
  return LocalIdFor(told);
}

Result<bool> ApplyContext::HasOtherOwner(const EntryId& local) const {
  const std::string own = storage::OwnerKey(local, state.number);
  const auto range = OwnerRange(local);
  auto cursor = transaction.Scan(range.first, range.second);
  for (; cursor->Valid(); cursor->Next())
    if (cursor->Key() != own && cursor->Value() != kAdhocOwner) return true;
  DIRSYNC_CHECK(cursor->status());
  return false;
}

Result<bool> ApplyContext::HasOwner(const EntryId& local) const {
  return HasRows(transaction, OwnerRange(local));
}

Result<bool> ApplyContext::IsWanted(const EntryId& id) const {
  if (!any_wanted) return false;
  DIRSYNC_TRY(row, transaction.Get(storage::WantedKey(state.number, id)));
  return row.has_value();
}

void ApplyContext::PutOwner(const EntryId& local) {
  transaction.Put(storage::OwnerKey(local, state.number), std::string(adhoc ? kAdhocOwner : ""));
}

Result<> ApplyContext::EraseOwners(const EntryId& local) {
  const auto range = OwnerRange(local);
  auto cursor = transaction.Scan(range.first, range.second);
  for (; cursor->Valid(); cursor->Next()) transaction.Delete(std::string(cursor->Key()));
  return cursor->status();
}

std::string ApplyContext::NameOf(const Entry& entry) const {
  Result<Dn> dn = entries.DnOf(basepoint, entry);
  return dn ? dn->ToString() : entry.id.hex();
}

void ApplyContext::Plan(std::string_view action, std::string_view name,
                        std::string_view reason) const {
  if (!input.plan) return;
  input.plan({std::string(action), std::string(name), std::string(reason)});
}

}  // namespace dirsync
