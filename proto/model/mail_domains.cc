#include "proto/model/mail_domains.h"

#include <algorithm>

#include "proto/base/text.h"

namespace dirsync {

MailDomains::MailDomains(std::span<const RosterEntry> roster) {
  for (const RosterEntry& entry : roster) {
    if (entry.state != SiteState::kActive) continue;
    for (const std::string& domain : entry.domains)
      site_of_.emplace(ToLowerAscii(domain), FoldName(entry.site));
  }
}

std::string_view MailDomains::OwnerOf(std::string_view domain) const {
  const std::string lower = ToLowerAscii(domain);
  std::string_view rest = lower;
  while (!rest.empty()) {
    if (const auto found = site_of_.find(rest); found != site_of_.end()) return found->second;
    const std::size_t dot = rest.find('.');
    if (dot == std::string_view::npos) break;
    rest.remove_prefix(dot + 1);
  }
  return {};
}

bool MailDomains::Has(std::string_view folded_site) const {
  return std::ranges::any_of(site_of_, [&](const auto& row) { return row.second == folded_site; });
}

}  // namespace dirsync
