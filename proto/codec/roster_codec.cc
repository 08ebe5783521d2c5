#include "proto/codec/roster_codec.h"

#include "proto/base/limits.h"
#include "proto/codec/wire_parts.h"
#include "proto/model/dn.h"
#include "proto/wire/message.pb.h"

namespace dirsync {
namespace {

// No other signed object of ours begins like this.
std::string SignedMessage(std::string_view bytes) {
  return "dirsync roster entry 1\n" + std::string(DigestOf(bytes).view());
}

std::unexpected<Error> Bad(std::string cause) {
  return Fail(ErrorCode::kBadRecord, "open roster entry: " + std::move(cause));
}

Result<> ParseNames(const wire::RosterEntry& in, RosterEntry& entry) {
  entry.organization = in.organization();
  entry.site = in.site();
  entry.server = in.server();
  for (const std::string* name : {&entry.organization, &entry.site})
    if (Result<> good = CheckName("name", *name); !good) return Bad(good.error().message);
  if (entry.server.size() > limits::kNameBytes) return Bad("a server's name over 256 bytes");
  if (in.domains_size() > static_cast<int>(limits::kDomainsPerSite)) return Bad("over 256 domains");
  for (const std::string& domain : in.domains()) {
    if (domain.empty() || domain.size() > limits::kNameBytes) return Bad("a domain's length");
    entry.domains.push_back(domain);
  }
  return {};
}

}  // namespace

SignedRosterEntry SignRosterEntry(const RosterEntry& entry, const SigningKey& organization) {
  wire::RosterEntry out;
  out.set_organization(entry.organization);
  out.set_site(entry.site);
  out.set_server(entry.server);
  codec::FillId(entry.signing_key, out.mutable_signing_key());
  codec::FillId(entry.transport_key, out.mutable_transport_key());
  for (const std::string& domain : entry.domains) out.add_domains(domain);
  out.set_serial(entry.serial);
  out.set_state(static_cast<std::uint32_t>(entry.state));
  out.set_contacts(static_cast<std::uint32_t>(entry.contacts));
  out.set_admin(entry.admin);
  out.set_time_ms(ToMillis(entry.time));
  SignedRosterEntry signed_entry;
  signed_entry.bytes = out.SerializeAsString();
  signed_entry.signature = organization.Sign(SignedMessage(signed_entry.bytes));
  return signed_entry;
}

Result<RosterEntry> OpenRosterEntry(const SignedRosterEntry& signed_entry,
                                    const PublicKey& organization) {
  if (signed_entry.bytes.size() > limits::kMessageHeaderBytes)
    return Fail(ErrorCode::kTooLarge, "open roster entry: over 256 KiB");
  if (!Verify(organization, SignedMessage(signed_entry.bytes), signed_entry.signature))
    return Fail(
        ErrorCode::kBadSignature,
        "open roster entry: not signed by the organisation's key " + Fingerprint(organization));
  return PeekRosterEntry(signed_entry.bytes);
}

Result<RosterEntry> PeekRosterEntry(std::string_view bytes) {
  wire::RosterEntry in;
  if (!in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return Bad("no message of an entry");
  RosterEntry entry;
  DIRSYNC_CHECK(ParseNames(in, entry));
  if (!codec::ParseId(in.signing_key(), entry.signing_key) ||
      !codec::ParseId(in.transport_key(), entry.transport_key) || entry.signing_key.is_zero() ||
      entry.transport_key.is_zero())
    return Bad("its keys are not of 32 bytes");
  if (in.state() == 0 || in.state() > static_cast<std::uint32_t>(SiteState::kRemoved))
    return Bad("unknown state " + std::to_string(in.state()));
  if (in.contacts() == 0 || in.contacts() > static_cast<std::uint32_t>(ContactsAfter::kDelete))
    return Bad("unknown fate of contacts");
  entry.state = static_cast<SiteState>(in.state());
  entry.contacts = static_cast<ContactsAfter>(in.contacts());
  entry.serial = in.serial();
  entry.admin = in.admin();
  entry.time = FromMillis(in.time_ms());
  return entry;
}

}  // namespace dirsync
