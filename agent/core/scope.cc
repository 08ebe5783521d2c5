#include "agent/core/scope.h"

#include <algorithm>
#include <bitset>
#include <map>
#include <utility>

#include "proto/base/bytes.h"
#include "proto/base/crypto.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "proto/model/address.h"
#include "proto/model/attribute_table.h"

namespace dirsync {
namespace {

constexpr std::string_view kAll = "*";
constexpr std::size_t kLevels = 4 * limits::kContainerDepth;

// A container as the scope sees it.
struct Place {
  std::string dn;
  bool inside = false;  // what stands here is told (and, if not a root, this container too)
  bool root = false;
  EntryId parent_told;     // Change::parent of what stands here
  storage::Rank rank = 0;  // of this container; 0 for roots and places outside
};

// Names that settings may hold and that are never told: they travel apart or not at all.
bool IsTold(std::string_view name) {
  const AttributeInfo* info = FindAttribute(name);
  return info != nullptr && info->exported && info->name != attribute::kTargetAddress;
}

void AppendRdn(std::string_view name, std::string& dn) {
  dn += "/cn=";
  for (char c : name) {
    if (c == '/' || c == '\\') dn.push_back('\\');
    dn.push_back(c);
  }
}

// Faults of all settings together.
class Faults {
 public:
  void Add(const Error& error) {
    if (text_.empty()) {
      first_ = error;
    } else {
      text_ += "; ";
    }
    text_ += error.message;
  }
  bool empty() const { return text_.empty(); }
  Error Take(std::string_view instance) const {
    return {first_.code, "read settings of " + Printable(instance) + ": " + text_, first_.hint};
  }

 private:
  Error first_;
  std::string text_;
};

}  // namespace

struct Scope::State {
  explicit State(const EntryStore& store) : entries(store) {}

  const EntryStore& entries;
  Dn basepoint;
  std::vector<EntryId> roots;
  bool subs = false;
  bool hidden = false;
  std::string server;  // folded
  std::bitset<8> classes;
  Filter filter;
  bool all_attributes = false;
  StreamTerms terms;
  Digest digest;

  std::map<EntryId, Place> places;
  const Place* last = nullptr;
  EntryId last_id;
  // By position: entries of one kind hold the same names in the same order.
  std::vector<std::pair<std::string, bool>> told_names;
  std::uint64_t without_address = 0;

  Result<const Place*> Find(const EntryId& id) {
    if (last != nullptr && last_id == id) return last;
    DIRSYNC_TRY(place, Locate(id, kLevels));
    last = place;
    last_id = id;
    return last;
  }

  Result<const Place*> Locate(const EntryId& id, std::size_t levels_left) {
    if (const auto known = places.find(id); known != places.end()) return &known->second;
    // Live containers are never nested that deep, and of deleted ones only the name is asked.
    static const Place too_deep;
    if (levels_left == 0) return &too_deep;
    const bool is_root = std::ranges::binary_search(roots, id);
    Place place;
    if (id.is_zero()) {
      place.dn = basepoint.parts.empty() ? std::string() : basepoint.ToString();
      place.inside = place.root = is_root;
      return &places.emplace(id, std::move(place)).first->second;
    }
    DIRSYNC_TRY(entry, entries.Get(id));
    if (!entry) {
      place.dn = basepoint.ToString();
      return &places.emplace(id, std::move(place)).first->second;
    }
    DIRSYNC_TRY(above, Locate(entry->parent, levels_left - 1));
    place.dn = above->dn;
    AppendRdn(entry->name, place.dn);
    const bool live = !entry->is_deleted() && entry->entry_class == EntryClass::kContainer;
    if (live && subs && above->inside && !entry->is_imported()) {
      place.inside = true;
      place.parent_told = id;
      place.rank = static_cast<storage::Rank>(above->rank + 1);
    } else if (live && is_root) {
      place.inside = place.root = true;
    }
    return &places.emplace(id, std::move(place)).first->second;
  }

  bool IsToldName(std::size_t position, const std::string& name) {
    if (position < told_names.size() && told_names[position].first == name)
      return told_names[position].second;
    const bool told =
        all_attributes ? IsTold(name) : std::ranges::binary_search(terms.attributes, name);
    if (told_names.size() <= position) told_names.resize(position + 1);
    told_names[position] = {name, told};
    return told;
  }

  bool IsHidden(const Entry& entry) const {
    const std::string_view value = entry.attributes.First(attribute::kHideFromAb);
    return !hidden && !value.empty() && value != "0";
  }

  bool IsOnServer(const Entry& entry) const {
    if (server.empty()) return true;
    const std::string_view value = entry.attributes.First(attribute::kHomeServer);
    return EqualsIgnoreCase(value, server) || FoldName(value) == server;
  }

  // Address of the link's type into `address`; empty if there is none.
  void AddressOf(const Entry& entry, std::string& address) const {
    const std::string& type = terms.address_type;
    address.clear();
    if (entry.entry_class == EntryClass::kCustomRecipient)
      if (const Attribute* target = entry.attributes.Find(attribute::kTargetAddress))
        address = PrimaryAddress(target->values, type);
    if (!address.empty()) return;
    if (const Attribute* proxies = entry.attributes.Find(attribute::kProxyAddresses))
      address = PrimaryAddress(proxies->values, type);
  }

  // Whether a recipient that stands inside is told; sets the address.
  bool TakesRecipient(const Entry& entry, std::string& address) {
    if (IsHidden(entry) || !IsOnServer(entry) || !filter.Matches(entry)) return false;
    AddressOf(entry, address);
    if (address.empty()) ++without_address;
    return !address.empty();
  }

