#include "agent/core/site_policy.h"

#include <algorithm>

#include "proto/base/bytes.h"
#include "proto/base/text.h"
#include "proto/model/attribute_table.h"
#include "storage/key.h"

namespace dirsync {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kObjectsFlag = 1;
constexpr std::uint8_t kChangesFlag = 2;
constexpr std::uint8_t kAttributesFlag = 4;
constexpr std::uint8_t kAllFlags = kObjectsFlag | kChangesFlag | kAttributesFlag;

std::unexpected<Error> Corrupt() {
  return Fail(ErrorCode::kCorrupt, "read policy row: damaged or of an unknown format");
}

void TakeOver(const std::optional<SitePolicy>& policy, SiteLimits& limits) {
  if (!policy) return;
  limits.max_objects = policy->max_objects.value_or(limits.max_objects);
  limits.max_changes_per_hour = policy->max_changes_per_hour.value_or(limits.max_changes_per_hour);
  if (policy->attributes) limits.attributes = *policy->attributes;
}

}  // namespace

bool IsAlwaysTaken(std::string_view attribute) {
  return attribute == attribute::kProxyAddresses || attribute == attribute::kHideFromAb;
}

bool IsTaken(const AttributeList& list, std::string_view attribute) {
  return TakesAll(list) || IsAlwaysTaken(attribute) || std::ranges::binary_search(list, attribute);
}

std::string EncodePolicy(const SitePolicy& policy) {
  std::string out;
  RowWriter writer(out);
  writer.U8(kVersion);
  writer.Bytes(policy.site);
  writer.U8(static_cast<std::uint8_t>((policy.max_objects ? kObjectsFlag : 0) |
                                      (policy.max_changes_per_hour ? kChangesFlag : 0) |
                                      (policy.attributes ? kAttributesFlag : 0)));
  if (policy.max_objects) writer.Varint(*policy.max_objects);
  if (policy.max_changes_per_hour) writer.Varint(*policy.max_changes_per_hour);
  if (!policy.attributes) return out;
  writer.Varint(policy.attributes->size());
  for (const std::string& name : *policy.attributes) writer.Bytes(name);
  return out;
}

Result<SitePolicy> DecodePolicy(std::string_view row) {
  RowReader reader(row);
  if (reader.U8() != kVersion) return Corrupt();
  SitePolicy policy;
  policy.site = reader.Bytes();
  const std::uint8_t flags = reader.U8();
  if (flags > kAllFlags) return Corrupt();
  if ((flags & kObjectsFlag) != 0) policy.max_objects = reader.Varint();
  if ((flags & kChangesFlag) != 0) policy.max_changes_per_hour = reader.Varint();
  if ((flags & kAttributesFlag) != 0) {
    AttributeList& list = policy.attributes.emplace();
    const std::uint64_t count = reader.Varint();
    for (std::uint64_t i = 0; i < count && reader.ok(); ++i) list.emplace_back(reader.Bytes());
  }
  if (!reader.ok() || !reader.at_end()) return Corrupt();
  return policy;
}

Result<std::optional<SitePolicy>> LoadPolicy(const storage::ReadView& view, std::string_view site) {
  DIRSYNC_TRY(row, view.Get(storage::PolicyKey(FoldName(site))));
  if (!row) return std::nullopt;
  DIRSYNC_TRY(policy, DecodePolicy(*row));
  return std::move(policy);
}

Result<std::vector<SitePolicy>> ListPolicies(const storage::ReadView& view) {
  const auto [lower, upper] = storage::TableRange(storage::Table::kPolicy);
  std::vector<SitePolicy> policies;
  auto cursor = view.Scan(lower, upper);
  for (; cursor->Valid(); cursor->Next()) {
    DIRSYNC_TRY(policy, DecodePolicy(cursor->Value()));
    const bool first = policy.site == kEverySite;
    policies.insert(first ? policies.begin() : policies.end(), std::move(policy));
  }
  DIRSYNC_CHECK(cursor->status());
  return policies;
}

void StorePolicy(storage::Transaction& transaction, const SitePolicy& policy) {
  std::string key = storage::PolicyKey(FoldName(policy.site));
  if (policy.empty()) {
    transaction.Delete(std::move(key));
  } else {
    transaction.Put(std::move(key), EncodePolicy(policy));
  }
}

Result<SiteLimits> LimitsOf(const storage::ReadView& view, std::string_view site) {
  SiteLimits limits;
  DIRSYNC_TRY(every, LoadPolicy(view, kEverySite));
  TakeOver(every, limits);
  DIRSYNC_TRY(own, LoadPolicy(view, site));
  TakeOver(own, limits);
  return limits;
}

}  // namespace dirsync
