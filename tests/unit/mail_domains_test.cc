#include "proto/model/mail_domains.h"

#include <gtest/gtest.h>

#include <vector>

namespace dirsync {
namespace {

RosterEntry Row(const std::string& site, std::vector<std::string> domains) {
  RosterEntry entry;
  entry.site = site;
  entry.domains = std::move(domains);
  return entry;
}

TEST(MailDomains, TheNearestDomainAboveDecides) {
  const MailDomains domains(
      std::vector{Row("Site1", {"testorg.com"}), Row("Site2", {"eu.testorg.com", "other.org"})});
  EXPECT_EQ(domains.OwnerOf("testorg.com"), "site1");
  EXPECT_EQ(domains.OwnerOf("Mail.TestOrg.com"), "site1");
  EXPECT_EQ(domains.OwnerOf("mail.eu.testorg.com"), "site2");
  EXPECT_EQ(domains.OwnerOf("eu.testorg.com"), "site2");
  EXPECT_EQ(domains.OwnerOf("nottestorg.com"), "");
  EXPECT_EQ(domains.OwnerOf("com"), "");
  EXPECT_EQ(domains.OwnerOf(""), "");
  EXPECT_EQ(domains.OwnerOf("."), "");
  EXPECT_TRUE(domains.Has("site2"));
  EXPECT_FALSE(domains.Has("site3"));
}

TEST(MailDomains, OnlyActiveSitesHaveAny) {
  RosterEntry gone = Row("Site1", {"testorg.com"});
  gone.state = SiteState::kRevoked;
  EXPECT_TRUE(MailDomains(std::vector{gone}).empty());
  EXPECT_EQ(MailDomains().OwnerOf("testorg.com"), "");
}

}  // namespace
}  // namespace dirsync
