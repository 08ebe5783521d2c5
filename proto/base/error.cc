#include "proto/base/error.h"

namespace dirsync {

const std::vector<ErrorInfo>& ErrorRegistry() {
  static const std::vector<ErrorInfo> registry = {
#define ERROR_CODE(name, number, text, exit_status, next) \
  {ErrorCode::name, text, exit_status, next},
#include "proto/base/error_codes.def"
#undef ERROR_CODE
  };
  return registry;
}

const ErrorInfo& InfoOf(ErrorCode code) {
  for (const ErrorInfo& info : ErrorRegistry())
    if (info.code == code) return info;
  return ErrorRegistry().front();
}

std::optional<ErrorCode> ErrorCodeOf(std::string_view text) {
  for (const ErrorInfo& info : ErrorRegistry())
    if (info.text == text) return info.code;
  return std::nullopt;
}

std::string Error::ToString() const {
  const ErrorInfo& info = InfoOf(code);
  std::string text = message + " (" + std::string(info.text) + ")";
  text += "\n  " + (hint.empty() ? std::string(info.next) : hint);
  return text;
}

}  // namespace dirsync
