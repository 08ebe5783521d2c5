// The broker and who belongs to it: organization, broker, sites.
#include <algorithm>

#include "cli/broker_run.h"
#include "cli/command.h"
#include "proto/base/json_text.h"
#include "proto/base/text.h"
#include "proto/codec/roster_codec.h"
#include "proto/trust/roster.h"

namespace dirsync::cli {
namespace {

std::string_view StateName(SiteState state) {
  switch (state) {
    case SiteState::kActive:
      return "active";
    case SiteState::kRevoked:
      return "revoked";
    case SiteState::kRemoved:
      return "removed";
  }
  return "unknown";
}

Result<int> OrganizationInit(Context& context, const Arguments& arguments) {
  DIRSYNC_TRY(path, context.StorePath());
  DIRSYNC_CHECK(CheckNoSite(context, path, "make broker store"));
  if (context.dry_run()) return 0;
  DIRSYNC_TRY(store, BrokerStore::Create(path, arguments.words().front()));
  const std::string fingerprint = Fingerprint(store->organization_key());
  if (context.json()) {
    context.out() << JsonObject()
                         .Text("organization", store->organization())
                         .Text("fingerprint", fingerprint)
                         .Text("store", path)
                         .Finish()
                  << '\n';
  } else {
    context.out() << "organisation " << Printable(store->organization()) << ", key fingerprint "
                  << fingerprint << '\n';
  }
  context.Note("its key is " + Printable(path) +
               "/keys/organization.key: keep a copy off-line; who has it decides who belongs here");
  context.Next("dirsync broker run --store " + Quoted(path));
  return 0;
}

Result<int> BrokerInvite(Context& context, const Arguments&) {
  DIRSYNC_TRY(admin, context.OpenBroker());
  DIRSYNC_TRY(invitation, admin->Invite());
  const std::string text = invitation.ToString();
  if (context.json()) {
    context.out() << JsonObject()
                         .Text("invitation", text)
                         .Text("until", FormatTime(invitation.until))
                         .Text("fingerprint", Fingerprint(invitation.organization_key))
                         .Finish()
                  << '\n';
    return 0;
  }
  context.out() << text << '\n';
  context.Note("the join door is open until " + FormatTime(invitation.until) +
               "; organisation key " + Fingerprint(invitation.organization_key));
  context.Next("at the new site: dirsync join INVITATION; then here: dirsync sites pending");
  return 0;
}

void NextIsApproval(Context& context, const BrokerStats& stats) {
  const PendingJoin& join = stats.pending.front();
  context.Next("compare the fingerprint " + Fingerprint(join.signing_key) +
               " with the one that the site shows; then: dirsync sites approve " +
               Quoted(join.site));
}

Result<int> SitesPending(Context& context, const Arguments&) {
  DIRSYNC_TRY(admin, context.OpenBroker());
  const BrokerStats stats = admin->Stats();
  if (context.json()) {
    std::vector<std::string> rows;
    for (const PendingJoin& join : stats.pending)
      rows.push_back(JsonObject()
                         .Text("site", join.site)
                         .Text("server", join.server)
                         .Text("replaces", join.replaces)
                         .Texts("domains", join.domains)
                         .Text("fingerprint", Fingerprint(join.signing_key))
                         .Text("time", FormatTime(join.time))
                         .Finish());
    context.out() << JsonArray(rows) << '\n';
    return 0;
  }
  Table table(context.out(), {"SITE", "SERVER", "DOMAINS", "FINGERPRINT", "ASKED", "REPLACES"},
              context.width(), context.out_colours());
  for (const PendingJoin& join : stats.pending)
    table.Add({join.site, join.server, Join(join.domains, ","), Fingerprint(join.signing_key),
               FormatTime(join.time), join.replaces});
  table.Finish();
  if (stats.pending.empty()) context.Note("nobody asks to join");
  if (!stats.pending.empty()) NextIsApproval(context, stats);
  return 0;
}

Result<int> SitesList(Context& context, const Arguments&) {
  DIRSYNC_TRY(admin, context.OpenBroker());
  const BrokerStats stats = admin->Stats();
  if (context.json()) {
    std::vector<std::string> rows;
    for (const SiteStats& site : stats.sites)
      rows.push_back(JsonObject()
                         .Text("site", site.entry.site)
                         .Text("state", StateName(site.entry.state))
                         .Text("server", site.entry.server)
                         .Texts("domains", site.entry.domains)
                         .Text("fingerprint", Fingerprint(site.entry.signing_key))
                         .Bool("admin", site.entry.admin)
                         .Bool("connected", site.connected)
                         .Number("serial", site.entry.serial)
                         .Finish());
    context.out() << JsonArray(rows) << '\n';
    return 0;
  }
  Table table(context.out(), {"SITE", "STATE", "CONNECTED", "DOMAINS", "FINGERPRINT", "ADMIN"},
              context.width(), context.out_colours());
  for (const SiteStats& site : stats.sites)
    table.Add({site.entry.site, std::string(StateName(site.entry.state)),
               site.connected ? "yes" : "no", Join(site.entry.domains, ","),
               Fingerprint(site.entry.signing_key), site.entry.admin ? "yes" : ""});
  table.Finish();
  if (!stats.pending.empty()) {
    NextIsApproval(context, stats);
  } else if (stats.sites.empty()) {
    context.Next("dirsync broker invite");
  }
  return 0;
}

// The organisation's key: of the store, or where it is kept off-line.
Result<SigningKey> SignerOf(Context& context, BrokerStore& store, const Arguments& arguments) {
  if (const auto file = arguments.Value("--organization-key"))
    return ReadOrganizationKey(context.WholePath(*file), store.organization_key());
  if (store.signing_key()) return *store.signing_key();
  return Fail(ErrorCode::kConfiguration, "sign the roster: the organisation's key is not here",
              "name its file: --organization-key FILE");
}

Result<> SignAndTake(Context& context, BrokerAdmin& admin, const Arguments& arguments,
                     RosterEntry entry) {
  DIRSYNC_TRY(key, SignerOf(context, admin.store(), arguments));
  entry.time = context.world().Now();
  // Above whatever was signed before, here or by a broker whose store was lost since: a store that
  // was put back from a copy does not know those numbers.
  entry.serial = std::max(entry.serial, static_cast<std::uint64_t>(ToMillis(entry.time)));
  const SignedRosterEntry signed_entry = SignRosterEntry(entry, key);
  return context.dry_run() ? admin.CheckTake(signed_entry) : admin.Take(signed_entry);
}

Result<RosterEntry> EntryOf(BrokerAdmin& admin, const std::string& site) {
  DIRSYNC_TRY(entry, FindSite(admin.store().storage(), site));
  if (entry) return std::move(*entry);
  return Fail(ErrorCode::kNotFound, "find site " + Printable(site) + ": not in the roster",
              "dirsync sites list");
}

void PrintMember(Context& context, const RosterEntry& entry) {
  context.out() << (context.json()
                        ? JsonObject()
                              .Text("site", entry.site)
                              .Text("state", "active")
                              .Text("fingerprint", Fingerprint(entry.signing_key))
                              .Finish()
                        : Printable(entry.site) +
                              (context.dry_run() ? " would belong to " : " belongs to ") +
                              Printable(entry.organization) + "; fingerprint " +
                              Fingerprint(entry.signing_key))
                << '\n';
}

Result<> ApproveOne(Context& context, BrokerAdmin& admin, const Arguments& arguments,
                    const std::string& site) {
  const BrokerStats stats = admin.Stats();
  const auto pending = std::ranges::find_if(stats.pending, [&](const PendingJoin& join) {
    return FoldName(join.site) == FoldName(site);
  });
  if (pending == stats.pending.end())
    return Fail(ErrorCode::kNotFound, "approve " + Printable(site) + ": it has not asked to join",
                "dirsync sites pending");
  DIRSYNC_TRY(before, FindSite(admin.store().storage(), site));
  RosterEntry entry;
  entry.organization = stats.organization;
  if (entry.organization.empty())
    entry.organization = arguments.Value("--organization").value_or("");
  if (entry.organization.empty())
    return Fail(ErrorCode::kUsage, "approve " + Printable(site) + ": the organisation has no name",
                "dirsync sites approve " + Quoted(site) +
                    " --organization NAME; a broker that begins with `dirsync organization init "
                    "NAME` has one");
  entry.site = pending->site;
  entry.server = pending->server;
  entry.signing_key = pending->signing_key;
  entry.transport_key = pending->transport_key;
  entry.domains = pending->domains;
  entry.serial = before ? before->serial + 1 : 1;
  entry.admin = arguments.Has("--admin") || (before && before->admin);
  DIRSYNC_CHECK(SignAndTake(context, admin, arguments, entry));
  PrintMember(context, entry);
  return {};
}

Result<int> SitesApprove(Context& context, const Arguments& arguments) {
  DIRSYNC_TRY(admin, context.OpenBroker());
  for (const std::string& site : arguments.words())
    DIRSYNC_CHECK(ApproveOne(context, *admin, arguments, site));
  return 0;
}

Result<int> SitesRefuse(Context& context, const Arguments& arguments) {
  DIRSYNC_TRY(admin, context.OpenBroker());
  if (context.dry_run()) return 0;
  auto refused = admin->Refuse(arguments.words().front());
  if (refused) return 0;
  Error error = refused.error();
  if (error.hint.empty() && error.code == ErrorCode::kNotFound)
    error.hint = "dirsync sites pending lists who has";
  return std::unexpected(std::move(error));
}

Result<int> ChangeState(Context& context, const Arguments& arguments, SiteState state,
                        ContactsAfter contacts) {
  DIRSYNC_TRY(admin, context.OpenBroker());
  DIRSYNC_TRY(entry, EntryOf(*admin, arguments.words().front()));
  ++entry.serial;
  entry.state = state;
  entry.contacts = contacts;
  DIRSYNC_CHECK(SignAndTake(context, *admin, arguments, entry));
  context.out()
      << (context.json()
              ? JsonObject().Text("site", entry.site).Text("state", StateName(state)).Finish()
              : Printable(entry.site) + (context.dry_run() ? " would be " : " is ") +
                    std::string(StateName(state)))
      << '\n';
  return 0;
}

Result<int> SitesRevoke(Context& context, const Arguments& arguments) {
  return ChangeState(context, arguments, SiteState::kRevoked, ContactsAfter::kKeep);
}

Result<int> SitesRemove(Context& context, const Arguments& arguments) {
  const std::string contacts = arguments.Value("--contacts").value_or("");
  if (contacts != "keep" && contacts != "delete")
    return Fail(ErrorCode::kUsage,
                "sites remove: say what becomes of its contacts at the other sites",
                "--contacts keep or --contacts delete");
  return ChangeState(context, arguments, SiteState::kRemoved,
                     contacts == "keep" ? ContactsAfter::kKeep : ContactsAfter::kDelete);
}

Result<int> SitesAdd(Context& context, const Arguments& arguments) {
  DIRSYNC_TRY(admin, context.OpenBroker());
  RosterEntry entry;
  entry.organization = admin->Stats().organization;
  entry.site = arguments.words().front();
  DIRSYNC_TRY(before, FindSite(admin->store().storage(), entry.site));
  const auto signing = PublicKey::FromHex(arguments.Value("--public-key").value_or(""));
  const auto transport = TransportKey::FromHex(arguments.Value("--transport-key").value_or(""));
  if (!signing || !transport || entry.organization.empty())
    return Fail(ErrorCode::kUsage,
                "sites add: both public keys are needed, 64 hex digits each, and an organisation",
                "at the site: dirsync keys show");
  entry.signing_key = *signing;
  entry.transport_key = *transport;
  for (const std::string& domain : arguments.List("--domain"))
    entry.domains.push_back(ToLowerAscii(domain));
  entry.server = arguments.Value("--server").value_or("");
  entry.serial = before ? before->serial + 1 : 1;
  entry.admin = arguments.Has("--admin");
  DIRSYNC_CHECK(SignAndTake(context, *admin, arguments, entry));
  PrintMember(context, entry);
  return 0;
}

constexpr OptionSpec kKeyOption = {"--organization-key", "FILE",
                                   "the organisation's key, where it is kept off-line"};

std::vector<CommandSpec> SitesCommands() {
  return {{.path = "sites pending",
           .help = "who asks to join",
           .examples = {"dirsync sites pending"},
           .run = SitesPending,
           .changes = false},
          {.path = "sites list",
           .help = "the roster",
           .examples = {"dirsync sites list"},
           .run = SitesList,
           .changes = false},
          {.path = "sites approve",
           .arguments = "SITE…",
           .words_min = 1,
           .words_max = kManyWords,
           .help = "sign the site into the roster",
           .examples = {"dirsync sites approve Site3"},
           .options = {kKeyOption,
                       {"--admin", "", "it may ask for resyncs of other sites"},
                       {"--organization", "NAME", "if the broker serves none yet"}},
           .run = SitesApprove},
          {.path = "sites refuse",
           .arguments = "SITE",
           .words_min = 1,
           .words_max = 1,
           .help = "turn a request to join away",
           .examples = {"dirsync sites refuse Site9"},
           .run = SitesRefuse},
          {.path = "sites revoke",
           .arguments = "SITE",
           .words_min = 1,
           .words_max = 1,
           .help = "its next message is refused; what it told stays",
           .examples = {"dirsync sites revoke Site3"},
           .options = {kKeyOption},
           .run = SitesRevoke},
          {.path = "sites remove",
           .arguments = "SITE",
           .words_min = 1,
           .words_max = 1,
           .help = "the site left: its contacts go everywhere, or are kept",
           .examples = {"dirsync sites remove Site3 --contacts delete"},
           .options = {kKeyOption, {"--contacts", "keep|delete", "at the other sites"}},
           .run = SitesRemove},
          {.path = "sites add",
           .arguments = "SITE",
           .words_min = 1,
           .words_max = 1,
           .help = "sign a site into the roster by its keys, without the door",
           .examples = {"dirsync sites add Site3 --public-key HEX --transport-key HEX --domain "
                        "site3.example.org"},
           .options = {kKeyOption,
                       {"--public-key", "HEX", "of its signatures"},
                       {"--transport-key", "HEX", "of its connections"},
                       {"--domain", "D", "its mail domains", true},
                       {"--server", "V", "name of its server"},
                       {"--admin", "", "it may ask for resyncs of other sites"}},
           .run = SitesAdd}};
}

}  // namespace

CommandGroup BrokerCommands() {
  std::vector<CommandSpec> commands = {
      {.path = "organization init",
       .arguments = "NAME",
       .words_min = 1,
       .words_max = 1,
       .help = "make a broker's store, with the key that decides who belongs",
       .examples = {"dirsync organization init Testorg --store /srv/broker"},
       .run = OrganizationInit,
       .own_process = true},
      {.path = "broker run",
       .help = "carry batches between the sites, and show how things stand",
       .examples = {"dirsync broker run --store /srv/broker",
                    "dirsync broker run --listen tcp://0.0.0.0:7600 --join-listen "
                    "tcp://0.0.0.0:7601"},
       .options = {{"--config", "FILE", "TOML: addresses, page, limits, log (deploy/broker.toml)"},
                   {"--listen", "ADDRESS", "where agents connect (tcp://127.0.0.1:7600)"},
                   {"--join-listen", "ADDRESS", "the join door (tcp://127.0.0.1:7601)"},
                   {"--public-address", "ADDRESS", "what invitations name instead"},
                   {"--public-join-address", "ADDRESS", "likewise, for the door"},
                   {"--page", "PORT", "page, metrics, API on loopback (7680); 0 any; off"}},
       .run = BrokerRun,
       .changes = false,
       .own_process = true},
      {.path = "broker invite",
       .help = "open the join door for 15 minutes; prints the invitation",
       .examples = {"dirsync broker invite --store /srv/broker"},
       .run = BrokerInvite,
       .changes = false}};
  std::ranges::move(SitesCommands(), std::back_inserter(commands));
  return {"The broker and its sites (--store names the broker's store)", std::move(commands)};
}

}  // namespace dirsync::cli
