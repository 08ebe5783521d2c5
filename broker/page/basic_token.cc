#include "broker/page/basic_token.h"

#include "proto/base/base64.h"
#include "proto/base/crypto.h"
#include "proto/base/text.h"

namespace dirsync {

bool MatchesBasic(std::string_view authorization, std::string_view token) {
  constexpr std::string_view kScheme = "basic ";
  if (authorization.size() < kScheme.size() ||
      !EqualsIgnoreCase(authorization.substr(0, kScheme.size()), kScheme))
    return false;
  const auto pair = DecodeBase64(TrimBlanks(authorization.substr(kScheme.size())));
  if (!pair) return false;
  const std::size_t colon = pair->find(':');
  if (colon == std::string::npos) return false;
  // Digests, so that how far a guess is right cannot be measured.
  return DigestOf(std::string_view(*pair).substr(colon + 1)) == DigestOf(token);
}

}  // namespace dirsync
