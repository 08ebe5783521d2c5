// Errors as values: what happened, to what, and what to do next.
//
//   Result<Entry> entry = directory.Get(id);
//   if (!entry) return std::unexpected(entry.error());
//
// or, shorter, DIRSYNC_TRY(entry, directory.Get(id)).
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/base/time.h"

namespace dirsync {

// Codes say what the caller does next; the rows are in error_codes.def.
enum class ErrorCode : std::uint16_t {
#define ERROR_CODE(name, number, text, exit_status, next) name = number,
#include "proto/base/error_codes.def"
#undef ERROR_CODE
};

// One row of the registry.
struct ErrorInfo {
  ErrorCode code;
  std::string_view text;  // stable spelling, e.g. "GAP"
  int exit_status;        // of a command that fails with it: 0-12, 130
  std::string_view next;  // one sentence: what to do
};

// Every row, in ascending wire number.
const std::vector<ErrorInfo>& ErrorRegistry();

// The row of `code`; kInternal's row for a number that is not registered.
const ErrorInfo& InfoOf(ErrorCode code);

// The code with this stable spelling, if any.
std::optional<ErrorCode> ErrorCodeOf(std::string_view text);

// Lower case, no trailing stop: "operation object: cause". `hint` is a command or a sentence for
// the person at the terminal; empty means the registry's `next`.
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
  std::string hint;
  Instant again{};  // when the same may be tried again with success; zero: nobody knows

  // "message (CODE)\n  hint" without colours.
  std::string ToString() const;
  int exit_status() const { return InfoOf(code).exit_status; }
};

template <class T = void>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> Fail(ErrorCode code, std::string message, std::string hint = {}) {
  return std::unexpected(Error{code, std::move(message), std::move(hint)});
}

}  // namespace dirsync

#define DIRSYNC_CONCAT_(a, b) a##b
#define DIRSYNC_CONCAT(a, b) DIRSYNC_CONCAT_(a, b)

// Returns the error of a Result<void> expression, if it has one.
#define DIRSYNC_CHECK(expression)                                                    \
  do {                                                                               \
    if (auto DIRSYNC_CONCAT(checked_, __LINE__) = (expression);                      \
        !DIRSYNC_CONCAT(checked_, __LINE__))                                         \
      return std::unexpected(std::move(DIRSYNC_CONCAT(checked_, __LINE__)).error()); \
  } while (false)

// Declares `name` with the value of a Result<T> expression, or returns its error.
#define DIRSYNC_TRY(name, expression)                                         \
  auto DIRSYNC_CONCAT(name, _result) = (expression);                          \
  if (!DIRSYNC_CONCAT(name, _result))                                         \
    return std::unexpected(std::move(DIRSYNC_CONCAT(name, _result)).error()); \
  auto& name = *DIRSYNC_CONCAT(name, _result) /* NOLINT */
