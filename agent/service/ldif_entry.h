// One LDIF record as an entry of this site, and back.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agent/directory/directory.h"
#include "agent/file/ldif.h"

namespace dirsync {

// A record in the directory's terms. Group members are apart: they may come later in the file.
struct LdifEntry {
  NewEntry entry;
  std::vector<std::string> members;  // as written: a DN, or a Reference
};

// Names that were left out, with how often.
using IgnoredAttributes = std::map<std::string, std::uint64_t>;

// Class by objectClass (mailbox if none of the known ones); place by DN: the site's own o=/ou= and
// any dc= parts are taken off, the rest are containers; name = value of the first RDN; entryUUID
// or dirsyncId = EntryId; mail becomes an SMTP address too. Unknown attributes are counted in
// `ignored`. Errors: kInvalid (DN, name, EntryId).
Result<LdifEntry> ToEntry(const SiteProfile& profile, const LdifRecord& record,
                          IgnoredAttributes& ignored);

// "cn=Mailbox11,cn=Recipients,ou=Site1,o=Testorg".
std::string LdapDnOf(const Dn& dn);
// The directory's DN for LDAP text, by the rules of ToEntry.
Result<Dn> DnOfLdap(const SiteProfile& profile, std::string_view text);

// Appends the record of an entry, blank line included.
void AppendLdifEntry(std::string& out, const Entry& entry, const Dn& dn);

}  // namespace dirsync
