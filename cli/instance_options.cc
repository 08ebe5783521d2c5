#include "cli/instance_options.h"

#include <algorithm>

#include "cli/json.h"
#include "proto/base/text.h"
#include "proto/model/attribute_table.h"
#include "proto/model/filter.h"

namespace dirsync::cli {
namespace {

// Collects what is wrong, so that all of it is reported at once.
class Problems {
 public:
  void Add(const Error& error) {
    if (!first_) first_ = error;
    if (!text_.empty()) text_ += "; ";
    text_ += error.message;
    ++count_;
  }
  void Take(const Result<>& result) {
    if (!result) Add(result.error());
  }
  Result<> Finish() const {
    if (!first_) return {};
    return Fail(first_->code, text_, count_ == 1 ? first_->hint : "");
  }

 private:
  std::optional<Error> first_;
  std::string text_;
  std::size_t count_ = 0;
};

void SetSwitch(const Arguments& arguments, std::string_view on, std::string_view off, bool& value,
               Problems& problems) {
  problems.Take(CheckContradiction(arguments, on, off));
  if (arguments.Has(on)) value = true;
  if (arguments.Has(off)) value = false;
}

void SetText(const Arguments& arguments, std::string_view option, std::string& value) {
  if (auto given = arguments.Value(option)) value = *given;
}

void SetDirection(const Arguments& arguments, InstanceSettings& settings, Problems& problems) {
  const int given = static_cast<int>(arguments.Has("--export")) +
                    static_cast<int>(arguments.Has("--import")) +
                    static_cast<int>(arguments.Has("--both"));
  if (given == 0) return;
  if (given > 1)
    problems.Add({ErrorCode::kUsage, "options --export, --import and --both contradict each other",
                  "give one; --both is import, then export"});
  settings.exports = !arguments.Has("--import");
  settings.imports = !arguments.Has("--export");
}

void SetAttributes(const Arguments& arguments, InstanceSettings& settings, Problems& problems) {
  if (!arguments.Has("--attributes")) return;
  settings.attributes.clear();
  for (const std::string& name : arguments.List("--attributes")) {
    if (name == "*") {
      settings.attributes = {"*"};
      return;
    }
    auto canonical = CanonicalAttribute(name);
    if (!canonical) {
      problems.Add(canonical.error());
    } else if (*canonical == attribute::kCommonName || *canonical == attribute::kObjClass) {
      continue;  // told with every record
    } else if (!FindAttribute(*canonical)->exported) {
      problems.Add({ErrorCode::kInvalid, "attribute " + *canonical + " is never told", ""});
    } else if (std::ranges::find(settings.attributes, *canonical) == settings.attributes.end()) {
      settings.attributes.push_back(*canonical);
    }
  }
}

void SetClasses(const Arguments& arguments, InstanceSettings& settings, Problems& problems) {
  if (arguments.Has("--class")) settings.classes.clear();
  for (const std::string& name : arguments.List("--class")) {
    auto entry_class = ParseClass(name);
    if (!entry_class) {
      static const std::vector<std::string> names = {"mailbox", "custom-recipient",
                                                     "distribution-list", "container"};
      problems.Add({ErrorCode::kUsage, "unknown class " + Printable(name) + DidYouMean(name, names),
                    "classes: " + Join(names, ", ")});
    } else if (std::ranges::find(settings.classes, *entry_class) == settings.classes.end()) {
      settings.classes.push_back(*entry_class);
    }
  }
  if (auto name = arguments.Value("--import-class")) {
    auto entry_class = ParseClass(*name);
    if (entry_class == EntryClass::kMailbox || entry_class == EntryClass::kCustomRecipient) {
      settings.import_class = *entry_class;
    } else {
      problems.Add({ErrorCode::kUsage, "--import-class " + Printable(*name) + " is not possible",
                    "--import-class custom-recipient or mailbox"});
    }
  }
}

void SetScope(const Arguments& arguments, InstanceSettings& settings, Problems& problems) {
  if (arguments.Has("--container")) settings.containers = arguments.Values("--container");
  SetSwitch(arguments, "--subs", "--no-subs", settings.subs, problems);
  SetSwitch(arguments, "--hidden", "--no-hidden", settings.hidden, problems);
  SetAttributes(arguments, settings, problems);
  SetClasses(arguments, settings, problems);
  if (auto filter = arguments.Value("--filter")) {
    if (auto parsed = Filter::Parse(*filter); !parsed) problems.Add(parsed.error());
    settings.filter = *filter;
  }
  SetText(arguments, "--address-type", settings.address_type);
  SetText(arguments, "--server", settings.server);
}

std::string_view TransportName(Transport transport) {
  switch (transport) {
    case Transport::kFile:
      return "file";
    case Transport::kBroker:
      return "broker";
    case Transport::kBoth:
      break;
  }
  return "both";
}

void SetTransport(const Arguments& arguments, InstanceSettings& settings, Problems& problems) {
  const auto given = arguments.Value("--transport");
  if (!given) return;
  for (const Transport transport : {Transport::kFile, Transport::kBroker, Transport::kBoth})
    if (*given == TransportName(transport)) {
      settings.transport = transport;
      return;
    }
  problems.Add({ErrorCode::kUsage, "--transport " + Printable(*given) + " is not possible",
                "--transport file, broker or both"});
}

void SetJoin(const Arguments& arguments, InstanceSettings& settings, Problems& problems) {
  auto join = arguments.Value("--join");
  if (!join) return;
  if (EqualsIgnoreCase(*join, "address")) {
    settings.join = JoinBy::kAddress;
  } else if (EqualsIgnoreCase(*join, "name")) {
    settings.join = JoinBy::kName;
  } else if (EqualsIgnoreCase(*join, "none")) {
    settings.join = JoinBy::kNone;
  } else {
    problems.Add({ErrorCode::kUsage, "--join " + Printable(*join) + " is not possible",
                  "--join address, name or none"});
  }
}

void SetBudget(const Arguments& arguments, InstanceSettings& settings, Problems& problems) {
  auto text = arguments.Value("--max-deletes");
  if (!text) return;
  if (*text == "default") {
    settings.max_deletes.reset();
    return;
  }
  std::string_view digits = *text;
  const bool percent = digits.ends_with('%');
  if (percent) digits = TrimBlanks(digits.substr(0, digits.size() - 1));
  auto count = ParseNumber(digits);
  if (!count || (percent && *count > 100)) {
    problems.Add({ErrorCode::kUsage, "--max-deletes " + Printable(*text) + " is no number",
                  "--max-deletes 20, --max-deletes 10% or --max-deletes default"});
    return;
  }
  settings.max_deletes = DeleteBudget{*count, percent};
}

std::string_view JoinName(JoinBy join) {
  switch (join) {
    case JoinBy::kAddress:
      return "address";
    case JoinBy::kName:
      return "name";
    case JoinBy::kNone:
      return "none";
  }
  return "none";
}

std::vector<std::string> ClassNames(const std::vector<EntryClass>& classes) {
  std::vector<std::string> names;
  for (EntryClass entry_class : classes) names.emplace_back(ClassName(entry_class));
  return names;
}

std::string BudgetText(const std::optional<DeleteBudget>& budget) {
  if (!budget) return "default";
  return std::to_string(budget->count) + (budget->percent ? "%" : "");
}

}  // namespace

std::vector<OptionSpec> InstanceOptionSpecs() {
  return {
      {"--export", "", "tells this site's entries"},
      {"--import", "", "takes another site's entries"},
      {"--both", "", "import, then export"},
      {"--transport", "HOW", "file, broker, or both (default): what an agent uses"},
      {"--export-file", "F", "sync file to write"},
      {"--container", "C", "export: entries of this container (default Recipients)", true},
      {"--subs", "", "export: and of the containers below"},
      {"--no-subs", "", "export: not of the containers below"},
      {"--attributes", "A,B", "export: these attributes (* = all; empty = names only)", true},
      {"--class", "CLASS", "export: mailbox (default), custom-recipient, distribution-list", true},
      {"--filter", "FILTER", "export: entries that match, \"(Company=Test*)\""},
      {"--address-type", "TYPE",
       "export: type of the target addresses (default: the site's first)"},
      {"--server", "S", "export: only entries with this home server"},
      {"--hidden", "", "export: also entries hidden from the address book"},
      {"--no-hidden", "", "export: not the hidden ones"},
      {"--readers", "SITE,SITE", "export: sites that must have read (default: whoever reads first)",
       true},
      {"--import-file", "F", "sync file to read, and F.2, F.3 …"},
      {"--import-container", "C", "import: where entries land (default Recipients)"},
      {"--domains", "D,D", "import without a roster: adopt only recipients with addresses in these",
       true},
      {"--target", "FORMAT", "import: address of foreign records that have none, PROFS:%m"},
      {"--join", "HOW", "import: adopt recipients by address (default), name or none"},
      {"--max-deletes", "N|P%", "import: deletes that pass in 24 hours (default max(20, 10%))"},
      {"--display-name-format", "TEXT", "import: \"%d (%{site})\""},
      {"--mv-append", "", "import: modifies of foreign files append values"},
      {"--no-mv-append", "", "import: modifies of foreign files replace values"},
      {"--import-class", "CLASS", "import: class of foreign records, custom-recipient or mailbox"},
      {"--home-server", "S", "import: home server of mailboxes that come without one"},
      {"--complete", "", "import: a foreign file lists all; who is absent is deleted"},
      {"--no-complete", "", "import: absence from a foreign file means nothing"},
  };
}

Result<> ApplyInstanceOptions(const Context& context, const Arguments& arguments,
                              InstanceSettings& settings) {
  Problems problems;
  SetDirection(arguments, settings, problems);
  SetTransport(arguments, settings, problems);
  SetScope(arguments, settings, problems);
  if (auto file = arguments.Value("--export-file")) settings.export_file = context.WholePath(*file);
  if (auto file = arguments.Value("--import-file")) settings.import_file = context.WholePath(*file);
  if (arguments.Has("--readers")) settings.readers = arguments.List("--readers");
  if (arguments.Has("--domains")) settings.domains = arguments.List("--domains");
  SetText(arguments, "--import-container", settings.import_container);
  SetText(arguments, "--target", settings.target);
  SetText(arguments, "--display-name-format", settings.display_name_format);
  SetText(arguments, "--home-server", settings.home_server);
  SetJoin(arguments, settings, problems);
  SetBudget(arguments, settings, problems);
  SetSwitch(arguments, "--mv-append", "--no-mv-append", settings.mv_append, problems);
  SetSwitch(arguments, "--complete", "--no-complete", settings.complete, problems);
  return problems.Finish();
}

std::vector<std::string> MissingSettings(const InstanceSettings& settings, bool old_spelling) {
  std::vector<std::string> missing;
  if (!settings.exports && !settings.imports)
    missing.emplace_back(old_spelling ? "/EXPORT, /IMPORT or /BOTH"
                                      : "--export, --import or --both");
  if (settings.exports && settings.export_file.empty())
    missing.emplace_back(old_spelling ? "/EXPFILE=F" : "--export-file F");
  if (settings.imports && settings.import_file.empty())
    missing.emplace_back(old_spelling ? "/IMPFILE=F" : "--import-file F");
  return missing;
}

std::string_view DirectionName(const InstanceSettings& settings) {
  if (settings.exports && settings.imports) return "both";
  if (settings.exports) return "export";
  return settings.imports ? "import" : "none";
}

std::vector<std::pair<std::string, std::string>> DescribeInstance(
    const Context& context, const InstanceSettings& settings) {
  std::vector<std::pair<std::string, std::string>> rows;
  auto add = [&](std::string name, std::string_view value) {
    if (!value.empty()) rows.emplace_back(std::move(name), value);
  };
  add("direction", DirectionName(settings));
  if (settings.transport != Transport::kBoth) add("transport", TransportName(settings.transport));
  add("paused", settings.paused ? "until `dirsync resume`" : "");
  if (settings.exports) {
    add("export file", context.ShortPath(settings.export_file));
    add("containers", Join(settings.containers, ", ") + (settings.subs ? " and those below" : ""));
    add("attributes", settings.attributes.empty() ? std::string("none: names only")
                                                  : Join(settings.attributes, ", "));
    add("classes", Join(ClassNames(settings.classes), ", "));
    add("filter", settings.filter);
    add("address type", settings.address_type);
    add("server", settings.server);
    add("hidden entries", settings.hidden ? "told" : "");
    add("readers", Join(settings.readers, ", "));
  }
  if (settings.imports) {
    add("import file", context.ShortPath(settings.import_file));
    add("import container", settings.import_container);
    add("domains", Join(settings.domains, ", "));
    add("target", settings.target);
    add("join by", JoinName(settings.join));
    add("deletes a day",
        settings.max_deletes ? BudgetText(settings.max_deletes) : std::string("max(20, 10%)"));
    add("display name", settings.display_name_format);
    add("multi-values", settings.mv_append ? "appended" : "");
    if (settings.import_class == EntryClass::kMailbox) add("import class", "mailbox");
    add("home server", settings.home_server);
    add("absence", settings.complete ? "deletes" : "");
  }
  return rows;
}

std::string InstanceJsonFields(const InstanceSettings& settings, std::string_view more) {
  JsonObject object;
  object.Text("name", settings.name)
      .Bool("export", settings.exports)
      .Bool("import", settings.imports)
      .Text("transport", TransportName(settings.transport))
      .Bool("paused", settings.paused)
      .Text("export_file", settings.export_file)
      .Texts("containers", settings.containers)
      .Bool("subs", settings.subs)
      .Texts("attributes", settings.attributes)
      .Texts("classes", ClassNames(settings.classes))
      .Text("filter", settings.filter)
      .Text("address_type", settings.address_type)
      .Text("server", settings.server)
      .Bool("hidden", settings.hidden)
      .Texts("readers", settings.readers)
      .Text("import_file", settings.import_file)
      .Text("import_container", settings.import_container)
      .Texts("domains", settings.domains)
      .Text("target", settings.target)
      .Text("join", JoinName(settings.join))
      .Text("max_deletes", BudgetText(settings.max_deletes))
      .Text("display_name_format", settings.display_name_format)
      .Bool("mv_append", settings.mv_append)
      .Text("import_class", ClassName(settings.import_class))
      .Text("home_server", settings.home_server)
      .Bool("complete", settings.complete);
  if (!more.empty()) object.Raw("state", more);
  return object.Finish();
}

}  // namespace dirsync::cli
