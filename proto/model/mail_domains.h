// Which site may tell which mail addresses, as the roster says: an address in a domain of one site
// is not another's to claim.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

#include "proto/model/roster.h"

namespace dirsync {

// Of the active sites of a roster. Immutable: safe from any thread.
class MailDomains {
 public:
  MailDomains() = default;
  explicit MailDomains(std::span<const RosterEntry> roster);

  bool empty() const { return site_of_.empty(); }
  // The folded name of the site that has `domain`, in any case, or the nearest domain above it:
  // with "testorg.com" at one and "eu.testorg.com" at another, "mail.eu.testorg.com" is the
  // other's. Empty: nobody's.
  std::string_view OwnerOf(std::string_view domain) const;
  // Whether the site of that folded name is active and has domains at all.
  bool Has(std::string_view folded_site) const;

 private:
  std::map<std::string, std::string, std::less<>> site_of_;  // by domain, lower case
};

}  // namespace dirsync
