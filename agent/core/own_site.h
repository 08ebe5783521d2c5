// Whether a stream is our own: nothing returns to its origin (R8).
#pragma once

#include "agent/directory/site_profile.h"
#include "proto/base/ids.h"
#include "proto/base/text.h"

namespace dirsync {

// Whether this site tells the stream itself; names are compared folded.
inline bool IsOwnSite(const SiteProfile& profile, const StreamName& stream) {
  return FoldName(profile.site) == FoldName(stream.site) &&
         FoldName(profile.organization) == FoldName(stream.organization);
}

}  // namespace dirsync
