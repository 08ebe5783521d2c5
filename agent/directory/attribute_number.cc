#include "agent/directory/attribute_number.h"

#include <iterator>
#include <limits>
#include <vector>

#include "proto/model/attribute_table.h"

namespace dirsync {
namespace {

// Number - 1 is the place. Append only; attributes without a number are stored by name.
constexpr std::string_view kNames[] = {
    "Address",
    "Alternate-Recipient",
    "Assistant",
    "Assistant-Name",
    "Assoc-NT-Account",
    "City",
    "Comment",
    "Company",
    "Country",
    "Delivery-Limit",
    "Department",
    "Description",
    "Display-Name",
    "Display-Name-Printable",
    "Division",
    "Employee-Number",
    "Employee-Type",
    "Extension-Attribute-1",
    "Extension-Attribute-2",
    "Extension-Attribute-3",
    "Extension-Attribute-4",
    "Extension-Attribute-5",
    "Extension-Attribute-6",
    "Extension-Attribute-7",
    "Extension-Attribute-8",
    "Extension-Attribute-9",
    "Extension-Attribute-10",
    "Extension-Attribute-11",
    "Extension-Attribute-12",
    "Extension-Attribute-13",
    "Extension-Attribute-14",
    "Extension-Attribute-15",
    "Generation-Qualifier",
    "Given-Name",
    "Hide-From-AB",
    "Home-MDB",
    "Home-MTA",
    "Home-Server",
    "Imported-From",
    "Initials",
    "Language",
    "Mail",
    "Mail-Nickname",
    "Manager",
    "Member",
    "Office",
    "Owner",
    "Personal-Title",
    "Post-Office-Box",
    "Postal-Code",
    "Proxy-Addresses",
    "Public-Delegates",
    "Report-To-Originator",
    "Report-To-Owner",
    "State-Or-Province",
    "Submission-Limit",
    "Surname",
    "Target-Address",
    "Telephone-Assistant",
    "Telephone-Fax",
    "Telephone-Home",
    "Telephone-Home2",
    "Telephone-Mobile",
    "Telephone-Office",
    "Telephone-Office2",
    "Telephone-Pager",
    "Telex-Number",
    "Thumbnail-Photo",
    "Title",
    "User-Certificate",
    "User-SMIME-Certificate",
    "Web-Page",
};
static_assert(std::size(kNames) <= std::numeric_limits<std::uint8_t>::max());

// The number of each row of the attribute table; 0 = none.
std::vector<std::uint8_t> NumbersOfRows() {
  std::vector<std::uint8_t> numbers(AttributeTable().size(), 0);
  for (std::size_t i = 0; i < std::size(kNames); ++i) {
    const AttributeInfo* info = FindAttribute(kNames[i]);
    if (info == nullptr || info->name != kNames[i]) continue;  // no longer in the table
    numbers[static_cast<std::size_t>(info - AttributeTable().data())] =
        static_cast<std::uint8_t>(i + 1);
  }
  return numbers;
}

}  // namespace

std::uint8_t AttributeNumber(std::string_view name) {
  static const std::vector<std::uint8_t> numbers = NumbersOfRows();
  const AttributeInfo* info = FindAttribute(name);
  if (info == nullptr || info->name != name) return 0;
  return numbers[static_cast<std::size_t>(info - AttributeTable().data())];
}

std::string_view AttributeOfNumber(std::uint64_t number) {
  return number >= 1 && number <= std::size(kNames) ? kNames[number - 1] : std::string_view();
}

}  // namespace dirsync
