#include "agent/core/free_name.h"

#include "agent/core/entry_content.h"
#include "proto/base/text.h"

namespace dirsync {

Result<std::string> FreeName(const ApplyContext& context, const EntryId& parent,
                             std::string_view name, const EntryId& self) {
  std::string candidate(name);
  for (std::size_t attempt = 0;; ++attempt) {
    DIRSYNC_TRY(holder, context.entries.FindChild(parent, candidate));
    if (!holder || *holder == self) return candidate;
    if (attempt == std::size(kSuffixDigits))
      return Fail(ErrorCode::kBadValue, "every name for \"" + Printable(name, 80) + "\" is taken");
    candidate = SuffixedName(name, self, kSuffixDigits[attempt]);
  }
}

bool SameContent(const Entry& a, const Entry& b) {
  return a.entry_class == b.entry_class && a.parent == b.parent && a.name == b.name &&
         a.origin == b.origin && a.attributes == b.attributes;
}

}  // namespace dirsync
