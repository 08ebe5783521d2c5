// Entries that are asked for whole (R3): rows of table kWanted.
#pragma once

#include <string_view>

#include "proto/base/error.h"
#include "proto/base/ids.h"
#include "storage/key.h"
#include "storage/transaction.h"

namespace dirsync {

// `version`: of the change that could not be applied; an answer is above it.
void PutWanted(storage::Transaction& transaction, storage::StreamNumber number, const EntryId& id,
               const Version& version);
Result<Version> DecodeWanted(std::string_view value);
// Forgets what a full copy as of `version` has answered.
Result<> DropAnswered(storage::Transaction& transaction, storage::StreamNumber number,
                      const Version& version);
Result<bool> IsAnyWanted(const storage::ReadView& view, storage::StreamNumber number);

}  // namespace dirsync