  void FillAttributes(const Entry& entry, std::vector<AttributeChange>& out) {
    std::size_t used = 0;
    std::size_t position = 0;
    for (const Attribute& held : entry.attributes) {
      if (!IsToldName(position++, held.name)) continue;
      if (used == out.size()) out.emplace_back();
      AttributeChange& told = out[used++];
      told.name = held.name;
      told.operation = AttributeOperation::kSet;
      told.values = held.values;
    }
    out.resize(used);
  }

  Result<bool> TellInto(const Entry& entry, Change& change) {
    if (entry.is_deleted() || entry.is_imported()) return false;
    const bool container = entry.entry_class == EntryClass::kContainer;
    if (container ? !subs : !classes.test(static_cast<std::size_t>(entry.entry_class)))
      return false;
    DIRSYNC_TRY(above, Find(entry.parent));
    if (!above->inside) return false;
    change.target_address.clear();
    if (!container && !TakesRecipient(entry, change.target_address)) return false;
    change.kind = ChangeKind::kAdd;
    change.unknown_kind = 0;
    change.id = entry.id;
    change.entry_class = entry.entry_class;
    change.parent = above->parent_told;
    change.name = entry.name;
    change.dn = above->dn;
    AppendRdn(entry.name, change.dn);
    change.wanted = false;
    FillAttributes(entry, change.attributes);
    return true;
  }

  void TakeContainers(const std::vector<std::string>& containers, Faults& faults) {
    for (const std::string& text : containers) {
      const Result<Dn> dn = ContainerDn(basepoint, text);
      if (!dn) {
        faults.Add(dn.error());
        continue;
      }
      const Result<EntryId> id = entries.ContainerAt(basepoint, *dn);
      if (!id) {
        faults.Add(id.error());
      } else {
        roots.push_back(*id);
      }
    }
    std::ranges::sort(roots);
    const auto [first, last_one] = std::ranges::unique(roots);
    roots.erase(first, last_one);
  }

  void TakeAttributes(const std::vector<std::string>& names, Faults& faults) {
    for (const std::string& name : names) {
      if (name == kAll) {
        all_attributes = true;
        continue;
      }
      const Result<std::string> canonical = CanonicalAttribute(name);
      if (!canonical) {
        faults.Add(canonical.error());
      } else if (IsTold(*canonical)) {
        terms.attributes.push_back(*canonical);
      }
    }
    if (all_attributes) terms.attributes = {std::string(kAll)};
    std::ranges::sort(terms.attributes);
    const auto [first, last_one] = std::ranges::unique(terms.attributes);
    terms.attributes.erase(first, last_one);
  }

  void TakeDigest(const InstanceSettings& settings) {
    std::string text(ScopeDigest(settings, terms.address_type).view());
    for (const EntryId& root : roots) text += root.view();
    digest = DigestOf(text);
  }
};

Result<Scope> Scope::Make(const EntryStore& entries, const SiteProfile& profile,
                          const InstanceSettings& settings) {
  auto state = std::make_shared<State>(entries);
  Faults faults;
  state->basepoint = profile.basepoint();
  state->subs = settings.subs;
  state->hidden = settings.hidden;
  state->server = FoldName(settings.server);
  for (EntryClass entry_class : settings.classes)
    state->classes.set(static_cast<std::size_t>(entry_class) % state->classes.size());
  state->TakeContainers(settings.containers, faults);
  state->TakeAttributes(settings.attributes, faults);
  if (Result<Filter> filter = Filter::Parse(settings.filter); filter) {
    state->filter = std::move(*filter);
  } else {
    faults.Add(filter.error());
  }
  state->terms.address_type = ToUpperAscii(settings.address_type);
  if (settings.address_type.empty() && !profile.templates.empty())
    state->terms.address_type = ToUpperAscii(profile.templates.front().type());
  if (state->terms.address_type.empty())
    faults.Add({ErrorCode::kInvalid, "no address type, and the site has none",
                "give one: `dirsync instance set NAME --address-type SMTP`"});
  if (!faults.empty()) return std::unexpected(faults.Take(settings.name));
  state->TakeDigest(settings);
  return Scope(std::move(state));
}

Result<std::optional<Change>> Scope::Tell(const Entry& entry) const {
  Change change;
  DIRSYNC_TRY(told, state_->TellInto(entry, change));
  if (!told) return std::nullopt;
  return std::optional<Change>(std::move(change));
}

Result<bool> Scope::TellInto(const Entry& entry, Change& change) const {
  return state_->TellInto(entry, change);
}

Result<storage::Rank> Scope::RankOf(const Entry& entry) const {
  if (entry.entry_class != EntryClass::kContainer) return storage::kRecipientRank;
  DIRSYNC_TRY(place, state_->Find(entry.id));
  if (place->inside && !place->root) return place->rank;
  return Fail(ErrorCode::kInvalid, "rank " + Printable(entry.name) + ": outside the scope");
}

Result<std::string> Scope::DnBelow(const EntryId& container, std::string_view name) const {
  DIRSYNC_TRY(place, state_->Find(container));
  std::string dn = place->dn;
  AppendRdn(name, dn);
  return dn;
}

std::uint64_t Scope::without_address() const { return state_->without_address; }
const StreamTerms& Scope::terms() const { return state_->terms; }
const Digest& Scope::digest() const { return state_->digest; }
const std::vector<EntryId>& Scope::roots() const { return state_->roots; }
bool Scope::subs() const { return state_->subs; }

}  // namespace dirsync
