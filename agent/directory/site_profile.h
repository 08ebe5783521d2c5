// Who this site is: what `dirsync init` fixed and every rule of the directory needs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/directory/address_template.h"
#include "proto/base/error.h"
#include "proto/model/dn.h"

namespace dirsync {

struct SiteProfile {
  std::string organization;  // "Testorg"
  std::string site;          // "Site1"
  std::string server;        // "Server1"; Home-Server of new mailboxes
  // One per address type; each new mailbox and group gets an address of each. A custom recipient
  // gets none: its Target-Address is its address.
  std::vector<AddressTemplate> templates;

  Dn basepoint() const;  // /o=Testorg/ou=Site1
  // Row value of MetaKey("site").
  std::string Encode() const;
  // Errors: kCorrupt.
  static Result<SiteProfile> Decode(std::string_view row);
};

}  // namespace dirsync
