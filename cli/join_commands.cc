// How a site comes to belong: join, keys.
#include <algorithm>

#include "agent/loop/join.h"
#include "broker/loop/broker_store.h"
#include "cli/command.h"
#include "proto/base/json_text.h"
#include "proto/base/text.h"
#include "proto/daemon/key_file.h"

namespace dirsync::cli {
namespace {

// Of the generated addresses, if none are named.
std::vector<std::string> DomainsOf(const Store& store, const Arguments& arguments) {
  std::vector<std::string> domains = arguments.List("--domains");
  if (domains.empty())
    for (const AddressTemplate& form : store.profile().templates)
      if (!form.domain().empty()) domains.push_back(form.domain());
  for (std::string& domain : domains) domain = ToLowerAscii(domain);
  std::ranges::sort(domains);
  domains.erase(std::ranges::unique(domains).begin(), domains.end());
  return domains;
}

Result<int> JoinIt(Context& context, const Arguments& arguments) {
  DIRSYNC_TRY(store, context.OpenStore());
  DIRSYNC_TRY(invitation, Invitation::Parse(arguments.words().front()));
  JoinOptions options;
  options.invitation = std::move(invitation);
  options.domains = DomainsOf(*store, arguments);
  options.replaces = arguments.Has("--replaces");
  const auto wait = ParseNumber(arguments.Value("--wait").value_or("0"));
  if (!wait || *wait > 3600)
    return Fail(ErrorCode::kUsage, "join: --wait takes seconds, at most 3600");
  options.wait = std::chrono::seconds(*wait);
  options.interrupted = [&] { return context.interrupted(); };
  const std::string fingerprint = Fingerprint(store->key().public_key());
  context.Note("organisation key " + Fingerprint(options.invitation.organization_key) +
               "; this site's key " + fingerprint);
  if (context.dry_run()) return 0;
  DIRSYNC_TRY(outcome, JoinOrganization(*store, options));
  const bool approved = outcome == JoinOutcome::kApproved;
  if (context.json()) {
    context.out() << JsonObject()
                         .Text("state", approved ? "approved" : "pending")
                         .Text("site", store->profile().site)
                         .Text("fingerprint", fingerprint)
                         .Finish()
                  << '\n';
  } else if (approved) {
    context.out() << "joined " << Printable(store->profile().organization) << " by the broker at "
                  << Printable(options.invitation.broker_address) << '\n';
  } else {
    context.out() << "asked to join; waits for approval\n";
  }
  if (approved) {
    context.Next(context.console().agent != nullptr ? "dirsync status" : "dirsync agent run");
  } else {
    context.Next("at the broker: dirsync sites approve " + Quoted(store->profile().site) +
                 "; then here the same join again");
  }
  return 0;
}

void PrintKey(Context& context, std::string_view what, std::string_view hex,
              std::string_view fingerprint) {
  if (context.json()) {
    context.out() << JsonObject()
                         .Text("key", what)
                         .Text("public", hex)
                         .Text("fingerprint", fingerprint)
                         .Finish()
                  << '\n';
    return;
  }
  context.out() << what << ' ' << hex;
  if (!fingerprint.empty()) context.out() << "  fingerprint " << fingerprint;
  context.out() << '\n';
}

Result<int> KeysShow(Context& context, const Arguments&) {
  if (context.AtBroker()) {
    DIRSYNC_TRY(admin, context.OpenBroker());
    const PublicKey& key = admin->store().organization_key();
    PrintKey(context, "organization", key.hex(), Fingerprint(key));
    PrintKey(context, "transport", admin->store().transport_keys().public_key.hex(), "");
    return 0;
  }
  DIRSYNC_TRY(store, context.OpenStore());
  DIRSYNC_TRY(keys, TransportKeysOf(*store));
  PrintKey(context, "signing", store->key().public_key().hex(),
           Fingerprint(store->key().public_key()));
  PrintKey(context, "transport", keys.public_key.hex(), "");
  return 0;
}

// The key of connections; what a site signs with stays. Until the new one is known at the other end
// a connection that stands goes on.
Result<int> KeysRenew(Context& context, const Arguments&) {
  DIRSYNC_TRY(path, context.StorePath());
  const std::string file = path + "/keys/transport.key";
  const bool broker = context.AtBroker();
  if (!broker) {
    DIRSYNC_TRY(store, context.OpenStore());
    DIRSYNC_CHECK(TransportKeysOf(*store));
  }
  if (context.dry_run()) return 0;
  DIRSYNC_CHECK(ReplaceKeyFile(file, context.world().Random(32)));
  DIRSYNC_TRY(secret, ReadKeyFile(file, "the new key"));
  DIRSYNC_TRY(keys, TransportKeysFrom(secret));
  PrintKey(context, "transport", keys.public_key.hex(), "");
  if (broker) {
    context.Next(
        "start the broker again; then `dirsync broker invite`, and at every site "
        "`dirsync join INVITATION`");
  } else {
    context.Next("dirsync join INVITATION --replaces; then at the broker: dirsync sites approve");
  }
  return 0;
}

}  // namespace

CommandGroup JoinCommands() {
  return {
      "Belonging to an organisation",
      {
          {.path = "join",
           .arguments = "INVITATION",
           .words_min = 1,
           .words_max = 1,
           .help = "ask to belong; once approved: connect to the broker",
           .examples = {"dirsync join dirsync-invite-…", "dirsync join dirsync-invite-… --wait 60",
                        "dirsync join dirsync-invite-… --replaces"},
           .options = {{"--domains", "D,D",
                        "mail domains of this site (default: of its "
                        "generated addresses)",
                        true},
                       {"--replaces", "", "the site's earlier keys are lost"},
                       {"--wait", "SECONDS", "for the approval"}},
           .run = JoinIt},
          {.path = "keys show",
           .help = "public keys and their fingerprints",
           .examples = {"dirsync keys show"},
           .run = KeysShow,
           .changes = false},
          {.path = "keys renew",
           .help = "another key for the connections of this site or broker",
           .examples = {"dirsync keys renew"},
           .run = KeysRenew},
      }};
}

}  // namespace dirsync::cli
