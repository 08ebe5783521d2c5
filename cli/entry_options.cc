#include "cli/entry_options.h"

#include <algorithm>

#include "proto/base/base64.h"
#include "proto/base/text.h"
#include "proto/model/address.h"
#include "proto/model/attribute_table.h"

namespace dirsync::cli {
namespace {

struct NamedOption {
  std::string_view option;
  std::string_view attribute;
};
constexpr NamedOption kNamed[] = {
    {"--display-name", attribute::kDisplayName}, {"--given-name", attribute::kGivenName},
    {"--surname", attribute::kSurname},          {"--alias", attribute::kAlias},
    {"--target", attribute::kTargetAddress},
};

// "Name=Value" with the value in its stored form.
struct Assignment {
  std::string name;
  std::string value;
};
Result<Assignment> ParseAssignment(const Directory& directory, std::string_view option,
                                   std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0)
    return Fail(ErrorCode::kUsage,
                std::string(option) + " " + Printable(text) + ": not of the form Name=Value",
                std::string(option) + " Title=Engineer");
  DIRSYNC_TRY(name, CanonicalAttribute(text.substr(0, equals)));
  std::string value(text.substr(equals + 1));
  if (value.empty()) return Assignment{std::move(name), ""};
  const AttributeInfo* info = FindAttribute(name);
  if (info->kind == ValueKind::kBinary) {
    auto bytes = DecodeBase64(value);
    if (!bytes)
      return Fail(ErrorCode::kInvalid, "value of " + name + ": not base64",
                  "binary values are given in base64: " + name + "=$(base64 -w0 FILE)");
    value = std::move(*bytes);
  } else if (info->kind == ValueKind::kReference) {
    DIRSYNC_TRY(reference, ReferenceOf(directory, value));
    value = reference.ToString();
  }
  return Assignment{std::move(name), std::move(value)};
}

// All values of each name, in order of first mention; "Name=" alone gives no values.
Result<std::vector<Attribute>> Assignments(const Directory& directory, const Arguments& arguments,
                                           std::string_view option) {
  std::vector<Attribute> attributes;
  for (const std::string& text : arguments.Values(option)) {
    DIRSYNC_TRY(assignment, ParseAssignment(directory, option, text));
    auto place = std::ranges::find(attributes, assignment.name, &Attribute::name);
    if (place == attributes.end()) place = attributes.insert(place, Attribute{assignment.name, {}});
    if (!assignment.value.empty()) place->values.push_back(std::move(assignment.value));
  }
  return attributes;
}

void SetAttribute(std::vector<Attribute>& attributes, std::string_view name,
                  std::vector<std::string> values) {
  auto place = std::ranges::find(attributes, name, &Attribute::name);
  if (place == attributes.end()) {
    attributes.push_back({std::string(name), std::move(values)});
  } else {
    place->values = std::move(values);
  }
}

std::string TypeOf(std::string_view address) {
  return ToLowerAscii(address.substr(0, address.find(':')));
}

// The address becomes the first of its type; others stay behind it.
void PutFirst(std::vector<std::string>& addresses, const Address& address) {
  const std::string text = address.ToString();
  std::erase_if(addresses, [&](const std::string& a) { return EqualsIgnoreCase(a, text); });
  auto place = std::ranges::find_if(
      addresses, [&](const std::string& a) { return TypeOf(a) == TypeOf(text); });
  addresses.insert(place, text);
}

Result<> PutAddresses(const Arguments& arguments, std::vector<std::string>& addresses) {
  std::vector<std::string> given = arguments.Values("--address");
  // The first one given of a type is its primary.
  std::ranges::reverse(given);
  for (const std::string& text : given) {
    DIRSYNC_TRY(address, ParseAddress(text));
    PutFirst(addresses, address);
  }
  return {};
}

Result<> EditAddresses(const Arguments& arguments, const Entry& entry, EntryEdit& edit) {
  if (!arguments.Has("--address") && !arguments.Has("--remove-address")) return {};
  std::vector<std::string> addresses;
  if (const Attribute* held = entry.attributes.Find(attribute::kProxyAddresses))
    addresses = held->values;
  for (const std::string& text : arguments.Values("--remove-address"))
    if (std::erase_if(addresses, [&](const std::string& a) { return EqualsIgnoreCase(a, text); }) ==
        0)
      return Fail(ErrorCode::kNotFound,
                  "removing address " + Printable(text) + ": " + Printable(entry.name) +
                      " has no such address",
                  "it has: " + Printable(Join(addresses, ", ")));
  DIRSYNC_CHECK(PutAddresses(arguments, addresses));
  SetAttribute(edit.set, attribute::kProxyAddresses, std::move(addresses));
  return {};
}

void SetNamed(const Arguments& arguments, std::vector<Attribute>& set) {
  for (const NamedOption& named : kNamed)
    if (auto value = arguments.Value(named.option))
      SetAttribute(set, named.attribute,
                   value->empty() ? std::vector<std::string>() : std::vector{*value});
  if (arguments.Has("--hide")) SetAttribute(set, attribute::kHideFromAb, {"1"});
  if (arguments.Has("--unhide")) SetAttribute(set, attribute::kHideFromAb, {});
}

}  // namespace

