// Secrets in files of their own: 32 bytes, mode 0600, and nowhere else.
#pragma once

#include <string>
#include <string_view>

#include "proto/base/error.h"

namespace dirsync {

// The 32 bytes. `what` names the key for people ("the site's key"), `if_missing` says what to do.
// Errors: kConfiguration (missing, or others may read it), kCorrupt (another size), kIo.
Result<std::string> ReadKeyFile(const std::string& path, std::string_view what,
                                std::string_view if_missing = "restore it from a backup");
// Made with mode 0600 and synced, folder too. Errors: kExists (a key is never written over), kIo,
// kDiskFull.
Result<> WriteKeyFile(const std::string& path, std::string_view bytes);
// Another one in its place, by a rename: at any time one of the two is there whole. Errors: of
// WriteKeyFile; kNotFound: none was there.
Result<> ReplaceKeyFile(const std::string& path, std::string_view bytes);
bool HasKeyFile(const std::string& path);

}  // namespace dirsync
