// init, load, dump, backup, restore: the store as a whole.
#include <filesystem>

#include "agent/service/bulk.h"
#include "cli/command.h"
#include "cli/json.h"
#include "cli/progress.h"
#include "cli/runner.h"
#include "proto/base/crypto.h"
#include "proto/base/text.h"
#include "proto/trust/membership.h"

namespace dirsync::cli {
namespace {

Result<std::vector<AddressTemplate>> TemplatesOf(const Arguments& arguments,
                                                 const std::string& organization,
                                                 const std::string& site) {
  std::vector<std::string> texts = arguments.Values("--address-template");
  std::vector<std::string> types = arguments.Values("--address-type");
  std::vector<std::string> domains = arguments.Values("--domain");
  if (types.empty() && texts.empty()) types = {"EDK"};
  if (types.empty() && !domains.empty())
    return Fail(ErrorCode::kUsage, "init: --domain without --address-type",
                "--address-type EDK --domain " + domains.front());
  if (domains.empty() && !types.empty()) {
    const std::string domain = site + "." + organization + ".com";
    // A guessed mail domain would be somebody else's; names need not make a domain at all.
    if (types.size() > 1 || EqualsIgnoreCase(types.front(), "SMTP") ||
        !AddressTemplate::Parse(types.front() + ":%m@" + domain))
      return Fail(
          ErrorCode::kUsage, "init: --domain is missing",
          "dirsync init … --address-type " + Quoted(types.front()) + " --domain site1.example.org");
    domains = {domain};
  }
  if (domains.size() != types.size() && domains.size() != 1)
    return Fail(ErrorCode::kUsage,
                "init: " + Counted(types.size(), "address type") + " and " +
                    Counted(domains.size(), "domain"),
                "give one --domain for each --address-type, in the same order");
  for (std::size_t i = 0; i < types.size(); ++i)
    texts.push_back(types[i] + ":%m@" + domains[domains.size() == 1 ? 0 : i]);
  std::vector<AddressTemplate> templates;
  for (const std::string& text : texts) {
    DIRSYNC_TRY(parsed, AddressTemplate::Parse(text));
    templates.push_back(std::move(parsed));
  }
  return templates;
}

Result<SiteProfile> ProfileOf(const Arguments& arguments) {
  std::vector<std::string> missing;
  for (std::string_view option : {"--organization", "--site", "--server"})
    if (!arguments.Has(option)) missing.emplace_back(option);
  if (!missing.empty())
    return Fail(ErrorCode::kUsage, "init: missing " + Join(missing, ", "),
                "dirsync init --store DIR --organization Testorg --site Site1 --server Server1");
  SiteProfile profile;
  profile.organization = *arguments.Value("--organization");
  profile.site = *arguments.Value("--site");
  profile.server = *arguments.Value("--server");
  DIRSYNC_CHECK(CheckName("organization", profile.organization));
  DIRSYNC_CHECK(CheckName("site", profile.site));
  DIRSYNC_CHECK(CheckName("server", profile.server));
  DIRSYNC_TRY(templates, TemplatesOf(arguments, profile.organization, profile.site));
  profile.templates = std::move(templates);
  return profile;
}

std::vector<std::string> TemplateTexts(const SiteProfile& profile) {
  std::vector<std::string> templates;
  for (const AddressTemplate& one : profile.templates) templates.push_back(one.text());
  return templates;
}

std::string SiteJson(const std::string& path, const SiteProfile& profile,
                     const std::string& fingerprint) {
  return JsonObject()
      .Text("store", path)
      .Text("organization", profile.organization)
      .Text("site", profile.site)
      .Text("server", profile.server)
      .Texts("address_templates", TemplateTexts(profile))
      .Text("fingerprint", fingerprint)
      .Finish();
}

void PrintSite(Context& context, const Store& store, std::string_view verb) {
  const SiteProfile& profile = store.profile();
  const std::string fingerprint = Fingerprint(store.key().public_key());
  if (context.json()) {
    context.out() << SiteJson(store.path(), profile, fingerprint) << '\n';
    return;
  }
  context.out() << verb << " the store of " << Printable(profile.basepoint().ToString())
                << " on server " << Printable(profile.server) << "\n  addresses    "
                << Printable(Join(TemplateTexts(profile), ", ")) << "\n  fingerprint  "
                << fingerprint << '\n';
}

Result<int> Init(Context& context, const Arguments& arguments) {
  DIRSYNC_TRY(profile, ProfileOf(arguments));
  DIRSYNC_TRY(path, context.StorePath());
  if (context.dry_run()) {
    if (context.world().files().Exists(path + "/keys/site.key"))
      return Fail(ErrorCode::kExists, "making store " + Printable(path) + ": one is there already");
    if (context.json()) {
      context.out() << SiteJson(path, profile, "") << '\n';
      return 0;
    }
    context.out() << "would make the store of " << Printable(profile.basepoint().ToString())
                  << " in " << Printable(context.ShortPath(path)) << '\n';
    return 0;
  }
  DIRSYNC_TRY(store, Store::Create(context.world(), path, profile));
  PrintSite(context, *store, "made");
  context.Next("dirsync mailbox add NAME, or dirsync load FILE.ldif");
  return 0;
}

Result<int> Load(Context& context, const Arguments& arguments) {
  DIRSYNC_TRY(store, context.OpenStore());
  ProgressMeter meter(context.err(), ProgressStyle(context, context.console(), std::nullopt));
  DIRSYNC_TRY(report,
              LoadLdif(
                  *store, context.WholePath(arguments.words().front()), arguments.Has("--replace"),
                  [&](const Progress& progress) { meter.Update(progress); }, context.dry_run()));
  meter.Clear();
  if (report.resumed) context.Note("went on where an interrupted load of this file stopped");
  if (context.json()) {
    context.out() << JsonObject()
                         .Number("added", report.added)
                         .Number("unchanged", report.unchanged)
                         .Number("skipped", report.skipped)
                         .Bool("resumed", report.resumed)
                         .Texts("notes", report.notes)
                         .Finish()
                  << '\n';
    return 0;
  }
  context.out() << (context.dry_run() ? "would have loaded: " : "loaded: ") << Grouped(report.added)
                << " added, " << Grouped(report.unchanged) << " unchanged, "
                << Grouped(report.skipped) << " skipped\n";
  for (const std::string& note : report.notes) context.Note(note);
  return 0;
}

Result<int> Dump(Context& context, const Arguments& arguments) {
  DIRSYNC_TRY(store, context.OpenStore());
  const bool imported = arguments.Has("--imported");
  if (arguments.words().empty() || arguments.words().front() == "-") {
    DIRSYNC_TRY(count, DumpLdif(
                           *store,
                           [&](std::string_view text) -> Result<> {
                             DIRSYNC_CHECK(context.CheckInterrupted());
                             context.out() << text;
                             if (context.out()) return {};
                             return Fail(ErrorCode::kIo, "writing the dump: output closed");
                           },
                           imported));
    context.Note(Counted(count, "entry", "entries") + " dumped");
    return 0;
  }
  const std::string path = context.WholePath(arguments.words().front());
  std::size_t count = 0;
  DIRSYNC_CHECK(context.WriteFile(path, [&](FileOutput& file) -> Result<> {
    DIRSYNC_TRY(
        written,
        DumpLdif(*store, [&](std::string_view text) { return file.Append(text); }, imported));
    count = written;
    context.world().Effect("dumped");
    return {};
  }));
  if (context.json()) {
    context.out() << JsonObject().Text("file", path).Number("entries", count).Finish() << '\n';
  } else {
    context.out() << "dumped " << Counted(count, "entry", "entries") << " to "
                  << Printable(context.ShortPath(path)) << '\n';
  }
  return 0;
}

Result<int> Backup(Context& context, const Arguments& arguments) {
  const std::string folder = context.WholePath(arguments.words().front());
  const bool broker = context.AtBroker();
  if (broker) {
    DIRSYNC_TRY(admin, context.OpenBroker());
    DIRSYNC_CHECK(BackupFolder(admin->store().storage(), admin->store().path(), folder));
  } else {
    DIRSYNC_TRY(store, context.OpenStore());
    DIRSYNC_CHECK(BackupStore(*store, folder));
  }
  if (context.json()) {
    context.out() << JsonObject().Text("backup", folder).Finish() << '\n';
  } else {
    context.out() << "backed up to " << Printable(context.ShortPath(folder)) << '\n';
  }
  context.Note(broker ? "it holds the secret keys of the broker and, unless that is kept "
                        "elsewhere, of the organisation: keep it where only you read it"
                      : "it holds the site's secret key: keep it where only you read it");
  return 0;
}

// Logs go on where they stood: what they lack, the sites tell again.
Result<int> RestoreBroker(Context& context, const std::string& folder, const std::string& path) {
  DIRSYNC_CHECK(RestoreFolder(folder, path));
  DIRSYNC_TRY(store, BrokerStore::Open(path));
  if (context.json()) {
    context.out() << JsonObject()
                         .Text("store", path)
                         .Text("organization", store->organization())
                         .Text("fingerprint", Fingerprint(store->organization_key()))
                         .Finish()
                  << '\n';
    return 0;
  }
  context.out() << "restored the store of the broker of "
                << (store->organization().empty() ? "an organisation without a name yet"
                                                  : Printable(store->organization()))
                << "\n  fingerprint  " << Fingerprint(store->organization_key()) << '\n';
  context.Note(
      "sites that joined or were revoked since the backup are as they were before: "
      "dirsync sites list");
  context.Next("dirsync broker run --store " + Quoted(path));
  return 0;
}

Result<int> Restore(Context& context, const Arguments& arguments) {
  const std::string folder = context.WholePath(arguments.words().front());
  DIRSYNC_TRY(path, context.StorePath());
  if (BrokerStore::IsThere(folder)) return RestoreBroker(context, folder, path);
  DIRSYNC_TRY(store, RestoreStore(context.world(), folder, path));
  PrintSite(context, *store, "restored");
  context.Note(
      "every export stream begins a new epoch: readers take a full copy where they "
      "stood elsewhere");
  DIRSYNC_TRY(membership, LoadMembership(store->storage()));
  context.Next(membership ? "dirsync agent run; then dirsync resync run --site " +
                                Quoted(store->profile().site) + " --full"
                          : "dirsync instance list; dirsync run INSTANCE --full");
  return 0;
}

}  // namespace

CommandGroup StoreCommands() {
  return {
      "The store of a site",
      {
          {.path = "init",
           .help = "make a store for a site",
           .examples = {"dirsync init --store /srv/site1 --organization Testorg --site Site1 "
                        "--server Server1 --address-type EDK --domain Site1.Testorg.com"},
           .options = {{"--organization", "O", "name of the organisation"},
                       {"--site", "S", "name of the site"},
                       {"--server", "V", "name of its server"},
                       {"--address-type", "T", "type of generated addresses (default EDK)", true},
                       {"--domain", "D", "their domain (default SITE.ORGANIZATION.com)", true},
                       {"--address-template", "TYPE:F@D",
                        "generated addresses in full, SMTP:%g.%s@example.org", true}},
           .run = Init,
           .own_process = true},
          {.path = "load",
           .arguments = "FILE.ldif",
           .words_min = 1,
           .words_max = 1,
           .help = "entries from an LDIF file; goes on where it was interrupted",
           .examples = {"dirsync load people.ldif"},
           .options = {{"--replace", "", "entries that are there get the file's values"}},
           .run = Load},
          {.path = "dump",
           .arguments = "[FILE.ldif]",
           .words_max = 1,
           .help = "this site's entries as LDIF, with their ids",
           .examples = {"dirsync dump people.ldif", "dirsync dump --imported > all.ldif"},
           .options = {{"--imported", "", "and those of other sites"}},
           .run = Dump,
           .changes = false},
          {.path = "backup",
           .arguments = "DIR",
           .words_min = 1,
           .words_max = 1,
           .help = "copy the whole store, keys included, to a new folder",
           .examples = {"dirsync backup /backup/site1-monday",
                        "dirsync backup /backup/broker-monday --store /srv/broker"},
           .run = Backup,
           .changes = false},
          {.path = "restore",
           .arguments = "DIR",
           .words_min = 1,
           .words_max = 1,
           .help = "make a new store at --store from a backup",
           .examples = {"dirsync restore /backup/site1-monday --store /srv/site1"},
           .run = Restore,
           .changes = false,
           .own_process = true},
      }};
}

}  // namespace dirsync::cli
