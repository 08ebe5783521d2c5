// Who a foreign system is, as a source of entries (R23).
#pragma once

#include <string>

#include "agent/core/apply_context.h"
#include "proto/base/text.h"

namespace dirsync {

// The origin is the instance that reads it: its name in comparison form, since ids follow from it.
inline ApplySource ForeignSource(const InstanceSettings& settings, const ReaderState& state) {
  const std::string site = "foreign:" + FoldName(settings.name);
  return {site, {}, "foreign:" + settings.name, state.terms.hash_key};
}

}  // namespace dirsync
