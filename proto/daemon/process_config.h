// The configuration file of a process (TOML): where its store is, its addresses, limits, log. What
// is synced is not in it: instances live in the store, and only commands change them (R29).
//
// Each program has one table of options; what the table does not name is refused, with its place.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "proto/base/error.h"
#include "proto/base/time.h"

namespace dirsync {

enum class OptionKind : std::uint8_t {
  kText = 1,
  kTexts = 2,     // an array of texts; one text is an array of one
  kDuration = 3,  // "500ms", "30s", "5m", "1h", "2d"; 0 needs no unit
  kNumber = 4,    // not negative
  kSwitch = 5,    // true or false
  kBytes = 6,     // "64MiB", "1GiB", "10KiB", or a number
};

// One row of a program's table.
struct ProcessOption {
  std::string_view name;  // "files.in": key `in` of table [files]
  OptionKind kind = OptionKind::kText;
  std::string_view fallback;  // its value when it is not given, as it would be written
  std::string_view help;
  std::string_view when = {};  // to change it
};

// Values by the names of the table. Asking for a name that is not in it, or as another kind, is a
// mistake of the program: it gets an empty value.
class ProcessConfig {
 public:
  // All at their fallbacks.
  static ProcessConfig Of(std::span<const ProcessOption> options);
  // `name` is the file's, for messages. Errors, all kConfiguration with "NAME:LINE:COLUMN": no
  // TOML, an unknown option (with the nearest ones), a value of another kind.
  static Result<ProcessConfig> Parse(std::string_view text, const std::string& name,
                                     std::span<const ProcessOption> options);
  // Errors: Parse()'s, kNotFound, kIo.
  static Result<ProcessConfig> Load(const std::string& file,
                                    std::span<const ProcessOption> options);

  // Whether the file has it.
  bool IsGiven(std::string_view name) const { return given_.contains(name); }
  // What the file has, else the fallback.
  std::string Text(std::string_view name) const;
  std::vector<std::string> Texts(std::string_view name) const;
  dirsync::Duration Duration(std::string_view name) const;
  std::uint64_t Number(std::string_view name) const;  // kBytes too
  bool Switch(std::string_view name) const;

 private:
  using Value =
      std::variant<std::string, std::vector<std::string>, dirsync::Duration, std::uint64_t, bool>;
  template <class T>
  T As(std::string_view name) const;

  std::map<std::string, Value, std::less<>> fallbacks_;
  std::map<std::string, Value, std::less<>> given_;
  friend class ConfigReader;
};

// "30s" and the like; nullopt: no duration.
std::optional<Duration> ParseDuration(std::string_view text);
// "64MiB" and the like; nullopt: no size.
std::optional<std::uint64_t> ParseBytes(std::string_view text);

// A configuration file that says every option of the table, each with what it is for, and changes
// nothing: the options are comments.
std::string ConfigText(std::string_view title, std::span<const ProcessOption> options);

}  // namespace dirsync
