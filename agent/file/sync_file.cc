#include "agent/file/sync_file.h"

namespace dirsync {

std::string_view FileKindName(FileKind kind) {
  switch (kind) {
    case FileKind::kChanges:
      return "changes";
    case FileKind::kFull:
      return "full";
    case FileKind::kAdhoc:
      return "adhoc";
  }
  return "unknown";
}

}  // namespace dirsync
