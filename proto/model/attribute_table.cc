#include "proto/model/attribute_table.h"

#include <array>
#include <cstddef>
#include <vector>

#include "proto/base/limits.h"
#include "proto/base/text.h"

namespace dirsync {
namespace {

using enum ValueKind;

constexpr bool kOne = false;
constexpr bool kMany = true;
constexpr bool kTold = true;
constexpr bool kKept = false;

// Ascending by name, as an entry holds its attributes.
constexpr AttributeInfo kTable[] = {
    {"Address", "streetAddress", kText, kOne, kTold},
    {"Alternate-Recipient", "altRecipient", kReference, kOne, kTold},
    {"Assistant", "assistant", kReference, kOne, kTold},
    {"Assistant-Name", "msExchAssistantName", kText, kOne, kTold},
    {"Assoc-NT-Account", "", kText, kOne, kKept},
    {"City", "l", kText, kOne, kTold},
    {"Comment", "info", kText, kOne, kTold},
    {"Common-Name", "cn", kText, kOne, kKept},
    {"Company", "company", kText, kOne, kTold},
    {"Country", "co", kText, kOne, kTold},
    {"Delivery-Limit", "delivContLength", kText, kOne, kTold},
    {"Department", "department", kText, kOne, kTold},
    {"Description", "description", kText, kMany, kTold},
    {"Display-Name", "displayName", kText, kOne, kTold},
    {"Display-Name-Printable", "displayNamePrintable", kText, kOne, kTold},
    {"Division", "division", kText, kOne, kTold},
    {"Employee-Number", "employeeNumber", kText, kOne, kTold},
    {"Employee-Type", "employeeType", kText, kOne, kTold},
    {"Extension-Attribute-1", "extensionAttribute1", kText, kOne, kTold},
    {"Extension-Attribute-10", "extensionAttribute10", kText, kOne, kTold},
    {"Extension-Attribute-11", "extensionAttribute11", kText, kOne, kTold},
    {"Extension-Attribute-12", "extensionAttribute12", kText, kOne, kTold},
    {"Extension-Attribute-13", "extensionAttribute13", kText, kOne, kTold},
    {"Extension-Attribute-14", "extensionAttribute14", kText, kOne, kTold},
    {"Extension-Attribute-15", "extensionAttribute15", kText, kOne, kTold},
    {"Extension-Attribute-2", "extensionAttribute2", kText, kOne, kTold},
    {"Extension-Attribute-3", "extensionAttribute3", kText, kOne, kTold},
    {"Extension-Attribute-4", "extensionAttribute4", kText, kOne, kTold},
    {"Extension-Attribute-5", "extensionAttribute5", kText, kOne, kTold},
    {"Extension-Attribute-6", "extensionAttribute6", kText, kOne, kTold},
    {"Extension-Attribute-7", "extensionAttribute7", kText, kOne, kTold},
    {"Extension-Attribute-8", "extensionAttribute8", kText, kOne, kTold},
    {"Extension-Attribute-9", "extensionAttribute9", kText, kOne, kTold},
    {"Generation-Qualifier", "generationQualifier", kText, kOne, kTold},
    {"Given-Name", "givenName", kText, kOne, kTold},
    {"Hide-From-AB", "msExchHideFromAddressLists", kBoolean, kOne, kTold},
    {"Home-MDB", "homeMDB", kText, kOne, kKept},
    {"Home-MTA", "homeMTA", kText, kOne, kKept},
    {"Home-Server", "msExchHomeServerName", kText, kOne, kKept},
    {"Imported-From", "", kText, kOne, kKept},
    {"Initials", "initials", kText, kOne, kTold},
    {"Language", "preferredLanguage", kText, kOne, kTold},
    {"Mail", "mail", kText, kOne, kTold},
    {"Mail-Nickname", "mailNickname", kText, kOne, kTold},
    {"Manager", "manager", kReference, kOne, kTold},
    {"Member", "member", kReference, kMany, kTold},
    {"Obj-Class", "objectClass", kText, kOne, kKept},
    {"Obj-Container", "", kText, kOne, kKept},
    {"Obj-Dist-Name", "distinguishedName", kText, kOne, kKept},
    {"Office", "physicalDeliveryOfficeName", kText, kOne, kTold},
    {"Owner", "managedBy", kReference, kOne, kTold},
    {"Personal-Title", "personalTitle", kText, kOne, kTold},
    {"Post-Office-Box", "postOfficeBox", kText, kOne, kTold},
    {"Postal-Code", "postalCode", kText, kOne, kTold},
    {"Proxy-Addresses", "proxyAddresses", kAddress, kMany, kTold},
    {"Public-Delegates", "publicDelegates", kReference, kMany, kTold},
    {"Report-To-Originator", "reportToOriginator", kBoolean, kOne, kTold},
    {"Report-To-Owner", "reportToOwner", kBoolean, kOne, kTold},
    {"State-Or-Province", "st", kText, kOne, kTold},
    {"Submission-Limit", "submissionContLength", kText, kOne, kTold},
    {"Surname", "sn", kText, kOne, kTold},
    {"Target-Address", "targetAddress", kAddress, kOne, kTold},
    {"Telephone-Assistant", "telephoneAssistant", kText, kOne, kTold},
    {"Telephone-Fax", "facsimileTelephoneNumber", kText, kOne, kTold},
    {"Telephone-Home", "homePhone", kText, kOne, kTold},
    {"Telephone-Home2", "otherHomePhone", kText, kMany, kTold},
    {"Telephone-Mobile", "mobile", kText, kOne, kTold},
    {"Telephone-Office", "telephoneNumber", kText, kOne, kTold},
    {"Telephone-Office2", "otherTelephone", kText, kMany, kTold},
    {"Telephone-Pager", "pager", kText, kOne, kTold},
    {"Telex-Number", "telexNumber", kText, kMany, kTold},
    {"Thumbnail-Photo", "thumbnailPhoto", kBinary, kOne, kTold},
    {"Title", "title", kText, kOne, kTold},
    {"USN-Changed", "uSNChanged", kText, kOne, kKept},
    {"USN-Created", "uSNCreated", kText, kOne, kKept},
    {"User-Certificate", "userCertificate", kBinary, kMany, kTold},
    {"User-SMIME-Certificate", "userSMIMECertificate", kBinary, kMany, kTold},
    {"Web-Page", "wWWHomePage", kText, kOne, kTold},
};

// Further names under which files and LDAP servers know a row.
struct Alias {
  std::string_view name;
  std::string_view row;
};
constexpr Alias kAliases[] = {
    {"street", "Address"},
    {"o", "Company"},
    {"uid", "Mail-Nickname"},
    {"rfc822Mailbox", "Mail"},
    {"commonName", "Common-Name"},
    {"localityName", "City"},
    {"stateOrProvinceName", "State-Or-Province"},
    {"mobileTelephoneNumber", "Telephone-Mobile"},
    {"pagerTelephoneNumber", "Telephone-Pager"},
    {"homeTelephoneNumber", "Telephone-Home"},
    {"Alias-Name", "Mail-Nickname"},
};

// What every "X-…" name is; the name itself is the caller's (CanonicalAttribute).
constexpr AttributeInfo kForeign = {"X-", "", kText, kMany, kTold};

constexpr char LowerAscii(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// Of the length and some characters: enough to tell the spellings apart, and every value of every
// entry is looked up several times.
constexpr std::uint32_t HashOf(std::string_view name) {
  if (name.empty()) return 0;
  const std::size_t last = name.size() - 1;
  std::uint32_t hash = static_cast<std::uint32_t>(name.size());
  for (std::size_t at : {std::size_t{0}, last / 3, last / 2, last - last / 5, last})
    hash = (hash ^ static_cast<unsigned char>(LowerAscii(name[at]))) * 16777619u;
  return hash ^ hash >> 15;
}

constexpr bool Same(std::string_view a, std::string_view b) {
  if (a == b) return true;
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (LowerAscii(a[i]) != LowerAscii(b[i])) return false;
  return true;
}

// Open addressing over all spellings, filled by the compiler; at most a quarter full, so that a
// look-up is one hash and one comparison.
struct Slot {
  std::string_view spelling;
  std::uint16_t row = 0;
};
constexpr std::size_t kSlots = 1024;
using Index = std::array<Slot, kSlots>;

constexpr std::size_t PlaceOf(const Index& index, std::string_view spelling) {
  std::size_t at = HashOf(spelling) % kSlots;
  while (!index[at].spelling.empty() && !Same(index[at].spelling, spelling)) at = (at + 1) % kSlots;
  return at;
}

constexpr void Put(Index& index, std::string_view spelling, std::uint16_t row) {
  Slot& slot = index[PlaceOf(index, spelling)];
  if (!slot.spelling.empty() && slot.row != row) throw "one spelling for two rows";
  slot = {spelling, row};
}

constexpr Index MakeIndex() {
  Index index{};
  constexpr auto kRows = static_cast<std::uint16_t>(std::size(kTable));
  for (std::uint16_t row = 0; row < kRows; ++row) {
    Put(index, kTable[row].name, row);
    if (!kTable[row].ldap_name.empty()) Put(index, kTable[row].ldap_name, row);
  }
  for (const Alias& alias : kAliases) {
    const Slot target = index[PlaceOf(index, alias.row)];
    if (target.spelling.empty()) throw "an alias of no row";
    Put(index, alias.name, target.row);
  }
  return index;
}
constexpr Index kIndex = MakeIndex();

constexpr bool IsAscending() {
  for (std::size_t i = 1; i < std::size(kTable); ++i)
    if (!(kTable[i - 1].name < kTable[i].name)) return false;
  return true;
}
static_assert(IsAscending(), "entries hold attributes in the order of this table");

constexpr std::string_view kBinaryOption = ";binary";

std::string_view WithoutOption(std::string_view name) {
  if (name.size() <= kBinaryOption.size() || LowerAscii(name.back()) != kBinaryOption.back())
    return name;
  const std::size_t stem = name.size() - kBinaryOption.size();
  return Same(name.substr(stem), kBinaryOption) ? name.substr(0, stem) : name;
}

bool IsLetterOrDigit(char c) {
  const char lower = LowerAscii(c);
  return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9');
}

// "X-" and at least one letter or digit behind; letters, digits, '-'.
bool IsForeign(std::string_view name) {
  if (name.size() < 3 || name.size() > limits::kAttributeNameBytes) return false;
  if (LowerAscii(name[0]) != 'x' || name[1] != '-' || !IsLetterOrDigit(name[2])) return false;
  for (char c : name)
    if (!IsLetterOrDigit(c) && c != '-') return false;
  return true;
}

// One spelling for all cases, so that no entry holds X-Badge besides x-badge.
std::string CanonicalForeign(std::string_view name) {
  std::string out = ToLowerAscii(name);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const bool first = i == 0 || out[i - 1] == '-';
    if (first && out[i] >= 'a' && out[i] <= 'z') out[i] = static_cast<char>(out[i] - 32);
  }
  return out;
}

std::string Suggestions(std::string_view name) {
  std::vector<std::string> candidates;
  for (const AttributeInfo& info : kTable) {
    candidates.emplace_back(info.name);
    if (!info.ldap_name.empty()) candidates.emplace_back(info.ldap_name);
  }
  const std::vector<std::string> nearest = Nearest(name, candidates);
  if (nearest.empty()) return "use a name of the attribute table, or X-Name for one of your own";
  return "did you mean " + Join(nearest, ", ") + "?";
}

}  // namespace

std::span<const AttributeInfo> AttributeTable() { return kTable; }

const AttributeInfo* FindAttribute(std::string_view name) {
  const std::string_view stem = WithoutOption(name);
  if (stem.empty()) return nullptr;
  const Slot& slot = kIndex[PlaceOf(kIndex, stem)];
  if (!slot.spelling.empty()) return &kTable[slot.row];
  return IsForeign(stem) ? &kForeign : nullptr;
}

Result<std::string> CanonicalAttribute(std::string_view name) {
  const AttributeInfo* info = FindAttribute(name);
  if (info == &kForeign) return CanonicalForeign(WithoutOption(name));
  if (info != nullptr) return std::string(info->name);
  return Fail(ErrorCode::kInvalid, "look up attribute \"" + Printable(name, 80) + "\": unknown",
              Suggestions(name));
}

}  // namespace dirsync
