#include "proto/trust/signed_request.h"

#include "proto/base/bytes.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "proto/trust/roster.h"

namespace dirsync {
namespace {

std::string JoinText(const JoinRequest& join) {
  std::string text = "dirsync join 1\n";
  RowWriter writer(text);
  for (const std::string* part :
       {&join.token, &join.organization, &join.site, &join.server, &join.replaces})
    writer.Bytes(*part);
  writer.Id(join.signing_key);
  writer.Id(join.transport_key);
  writer.Varint(join.domains.size());
  for (const std::string& domain : join.domains) writer.Bytes(domain);
  return text;
}

std::string RequestText(const AdminRequest& request) {
  std::string text = "dirsync request 1\n";
  RowWriter writer(text);
  writer.Bytes(request.target);
  writer.Bytes(request.signer);
  writer.Id(request.nonce);
  writer.U64Big(static_cast<std::uint64_t>(ToMillis(request.expires)));
  writer.Varint(request.words.size());
  for (const std::string& word : request.words) writer.Bytes(word);
  return text;
}

std::unexpected<Error> Refuse(const AdminRequest& request, ErrorCode code,
                              const std::string& cause) {
  return Fail(code, "take request of " + Printable(request.signer) + ": " + cause);
}

}  // namespace

void SignJoin(JoinRequest& join, const SigningKey& key) {
  join.signing_key = key.public_key();
  join.signature = key.Sign(JoinText(join));
}

bool IsSignedJoin(const JoinRequest& join) {
  return Verify(join.signing_key, JoinText(join), join.signature);
}

void SignRequest(AdminRequest& request, const SigningKey& key) {
  request.signature = key.Sign(RequestText(request));
}

Result<RosterEntry> CheckRequest(const storage::ReadView& view, const AdminRequest& request,
                                 std::string_view site) {
  if (FoldName(request.target) != FoldName(site))
    return Refuse(request, ErrorCode::kNotPermitted, "it is for " + Printable(request.target));
  DIRSYNC_TRY(signer, FindSite(view, request.signer));
  if (!signer || signer->state != SiteState::kActive)
    return Refuse(request, ErrorCode::kNotPermitted, "no active site of the roster");
  if (!Verify(signer->signing_key, RequestText(request), request.signature))
    return Refuse(request, ErrorCode::kBadSignature, "its signature does not match");
  return std::move(*signer);
}

bool IsStatement(const AdminRequest& request) {
  return request.words.size() == 5 && request.words[0] == "position";
}

Result<> CheckAge(const AdminRequest& request, Instant now) {
  if (request.expires < now)
    return Refuse(request, ErrorCode::kExpired,
                  "it is too old, or the two sites' clocks differ by minutes");
  if (request.expires > now + std::chrono::seconds(limits::kRequestSeconds))
    return Refuse(request, ErrorCode::kExpired,
                  "it is meant to live too long, or the two sites' clocks differ by minutes");
  return {};
}

}  // namespace dirsync
