#include "cli/json.h"

#include "proto/base/base64.h"
#include "proto/base/text.h"

namespace dirsync::cli {

std::string JsonValue(std::string_view value, bool binary) {
  if (!binary && IsUtf8(value)) return JsonText(value);
  return "{\"base64\":\"" + EncodeBase64(value) + "\"}";
}

}  // namespace dirsync::cli
