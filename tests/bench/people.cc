#include "tests/bench/people.h"

#include <fstream>
#include <random>

namespace dirsync::bench {

void MakePeople(const std::string& path, std::uint64_t entries, Reader reader, std::uint64_t salt) {
  std::mt19937_64 random(7);
  std::ofstream out(path);
  const auto word = [&](std::size_t length) {
    std::string text;
    for (std::size_t i = 0; i < length; ++i) text.push_back(static_cast<char>('a' + random() % 26));
    return text;
  };
  const bool ours = reader == Reader::kDirsync;
  const std::string above = ours ? ",cn=Recipients,ou=Site1,o=Testorg" : ",dc=example,dc=test";
  if (ours) {
    out << "version: 1\n\n";
  } else {
    out << "dn: dc=example,dc=test\nobjectClass: dcObject\nobjectClass: organization\no: Testorg\n"
           "dc: example\n\n";
  }
  for (std::uint64_t i = 0; i < entries; ++i) {
    const std::string n = std::to_string(i);
    const std::string given = word(6);
    const std::string family = word(8);
    out << "dn: cn=mbx" << n << above << "\nobjectClass: inetOrgPerson\ncn: mbx" << n
        << "\ndisplayName: " << given << " " << family << " " << n << "\ngivenName: " << given
        << "\nsn: " << family << "\ntelephoneNumber: +49 30 " << random() % 10000000 + salt
        << "\nmobile: +49 170 " << random() % 10000000 << "\ntitle: " << word(18)
        << (ours ? "\ncompany: " : "\no: ") << word(24)
        << (ours ? "\ndepartment: " : "\ndepartmentNumber: ") << word(22)
        << "\nphysicalDeliveryOfficeName: " << word(12)
        << (ours ? "\nstreetAddress: " : "\nstreet: ") << word(30) << "\nl: " << word(12)
        << (ours ? "\ninfo: " : "\ndescription: ") << word(160)
        << (ours ? "\nproxyAddresses: EDK:mbx" : "\nmail: mbx") << n << "@Site1.Testorg.com"
        << (ours ? "\nproxyAddresses: SMTP:mbx" : "\nmail: mbx") << n
        << "@site1.testorg.example\n\n";
  }
}

}  // namespace dirsync::bench
