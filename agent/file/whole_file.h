// A file that stands at its place whole or not at all.
#pragma once

#include <functional>
#include <string>

#include "agent/file/file_system.h"

namespace dirsync {

// `write` fills PATH.tmp, which then replaces `path`, durably. After an error, of `write` or of
// `files`, PATH.tmp is gone and `path` is as it was. Killed, it leaves PATH.tmp, which the next
// call for the same path replaces.
Result<> WriteWholeFile(FileSystem& files, const std::string& path,
                        const std::function<Result<>(FileOutput& file)>& write);

}  // namespace dirsync
