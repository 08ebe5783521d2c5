// RocksDB's files, with an IoHook asked first.
#pragma once

#include <rocksdb/env.h>

#include <memory>

#include "storage/io_hook.h"

namespace dirsync::storage {

// An environment on the default file system that asks `hook` before each change; `hook` must
// outlive it.
std::unique_ptr<rocksdb::Env> HookedEnv(IoHook& hook);

}  // namespace dirsync::storage