std::vector<OptionSpec> EntryOptionSpecs(bool add) {
  std::vector<OptionSpec> options = {
      {"--display-name", "D", "as the address book shows it"},
      {"--given-name", "G", "first name"},
      {"--surname", "S", "last name"},
      {"--alias", "A", "for generated addresses; the name if not given"},
      {"--address", "TYPE:A", "address; becomes the primary one of its type", true},
      {"--attribute", "Name=Value",
       add ? "any other value; repeat for multi-values" : "replaces; Name= clears", true},
      {"--hide", "", "hide from the address book"},
  };
  if (add) {
    options.push_back({"--container", "C", "where it goes (default Recipients)"});
  } else {
    options.push_back({"--unhide", "", "show in the address book again"});
    options.push_back({"--add", "Name=Value", "one more value", true});
    options.push_back({"--remove", "Name=Value", "without this value", true});
    options.push_back({"--remove-address", "TYPE:A", "without this address", true});
  }
  return options;
}

Result<Attributes> NewAttributes(const Directory& directory, const Arguments& arguments) {
  DIRSYNC_TRY(set, Assignments(directory, arguments, "--attribute"));
  SetNamed(arguments, set);
  auto proxies = std::ranges::find(set, attribute::kProxyAddresses, &Attribute::name);
  std::vector<std::string> addresses =
      proxies == set.end() ? std::vector<std::string>() : proxies->values;
  DIRSYNC_CHECK(PutAddresses(arguments, addresses));
  SetAttribute(set, attribute::kProxyAddresses, std::move(addresses));
  Attributes attributes;
  for (Attribute& a : set) attributes.Set(a.name, std::move(a.values));
  return attributes;
}

Result<EntryEdit> EditOf(const Directory& directory, const Arguments& arguments,
                         const Entry& entry) {
  DIRSYNC_CHECK(CheckContradiction(arguments, "--hide", "--unhide"));
  EntryEdit edit;
  DIRSYNC_TRY(set, Assignments(directory, arguments, "--attribute"));
  edit.set = std::move(set);
  SetNamed(arguments, edit.set);
  DIRSYNC_CHECK(EditAddresses(arguments, entry, edit));
  DIRSYNC_TRY(add, Assignments(directory, arguments, "--add"));
  edit.add_values = std::move(add);
  DIRSYNC_TRY(remove, Assignments(directory, arguments, "--remove"));
  edit.remove_values = std::move(remove);
  if (edit.set.empty() && edit.add_values.empty() && edit.remove_values.empty())
    return Fail(ErrorCode::kUsage, "set " + Printable(entry.name) + ": nothing to set",
                "give at least one option, --display-name D for example");
  return edit;
}

Result<Reference> ReferenceOf(const Directory& directory, std::string_view text) {
  if (auto reference = Reference::Parse(text)) return *reference;
  DIRSYNC_TRY(entry, directory.Resolve(text));
  if (entry.origin) return *entry.origin;
  return Reference{directory.profile().site, entry.id};
}

}  // namespace dirsync::cli
