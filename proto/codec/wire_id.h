// Ids in messages: raw bytes, absent when zero. Internal to the codec.
#pragma once

#include <optional>
#include <string>

#include "proto/base/ids.h"

namespace dirsync::codec {

// Overwrites `out`.
template <class Id>
void FillId(const Id& id, std::string* out) {
  if (id.is_zero()) {
    out->clear();
  } else {
    out->assign(id.view());
  }
}

// false: neither absent nor of the id's size; then `id` is unchanged.
template <class Id>
bool ParseId(const std::string& raw, Id& id) {
  const std::optional<Id> parsed = raw.empty() ? Id{} : Id::FromBytes(raw);
  if (parsed) id = *parsed;
  return parsed.has_value();
}

}  // namespace dirsync::codec
