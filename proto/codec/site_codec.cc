#include "proto/base/limits.h"
#include "proto/codec/message_parts.h"
#include "proto/codec/wire_parts.h"
#include "proto/wire/message.pb.h"

namespace dirsync::codec {
namespace {

constexpr int kWordsMax = limits::kRequestWords;
constexpr int kInstancesMax = 2 * limits::kReportInstances;
constexpr std::size_t kEntryBytes = 128 * limits::kKiB;
constexpr std::size_t kTokenBytes = 64;

void FillInstance(const InstanceReport& report, wire::InstanceReport& out) {
  out.set_instance(report.instance);
  out.set_exports(report.exports);
  Fill(report.stream, *out.mutable_stream());
  Fill(report.position, *out.mutable_position());
  out.set_paused(report.paused);
  out.set_rows(report.rows);
  out.set_captured(report.captured);
  out.set_applied(report.applied);
  out.set_held(report.held);
  out.set_quarantined(report.quarantined);
  out.set_wanted(report.wanted);
  out.set_outbox_batches(report.outbox_batches);
  out.set_full_done(report.full_done);
  out.set_full_total(report.full_total);
  out.set_suspect(report.suspect);
  out.set_diverged(report.diverged);
  out.set_sums_equal_at_ms(ToMillis(report.sums_equal_at));
  out.set_canary_at_ms(ToMillis(report.canary_at));
  out.set_problem(static_cast<std::uint32_t>(report.problem));
  out.set_problem_text(report.problem_text);
}

bool ParseInstance(const wire::InstanceReport& in, InstanceReport& report) {
  report.exports = in.exports();
  report.paused = in.paused();
  report.rows = in.rows();
  report.captured = in.captured();
  report.applied = in.applied();
  report.held = in.held();
  report.quarantined = in.quarantined();
  report.wanted = in.wanted();
  report.outbox_batches = in.outbox_batches();
  report.full_done = in.full_done();
  report.full_total = in.full_total();
  report.suspect = in.suspect();
  report.diverged = in.diverged();
  report.sums_equal_at = FromMillis(in.sums_equal_at_ms());
  report.canary_at = FromMillis(in.canary_at_ms());
  report.problem = ParseCode(in.problem());
  return ParseText(in.instance(), limits::kNameBytes, report.instance) &&
         Parse(in.stream(), report.stream) && Parse(in.position(), report.position) &&
         ParseText(in.problem_text(), kMessageTextBytes, report.problem_text);
}

}  // namespace

void Fill(const RosterNews& message, wire::Roster& out) {
  for (const SignedRosterEntry& entry : message.entries) {
    wire::SignedRosterEntry& row = *out.add_entries();
    row.set_entry(entry.bytes);
    FillId(entry.signature, row.mutable_signature());
  }
}

bool Parse(const wire::Roster& in, RosterNews& message) {
  if (in.entries_size() > static_cast<int>(limits::kRosterPerMessage)) return false;
  for (const wire::SignedRosterEntry& row : in.entries()) {
    SignedRosterEntry& entry = message.entries.emplace_back();
    if (!ParseText(row.entry(), kEntryBytes, entry.bytes) ||
        !ParseId(row.signature(), entry.signature))
      return false;
  }
  return true;
}

void Fill(const JoinRequest& message, wire::Join& out) {
  out.set_token(message.token);
  out.set_organization(message.organization);
  out.set_site(message.site);
  out.set_server(message.server);
  FillId(message.signing_key, out.mutable_signing_key());
  FillId(message.transport_key, out.mutable_transport_key());
  for (const std::string& domain : message.domains) out.add_domains(domain);
  out.set_replaces(message.replaces);
  FillId(message.signature, out.mutable_signature());
}

bool Parse(const wire::Join& in, JoinRequest& message) {
  if (in.domains_size() > static_cast<int>(limits::kDomainsPerSite)) return false;
  for (const std::string& domain : in.domains())
    if (!ParseText(domain, limits::kNameBytes, message.domains.emplace_back())) return false;
  return ParseText(in.token(), kTokenBytes, message.token) &&
         ParseText(in.organization(), limits::kNameBytes, message.organization) &&
         ParseText(in.site(), limits::kNameBytes, message.site) &&
         ParseText(in.server(), limits::kNameBytes, message.server) &&
         ParseId(in.signing_key(), message.signing_key) &&
         ParseId(in.transport_key(), message.transport_key) &&
         ParseText(in.replaces(), limits::kNameBytes, message.replaces) &&
         ParseId(in.signature(), message.signature);
}

void Fill(const JoinReply& message, wire::Joined& out) {
  out.set_state(static_cast<std::uint32_t>(message.state));
  out.set_code(static_cast<std::uint32_t>(message.code));
  out.set_text(message.text);
  Fill(message.roster, *out.mutable_roster());
}

bool Parse(const wire::Joined& in, JoinReply& message) {
  if (in.state() == 0 || in.state() > static_cast<std::uint32_t>(JoinReply::State::kRefused))
    return false;
  message.state = static_cast<JoinReply::State>(in.state());
  message.code = ParseCode(in.code());
  return ParseText(in.text(), kMessageTextBytes, message.text) &&
         Parse(in.roster(), message.roster);
}

void Fill(const AdminRequest& message, wire::Admin& out) {
  out.set_target(message.target);
  out.set_signer(message.signer);
  FillId(message.nonce, out.mutable_nonce());
  out.set_expires_ms(ToMillis(message.expires));
  for (const std::string& word : message.words) out.add_words(word);
  FillId(message.signature, out.mutable_signature());
}

bool Parse(const wire::Admin& in, AdminRequest& message) {
  if (in.words_size() > kWordsMax) return false;
  for (const std::string& word : in.words())
    if (!ParseText(word, kMessageTextBytes, message.words.emplace_back())) return false;
  message.expires = FromMillis(in.expires_ms());
  return ParseText(in.target(), limits::kNameBytes, message.target) &&
         ParseText(in.signer(), limits::kNameBytes, message.signer) &&
         ParseId(in.nonce(), message.nonce) && ParseId(in.signature(), message.signature);
}

void Fill(const AdminReply& message, wire::AdminReply& out) {
  out.set_target(message.target);
  out.set_signer(message.signer);
  FillId(message.nonce, out.mutable_nonce());
  out.set_done(message.done);
  out.set_code(static_cast<std::uint32_t>(message.code));
  out.set_text(message.text);
}

bool Parse(const wire::AdminReply& in, AdminReply& message) {
  message.done = in.done();
  message.code = ParseCode(in.code());
  return ParseText(in.target(), limits::kNameBytes, message.target) &&
         ParseText(in.signer(), limits::kNameBytes, message.signer) &&
         ParseId(in.nonce(), message.nonce) &&
         ParseText(in.text(), kMessageTextBytes, message.text);
}

void Fill(const AgentReport& message, wire::Report& out) {
  out.set_started_ms(ToMillis(message.started));
  out.set_time_ms(ToMillis(message.time));
  out.set_program(message.program);
  for (const InstanceReport& instance : message.instances)
    FillInstance(instance, *out.add_instances());
  out.set_store_bytes(message.store_bytes);
  out.set_disk_free_bytes(message.disk_free_bytes);
}

bool Parse(const wire::Report& in, AgentReport& message) {
  if (in.instances_size() > kInstancesMax) return false;
  for (const wire::InstanceReport& row : in.instances())
    if (!ParseInstance(row, message.instances.emplace_back())) return false;
  message.started = FromMillis(in.started_ms());
  message.time = FromMillis(in.time_ms());
  message.store_bytes = in.store_bytes();
  message.disk_free_bytes = in.disk_free_bytes();
  return ParseText(in.program(), limits::kNameBytes, message.program);
}

}  // namespace dirsync::codec
